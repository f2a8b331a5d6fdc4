"""An inventory made of what a panel said: kinds, parents, suspension, names that cannot be used.

Facts:

- A webspace's id is the site id of its main domain (plesk.md section 0, item 2).
- A non-zero status of a domain or its subscription is no mail switch but makes it suspended (plesk.md section 1.3).
- The XML API does not say which sites are subdomains: a site below another domain of its subscription is taken as one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from mailswitch.core.domain import HostedDomain, Inventory, Kind, Platform, ServerAddress, Switch
from mailswitch.core.errors import InvalidName
from mailswitch.core.names import DomainName
from mailswitch.plesk.failures import PanelFailure, cleaned
from mailswitch.plesk.names import display_name, panel_name
from mailswitch.plesk.records import AliasRecord, ServerRecord, SiteRecord

__all__ = ["build", "platform_of", "version_of"]

_VERSION = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6})+")
_LINUX = re.compile(r"linux|unix|debian|ubuntu|red ?hat|rhel|centos|fedora|rocky|suse|virtuozzo|oracle", re.IGNORECASE)


def build(
    *,
    server: str,
    panel: str,
    record: ServerRecord,
    addresses: Iterable[ServerAddress],
    sites: Iterable[SiteRecord],
    aliases: Iterable[AliasRecord],
    switches: Mapping[int, Switch],
    oddities: Iterable[str] = (),
) -> Inventory:
    """Return the inventory; ``switches`` has the mail switch of each site by its id.

    Raises:
        PanelFailure: the panel contradicts itself about which domain an id means.
    """
    found = _Sites(sites)
    odd = [*oddities, *found.odd]
    domains = [found.hosted(record, switches.get(record.id, Switch.UNKNOWN), odd) for record in found.records.values()]
    domains += [made for alias in aliases if (made := _alias(alias, found, odd)) is not None]
    return Inventory(
        server=server,
        panel=panel,
        version=version_of(record.version),
        platform=platform_of(record.system),
        host_name=_host_name(record.host_name, odd),
        addresses=tuple(sorted(set(addresses), key=lambda a: (a.address.version, a.address, str(a.public)))),
        domains=_unambiguous(domains, odd),
        oddities=tuple(odd),
    )


def version_of(text: str | None) -> str | None:
    """Return the version number in ``text`` ("Plesk Obsidian 18.0.61 Update #5": ``18.0.61``), None without one."""
    found = _VERSION.search((text or "")[:200])
    return None if found is None else found[0]


def platform_of(text: str | None) -> Platform:
    """Return what an operating system's name stands for; UNKNOWN rather than a guess."""
    shown = (text or "")[:200]
    if "windows" in shown.lower():
        return Platform.WINDOWS
    return Platform.LINUX if _LINUX.search(shown) or "alma" in shown.lower() else Platform.UNKNOWN


class _Sites:
    """The sites by id, with the names that could be understood."""

    def __init__(self, records: Iterable[SiteRecord]) -> None:
        self.odd: list[str] = []
        self.names: dict[int, DomainName] = {}
        self.records: dict[int, SiteRecord] = {}
        self._all: dict[int, SiteRecord] = {}
        self._by_webspace: dict[int, dict[DomainName, int]] = {}
        for record in records:
            self._add(record)

    def _add(self, record: SiteRecord) -> None:
        known = self._all.get(record.id)
        name = _name(record, "The domain", self.odd)
        if known is not None:
            if name is None or self.names.get(record.id) != name:
                raise PanelFailure(f"the panel lists two domains with id {record.id}", code="not-understood")
            return  # a server whose site get tells main domains as well: the webspace came first
        self._all[record.id] = record
        if name is not None:
            self.records[record.id] = record
            self.names[record.id] = name
            self._by_webspace.setdefault(record.webspace_id or record.id, {})[name] = record.id

    def hosted(self, record: SiteRecord, switch: Switch, odd: list[str]) -> HostedDomain:
        """Return the hosted domain that ``record`` is."""
        name = self.names[record.id]
        if record.webspace_id and record.webspace_id not in self._all:
            # It may be suspended without our knowing: nothing may be turned on such ground.
            odd.append(f"{name} belongs to subscription {record.webspace_id}, which the panel does not list: unknown.")
            switch = Switch.UNKNOWN
        if record.status is None:
            odd.append(f"The status of {name} was not understood; it counts as suspended.")
        kind, parent = self._place(record, name)
        return HostedDomain(
            name=name,
            display_name=display_name(name),
            kind=kind,
            switch=switch,
            panel_id=str(record.id),
            parent=parent,
            created=record.created,
            is_suspended=self.is_suspended(record.id),
        )

    def is_suspended(self, site_id: int) -> bool:
        """Whether the site or its subscription is anything but active, as far as the panel told."""
        record = self._all.get(site_id)
        webspace = None if record is None else self._all.get(record.webspace_id)
        return any(found is not None and found.status != 0 for found in (record, webspace))

    def _place(self, record: SiteRecord, name: DomainName) -> tuple[Kind, DomainName | None]:
        if record.webspace_id == 0:
            return Kind.DOMAIN, None
        if record.parent_site_id:
            return Kind.SUBDOMAIN, self.names.get(record.parent_site_id)
        main = self.names.get(record.webspace_id)
        if record.parent_site_id == 0:
            return Kind.ADDON, main
        near = self._by_webspace.get(record.webspace_id, {})
        labels = name.labels
        for start in range(1, len(labels)):  # from the longest possible parent
            above = DomainName(".".join(labels[start:]))
            if above in near:
                return Kind.SUBDOMAIN, above
        return Kind.ADDON, main


def _alias(alias: AliasRecord, sites: _Sites, odd: list[str]) -> HostedDomain | None:
    name = _name(alias, "The alias", odd)
    if name is None:
        return None
    parent = None if alias.site_id is None else sites.names.get(alias.site_id)
    if parent is None:
        odd.append(f"The alias {name} belongs to site {alias.site_id}, which is not in the inventory.")
    return HostedDomain(
        name=name,
        display_name=display_name(name),
        kind=Kind.ALIAS,
        switch=alias.switch,
        panel_id=str(alias.id),
        parent=parent,
        is_suspended=alias.status != 0 or (alias.site_id is not None and sites.is_suspended(alias.site_id)),
    )


def _name(record: SiteRecord | AliasRecord, what: str, odd: list[str]) -> DomainName | None:
    try:
        return panel_name(record.ascii_name, record.name)
    except InvalidName as error:
        odd.append(f"{what} with id {record.id} was left out: {cleaned(str(error))}.")
        return None


def _host_name(text: str | None, odd: list[str]) -> DomainName | None:
    if text is None:
        return None
    try:
        return panel_name(text, None)
    except InvalidName as error:
        odd.append(f"The panel's own host name was not understood: {cleaned(str(error))}.")
        return None


def _unambiguous(domains: list[HostedDomain], odd: list[str]) -> tuple[HostedDomain, ...]:
    """Keep one of each name; which flag a doubled name has cannot be told, so its switch is unknown."""
    counted = Counter(domain.name for domain in domains)
    kept: dict[DomainName, HostedDomain] = {}
    for domain in domains:
        if counted[domain.name] == 1:
            kept[domain.name] = domain
        elif domain.name not in kept:
            odd.append(f"The panel lists {domain.name} {counted[domain.name]} times; its switch counts as unknown.")
            kept[domain.name] = replace(domain, switch=Switch.UNKNOWN)
    return tuple(kept.values())
