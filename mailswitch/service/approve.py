"""A person's yes to turning names off, bound to what is seen now."""

from __future__ import annotations

from datetime import timedelta

from mailswitch.core.decide import table_verdict
from mailswitch.core.errors import ConfigError, InventoryError
from mailswitch.core.ledger import APPROVAL_LIFE, Approval, Guard
from mailswitch.core.names import DomainName
from mailswitch.core.policy import Policy
from mailswitch.core.reports import DomainReport, PassReport
from mailswitch.core.table import Verdict
from mailswitch.service.observe import Scope
from mailswitch.service.reconcile import PassRequest, dry_run
from mailswitch.service.remarks import silent_servers
from mailswitch.service.setup import Setup

__all__ = ["approve"]

_WAIT = timedelta(seconds=30)


def approve(
    setup: Setup, names: tuple[DomainName, ...], despite: frozenset[Guard], *, by: str, server: str | None = None
) -> tuple[Approval, ...]:
    """Look at each name now and record the approvals, all or none.

    Raises:
        ConfigError: a name is not hosted, or on no server there is anything to approve about it, with every such name.
        InventoryError: a name was not found, and a panel that may host it did not answer.
    """
    scope = Scope(names=frozenset(names), servers=frozenset() if server is None else frozenset({server}))
    report = dry_run(setup, PassRequest(by=by, scope=scope))
    policies = {one.name: one.policy for one in setup.servers}
    hosted = [(one.name, entry) for one in report.servers for entry in one.domains if entry.domain.name in names]
    found = [(one, entry) for one, entry in hosted if _is_leaving(entry, policies[one])]
    _check(names, report, hosted, {entry.domain.name for _, entry in found})
    at = setup.now()
    approvals = tuple(
        Approval(
            server=server_name,
            name=entry.domain.name,
            route=entry.finding.route,
            exchanges=entry.finding.exchange_names,
            despite=despite,
            by=by,
            at=at,
            expires=at + APPROVAL_LIFE,
        )
        for server_name, entry in found
    )
    with setup.ledger.writer(wait=_WAIT) as ledger:
        for approval in approvals:
            ledger.add_approval(approval)
    return approvals


def _is_leaving(entry: DomainReport, policy: Policy) -> bool:
    return table_verdict(entry.domain, entry.finding.route, policy, entry.history) is Verdict.TURN_OFF


def _check(
    names: tuple[DomainName, ...],
    report: PassReport,
    hosted: list[tuple[str, DomainReport]],
    leaving: set[DomainName],
) -> None:
    """Raise for every name that no server has anything to approve about; a name that moved between two is fine."""
    missing = [name for name in names if name not in {entry.domain.name for _, entry in hosted}]
    silent = silent_servers(report)
    if missing and silent:
        what = ", ".join(map(str, missing))
        raise InventoryError(f"cannot tell who hosts {what}: {'; '.join(silent)}", code="unreachable")
    problems = [f"{name} is not hosted on any server that was asked" for name in missing]
    problems += [_nothing_to_approve(one, entry) for one, entry in hosted if entry.domain.name not in leaving]
    if problems:
        raise ConfigError(tuple(problems))


def _nothing_to_approve(server: str, entry: DomainReport) -> str:
    return (
        f"{server}: {entry.domain.name}: nothing to approve, the switch is {entry.domain.switch} and the route "
        f"{entry.finding.route} ({entry.finding.because})"
    )
