"""The questions put to psa, in the SQL that MySQL and MariaDB understand alike.

Facts:

- psa is read, never written (plesk.md section 3.4).
- Aliases are in ``domain_aliases`` or, on old panels, in ``domainaliases``: ``SHOW TABLES`` tells (the same).
- Each row begins with a tag, because the rows of several statements come one after the other without a heading; the
  last one says ``end``, so that rows cut off are noticed.
- Nothing a customer can choose becomes part of a statement: at most an id, as a number.
"""

from __future__ import annotations

__all__ = ["ALIAS_TABLES", "FIND_ALIAS_TABLE", "inventory_sql", "one_alias_sql", "one_site_sql"]

ALIAS_TABLES = ("domain_aliases", "domainaliases")
"""Where aliases may be, the newer first."""

FIND_ALIAS_TABLE = "SHOW TABLES LIKE 'domain%alias%'"

_SITES = (
    "SELECT 'site', d.id, d.name, d.status, d.webspace_status, d.webspace_id, d.parentDomainId, d.cr_date, s.status"
    " FROM domains d LEFT JOIN DomainServices s ON s.dom_id = d.id AND s.type = 'mail'"
)
_ALIASES = {
    "domain_aliases": "SELECT 'alias', id, name, dom_id, status, mail FROM domain_aliases",
    "domainaliases": "SELECT 'alias', id, name, dom_id, status, mail FROM domainaliases",
}
_ADDRESSES = "SELECT 'address', ip_address, public_ip_address FROM IP_Addresses"
_HOST_NAME = "SELECT 'host', val FROM misc WHERE param = 'FullHostName'"
_END = "SELECT 'end'"


def inventory_sql(alias_table: str) -> str:
    """Return the statements that read everything; ``alias_table`` is one of `ALIAS_TABLES`."""
    return "; ".join((_HOST_NAME, _ADDRESSES, _SITES, _ALIASES[alias_table], _END))


def one_site_sql(site_id: int) -> str:
    """Return the statements that read one row of ``domains``."""
    return "; ".join((f"{_SITES} WHERE d.id = {site_id:d}", _END))


def one_alias_sql(alias_table: str, alias_id: int) -> str:
    """Return the statements that read one alias."""
    return "; ".join((f"{_ALIASES[alias_table]} WHERE id = {alias_id:d}", _END))
