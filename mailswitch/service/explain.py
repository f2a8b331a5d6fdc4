"""Everything known of one name: a thorough look at it now, and what the ledger has on record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import assert_never

from mailswitch.core.errors import ConfigError, InventoryError
from mailswitch.core.mx import Address, Addresses, HostAnswer, Indeterminate, NoAddress, NoSuchHost
from mailswitch.core.names import DomainName
from mailswitch.core.reports import PassReport
from mailswitch.core.zone import ZoneAnswer, ZoneServer
from mailswitch.report.explanation import Explanation, is_ours
from mailswitch.report.name_servers import NameServer, NameServers, Place
from mailswitch.report.usage import Pointing, WebAddress
from mailswitch.service.observe import Scope
from mailswitch.service.reconcile import PassRequest, dry_run
from mailswitch.service.remarks import silent_servers
from mailswitch.service.setup import Setup

__all__ = ["explain"]

_WebAnswers = Mapping[DomainName, tuple[HostAnswer, ...]]


def explain(setup: Setup, name: DomainName, *, by: str, server: str | None = None) -> tuple[Explanation, ...]:
    """Look at one name with every vantage and gather what the ledger knows; one explanation for each server with it.

    Raises:
        ConfigError: no server hosts the name.
        InventoryError: a panel that may host it did not answer, and no other hosts it.
    """
    servers = frozenset() if server is None else frozenset({server})
    scope = Scope(names=frozenset({name}), servers=servers, is_thorough=True)
    report = dry_run(setup, PassRequest(by=by, scope=scope))
    hosted = [(one, entry) for one in report.servers for entry in one.domains if entry.domain.name == name]
    if not hosted:
        raise _nobody_hosts(name, report)
    answers, zone = _web_answers(setup, name), setup.zone_view.name_servers(name)
    reader = setup.ledger.reader()
    try:
        pins = tuple(pin for pin in reader.pins() if pin.pattern.matches(name))
        approvals = {one.server: one for one in reader.approvals() if one.name == name}
        return tuple(
            Explanation(
                server=one.name,
                addresses=one.addresses,
                entry=entry,
                mode=report.mode,
                now=report.started,
                pins=pins,
                approval=approvals.get(one.name),
                changes=reader.changes(server=one.name, name=name, limit=50),
                pause=report.pause,
                refusal=one.refusal,
                pointing=Pointing(
                    web=_web(answers, one.addresses), name_servers=_name_servers(name, zone, one.addresses)
                ),
            )
            for one, entry in hosted
        )
    finally:
        reader.close()


def _nobody_hosts(name: DomainName, report: PassReport) -> ConfigError | InventoryError:
    silent = silent_servers(report)
    if silent:
        return InventoryError(f"cannot tell who hosts {name}: " + "; ".join(silent), code="unreachable")
    asked = ", ".join(one.name for one in report.servers)
    return ConfigError(f"{name} is not hosted on any server that was asked ({asked})")


def _web_answers(setup: Setup, name: DomainName) -> _WebAnswers:
    """Ask every vantage where the name itself and its ``www`` lead; of what is no host name, nothing."""
    if not name.is_host_name:
        return {}
    with setup.public_view.sweep(rotation=0) as sweep:
        return sweep.host_answers([name, DomainName(f"www.{name}")])


def _web(answers: _WebAnswers, ours: tuple[str, ...]) -> tuple[WebAddress, ...]:
    found = []
    for host, told in answers.items():
        addresses = {one for answer in told if isinstance(answer, Addresses) for one in answer.addresses}
        found.append(
            WebAddress(
                host=host.text,
                addresses=_in_order(addresses),
                is_here=any(is_ours(one, ours) for one in addresses),
            )
        )
    return tuple(found)


def _name_servers(name: DomainName, zone: ZoneAnswer, ours: tuple[str, ...]) -> NameServers | Indeterminate:
    if isinstance(zone, Indeterminate):
        return zone
    return NameServers(
        zone=zone.zone.text,
        is_above=zone.zone != name,
        servers=tuple(_name_server(one, ours) for one in zone.servers),
        left_out=zone.left_out,
    )


def _name_server(server: ZoneServer, ours: tuple[str, ...]) -> NameServer:
    addresses = server.host.addresses if isinstance(server.host, Addresses) else frozenset[Address]()
    return NameServer(host=server.name.text, addresses=_in_order(addresses), place=_place(server.host, ours))


def _place(host: HostAnswer, ours: tuple[str, ...]) -> Place:
    match host:
        case Addresses(addresses=addresses, unanswered=unanswered):
            if any(is_ours(one, ours) for one in addresses):
                return Place.HERE
            # What was not answered may be ours.
            return Place.ELSEWHERE if unanswered is None else Place.UNKNOWN
        case NoAddress() | NoSuchHost():
            return Place.NOWHERE
        case Indeterminate():
            return Place.UNKNOWN
        case _ as never:
            assert_never(never)


def _in_order(addresses: Iterable[Address]) -> tuple[str, ...]:
    return tuple(str(one) for one in sorted(addresses, key=lambda one: (one.version, int(one))))
