"""The shipped table of known exchanges, with the administrator's own rows beside it.

Facts about the shipped ``mx_providers.csv``:

- ``certain`` is ``no`` where the source was inferred, a map of other things, or not checked again: such a row does not
  make a known mailbox host.
- ``inbound-smtp.*.amazonaws.com`` is ``no`` as well: WorkMail shares these hosts with SES receiving, which may relay.
- A row may only add caution, so gateways, forwarders and parking count whether certain or not.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from importlib import resources

from mailswitch.config.models import ProviderRow
from mailswitch.core.names import NamePattern
from mailswitch.core.providers import KnownExchange, ProviderKind, ProviderTable

__all__ = ["load_table", "shipped_rows"]

_FILE = "mx_providers.csv"


def shipped_rows() -> tuple[KnownExchange, ...]:
    """Return the shipped rows in the order of the file."""
    text = resources.files("mailswitch.config").joinpath(_FILE).read_text(encoding="utf-8")
    return tuple(
        KnownExchange(
            pattern=NamePattern(row["pattern"]),
            kind=ProviderKind(row["kind"]),
            provider=row["provider"],
            is_certain=row["certain"] == "yes",
        )
        for row in csv.DictReader(text.splitlines())
    )


def load_table(extra_rows: Iterable[ProviderRow] = ()) -> ProviderTable:
    """Return the shipped table with ``policy.providers`` laid over it."""
    configured = (
        KnownExchange(pattern=row.pattern, kind=row.kind, provider=row.provider, is_certain=True, is_configured=True)
        for row in extra_rows
    )
    return ProviderTable((*configured, *shipped_rows()))
