r"""Rows printed by ``plesk db -B -N``, and what ``plesk version`` prints, read as hostile input.

Facts:

- Columns are separated by tabs; NULL is printed as ``NULL`` (plesk.md section 3.4).
- In batch mode the mysql client writes a line feed, a tab, a NUL and a backslash in a value as ``\n``, ``\t``, ``\0``
  and ``\\``.
- ``DomainServices.status``: 0 is on, no row is not configured; it repeats the bits of a domain status, so that of a
  suspended domain it does not say whether the customer turned mail off (plesk.md section 2.4).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mailswitch.core.domain import ServerAddress, Switch
from mailswitch.plesk.failures import PanelFailure, cleaned
from mailswitch.plesk.records import AliasRecord, ServerRecord, SiteRecord, created_on, server_address, whole_number

__all__ = ["LocalRows", "read_alias_table", "read_rows", "read_version"]

_ESCAPE = re.compile(r"\\([nt0\\])")
_ESCAPED = {"n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
_COLUMNS = {"site": 8, "alias": 5, "address": 2, "host": 1, "end": 0}
_WITH_PARENT = 2
"""The bit of a status that says "because of what it belongs to" (plesk.md section 1.3)."""
_SWITCHES = {"true": Switch.ON, "false": Switch.OFF}


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRows:
    """Everything that one call of ``plesk db`` told."""

    host_name: str | None
    addresses: tuple[ServerAddress, ...]
    sites: tuple[SiteRecord, ...]
    switches: dict[int, Switch]
    aliases: tuple[AliasRecord, ...]


def read_rows(output: bytes) -> LocalRows:
    """Return the rows in ``output``.

    Raises:
        PanelFailure: it is not UTF-8, has a row that was not asked for, or ends before the last row.
    """
    rows: dict[str, list[list[str | None]]] = {tag: [] for tag in _COLUMNS}
    for line in _lines(output):
        tag, *columns = line.split("\t")
        if rows["end"] or len(columns) != _COLUMNS.get(tag, -1):
            raise PanelFailure(
                f"plesk db printed a row that was not asked for: {cleaned(line)!r}", code="not-understood"
            )
        rows[tag].append([_value(column) for column in columns])
    if not rows["end"]:
        raise PanelFailure("what plesk db printed ends too early", code="not-understood")
    told = [_site(*columns) for columns in rows["site"]]
    return LocalRows(
        host_name=rows["host"][0][0] if rows["host"] else None,
        addresses=tuple(server_address(own or "", public) for own, public in rows["address"]),
        sites=tuple(record for record, _ in told),
        switches={record.id: switch for record, switch in told},
        aliases=tuple(_alias(*columns) for columns in rows["alias"]),
    )


def read_alias_table(output: bytes, known: Iterable[str]) -> str:
    """Return the first of the ``known`` tables that is there.

    Raises:
        PanelFailure: none is: without its aliases an inventory is not complete.
    """
    there = set(_lines(output))
    for table in known:
        if table in there:
            return table
    raise PanelFailure("psa has no table of domain aliases that is known", code="incomplete")


def read_version(output: bytes, host_name: str | None) -> ServerRecord:
    """Return what ``plesk version`` tells; anything missing is None."""
    fields: dict[str, str] = {}
    for line in output[:10_000].decode("utf-8", errors="replace").splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip().lower(), value.strip())
    return ServerRecord(
        host_name=host_name, version=fields.get("product version") or None, system=fields.get("os version") or None
    )


def _lines(output: bytes) -> list[str]:
    try:
        text = output.decode()
    except UnicodeDecodeError as error:
        raise PanelFailure("what plesk db printed is not UTF-8", code="not-understood") from error
    lines = text.split("\n")  # not splitlines: it would also split at characters that are part of a value
    if lines.pop():
        raise PanelFailure("what plesk db printed ends within a row", code="not-understood")
    return lines


def _value(column: str) -> str | None:
    return None if column == "NULL" else _ESCAPE.sub(lambda found: _ESCAPED[found[1]], column)


def _site(  # noqa: PLR0917 - the columns of the statement, in its order
    site_id: str | None,
    name: str | None,
    status: str | None,
    webspace_status: str | None,
    webspace_id: str | None,
    parent_id: str | None,
    created: str | None,
    service: str | None,
) -> tuple[SiteRecord, Switch]:
    number, webspace, parent = _id(site_id, "domain"), whole_number(webspace_id or "0"), whole_number(parent_id or "0")
    if webspace is None or parent is None:
        raise PanelFailure(f"psa has a domain {number} that belongs to {webspace_id!r}", code="not-understood")
    own, inherited = whole_number(status), whole_number(webspace_status or "0")
    total = None if own is None or inherited is None else own | inherited
    record = SiteRecord(
        id=number,
        ascii_name=name,
        name=None,
        status=total,
        webspace_id=0 if webspace == number else webspace,
        parent_site_id=parent,
        created=created_on(created),
    )
    return record, _switch(service, total)


def _switch(service: str | None, status: int | None) -> Switch:
    if service is None:
        return Switch.NOT_CONFIGURED
    bits = whole_number(service)
    if bits == 0:
        return Switch.ON
    if bits is None or status is None:
        return Switch.UNKNOWN
    is_by_suspension = bits & status or (status and bits & _WITH_PARENT)
    return Switch.UNKNOWN if is_by_suspension else Switch.OFF


def _alias(
    alias_id: str | None, name: str | None, site_id: str | None, status: str | None, mail: str | None
) -> AliasRecord:
    return AliasRecord(
        id=_id(alias_id, "alias"),
        ascii_name=name,
        name=None,
        site_id=whole_number(site_id),
        status=whole_number(status or "0"),
        switch=_SWITCHES.get((mail or "").lower(), Switch.UNKNOWN),
    )


def _id(text: str | None, what: str) -> int:
    number = whole_number(text)
    if not number:
        raise PanelFailure(f"psa has a {what} with the id {cleaned(text or 'NULL')!r}", code="not-understood")
    return number
