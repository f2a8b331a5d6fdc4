"""Everything known of one name: a thorough look at it now, and what the ledger has on record."""

from __future__ import annotations

from collections.abc import Mapping

from mailswitch.core.errors import ConfigError, InventoryError
from mailswitch.core.mx import Addresses, HostAnswer
from mailswitch.core.names import DomainName
from mailswitch.report.explanation import Explanation, is_ours
from mailswitch.report.usage import WebAddress
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
    answers = _web_answers(setup, name)
    reader = setup.ledger.reader()
    try:
        pins = tuple(pin for pin in reader.pins() if pin.pattern.matches(name))
        approvals = {one.server: one for one in reader.approvals() if one.name == name}
        found = tuple(
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
                web=_web(answers, one.addresses),
            )
            for one in report.servers
            for entry in one.domains
            if entry.domain.name == name
        )
    finally:
        reader.close()
    if found:
        return found
    silent = silent_servers(report)
    if silent:
        raise InventoryError(f"cannot tell who hosts {name}: " + "; ".join(silent), code="unreachable")
    asked = ", ".join(one.name for one in report.servers)
    raise ConfigError(f"{name} is not hosted on any server that was asked ({asked})")


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
                addresses=tuple(str(one) for one in sorted(addresses, key=lambda one: (one.version, int(one)))),
                is_here=any(is_ours(one, ours) for one in addresses),
            )
        )
    return tuple(found)
