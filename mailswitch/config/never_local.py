"""The shipped list of names that are nobody's to host on a shared server: the large public mailbox domains."""

from __future__ import annotations

from importlib import resources

from mailswitch.core.names import DomainName

__all__ = ["shipped_names"]

_FILE = "never_local.txt"


def shipped_names() -> frozenset[DomainName]:
    """Return the names in the shipped list."""
    text = resources.files("mailswitch.config").joinpath(_FILE).read_text(encoding="utf-8")
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return frozenset(DomainName(line) for line in lines if line)
