"""A person's yes to turning names off, bound to what is seen now."""

from __future__ import annotations

from datetime import timedelta

from mailswitch.core.decide import table_verdict
from mailswitch.core.errors import ConfigError
from mailswitch.core.ledger import Approval, Guard
from mailswitch.core.names import DomainName
from mailswitch.core.reports import DomainReport
from mailswitch.core.table import Verdict
from mailswitch.service.observe import Scope
from mailswitch.service.reconcile import PassRequest, dry_run
from mailswitch.service.setup import Setup

__all__ = ["APPROVAL_LIFE", "approve"]

APPROVAL_LIFE = timedelta(days=30)
_WAIT = timedelta(seconds=30)


def approve(
    setup: Setup, names: tuple[DomainName, ...], despite: frozenset[Guard], *, by: str, server: str | None = None
) -> tuple[Approval, ...]:
    """Look at each name now and record the approvals, all or none.

    Raises:
        ConfigError: a name is not hosted, or there is nothing to approve about it, with every such name.
    """
    scope = Scope(names=frozenset(names), servers=frozenset() if server is None else frozenset({server}))
    report = dry_run(setup, PassRequest(by=by, scope=scope))
    policies = {one.name: one.policy for one in setup.servers}
    found = [(one.name, entry) for one in report.servers for entry in one.domains if entry.domain.name in names]
    hosted = {entry.domain.name for _, entry in found}
    problems = [f"{name} is not hosted on any server that answered" for name in names if name not in hosted]
    problems += [f"{one.name}: {one.error.text}" for one in report.servers if one.error is not None]
    for server_name, entry in found:
        wanted = table_verdict(entry.domain, entry.finding.route, policies[server_name], entry.history)
        if wanted is not Verdict.TURN_OFF:
            problems.append(_nothing_to_approve(server_name, entry))
    if problems:
        raise ConfigError(tuple(problems))
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


def _nothing_to_approve(server: str, entry: DomainReport) -> str:
    return (
        f"{server}: {entry.domain.name}: nothing to approve, the switch is {entry.domain.switch} and the route "
        f"{entry.finding.route} ({entry.finding.because})"
    )
