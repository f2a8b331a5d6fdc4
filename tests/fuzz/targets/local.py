"""What ``plesk db`` and ``plesk version`` print: read, or refused as a failure of the panel.

The first octet chooses what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mailswitch.plesk.failures import PanelFailure
from mailswitch.plesk.local_rows import read_alias_table, read_rows, read_version

__all__ = ["MAX_OCTETS", "TOKENS", "seeds", "try_one"]

MAX_OCTETS = 2_000
TOKENS = (b"\t", b"\n", b"NULL", b"\\t", b"\\0", b"host\t", b"address\t", b"site\t", b"alias\t", b"end\n", b"\xc3\xbc")
_END = b"end\n"
_READERS: tuple[Callable[[bytes], object], ...] = (
    read_rows,
    lambda output: read_rows(output + _END),
    lambda output: read_alias_table(output, ("domain_aliases", "domainaliases")),
    lambda output: read_version(output, None),
)


def try_one(data: bytes) -> None:
    """Read one program's output."""
    if not data:
        return
    try:
        _READERS[data[0] % len(_READERS)](data[1:])
    except PanelFailure as failure:
        if not str(failure).isprintable():
            raise AssertionError(f"a failure's text is not fit to be shown: {failure!s}") from failure


def seeds() -> Iterator[bytes]:
    """Return rows in the order of the statement, whole and broken."""
    host, address = b"host\tweb01.hoster.example\n", b"address\t10.0.0.5\t203.0.113.10\n"
    site = b"site\t1\ta.example\t0\t0\t0\t0\t2024-05-01\t0\n"
    alias = b"alias\t7\tb.example\t1\t0\ttrue\n"
    for rows in (host, address, site, alias, host + address + site + alias, host + b"other\t1\n", b"\xff\n", b"host\n"):
        yield b"\x01" + rows
        yield b"\x00" + rows
    yield b"\x02" + b"domains\ndomain_aliases\n"
    yield b"\x03" + b"Product version: Plesk Obsidian 18.0.61\n     OS version: Debian 12\n"
