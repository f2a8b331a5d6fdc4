"""One pass, the same for dry run, one-shot and daemon: look, judge, and unless it is a dry run record and apply."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime

from mailswitch.core.alerts import gravest_first
from mailswitch.core.domain import Platform
from mailswitch.core.errors import InventoryError, Stopped
from mailswitch.core.judge import Judgement, ServerCase, judge
from mailswitch.core.ledger import APPROVAL_LIFE, Run, ServerPass
from mailswitch.core.policy import Mode
from mailswitch.core.reports import (
    Alert,
    PassReport,
    ServerError,
    ServerReport,
    plan_of,
    summary_of,
)
from mailswitch.core.skips import Skips
from mailswitch.service.apply import settle_open_intents
from mailswitch.service.carry_out import Orders, carry_out
from mailswitch.service.collecting import rare_collections
from mailswitch.service.local_evidence import look_into_log
from mailswitch.service.observe import Answered, Progress, Scope, Sighted, look, read_inventories
from mailswitch.service.own_view import own_opinions
from mailswitch.service.ports import EvidenceSource, Ledger, LedgerReader, Panel
from mailswitch.service.remarks import paused_alerts, server_pass, unsettled_alerts
from mailswitch.service.reviewed import Reviewed, plan_refusal
from mailswitch.service.setup import ManagedServer, Setup

__all__ = ["PassRequest", "Reviewed", "dry_run", "once", "settle"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PassRequest:
    """What is asked of one pass."""

    by: str
    """The user's name, or ``daemon``."""
    scope: Scope = field(default_factory=Scope)
    is_enforcing: bool = False
    """``--apply``: mode report is lifted to enforce for this pass; approve stays approve."""
    reviewed: Reviewed | None = None
    progress: Progress | None = None
    skips: Callable[[], Skips] = Skips
    """Asked when a server is judged: how far the clock was set forward, and when."""
    is_stopping: Callable[[], bool] = bool
    """Asked between the steps of a pass and between changes; a change under way is always finished."""

    def mode(self, configured: Mode) -> Mode:
        """Return the mode of this pass."""
        return Mode.ENFORCE if self.is_enforcing and configured is Mode.REPORT else configured


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    """One server in one pass; without a judgement where its panel did not answer."""

    panel: Panel | None
    judgement: Judgement | None
    report: ServerReport
    mail_alerts: tuple[Alert, ...] = ()
    """What the server's mail log cannot speak for."""


def dry_run(setup: Setup, request: PassRequest) -> PassReport:
    """Make one pass that stops before it records or applies anything; takes no lock."""
    reader = setup.ledger.reader()
    try:
        return _pass(setup, request, reader, None)
    finally:
        reader.close()


def once(setup: Setup, request: PassRequest) -> PassReport:
    """Make one pass that records what it sees and applies what the mode allows.

    Raises:
        AlreadyRunning: another pass holds the ledger.
        Stopped: it was asked to stop before anything was recorded.
        UnsafePlan: the reviewed plan is not the plan of this pass, or all changes are paused; nothing was applied.
        InventoryError: the same, because a server failed whose part of the plan is missing.
        LedgerError: the ledger cannot be used; nothing was applied after that moment.
    """
    with setup.ledger.locked() as ledger:
        settle(setup, ledger)
        return _pass(setup, request, ledger, ledger)


def settle(setup: Setup, ledger: Ledger) -> None:
    """Settle open intents by reading the panels, before anything else; a silent panel leaves its own open."""
    waiting = {change.server for change in ledger.unsettled()}
    for server in setup.servers:
        if server.name not in waiting:
            continue
        try:
            panel = server.opened()
        except InventoryError:
            continue
        try:
            settle_open_intents(ledger, panel, server.name, setup.now)
        finally:
            panel.close()


def _pass(setup: Setup, request: PassRequest, reader: LedgerReader, ledger: Ledger | None) -> PassReport:
    """Look and judge; with a ledger to write also record and apply. A dry run is this without one."""
    with rare_collections(), ExitStack() as stack:
        report, servers = _judged(setup, request, reader, ledger, stack)
        return report if ledger is None else _carried_out(setup, request, ledger, report, servers)


def _carried_out(
    setup: Setup, request: PassRequest, ledger: Ledger, report: PassReport, servers: list[_Server]
) -> PassReport:
    """Record what was seen, apply what may be applied, and record how that went."""
    run = Run(
        id=report.run_id,
        mode=report.mode,
        by=request.by,
        started=report.started,
        finished=None,
        plan=report.plan.digest,
    )
    ledger.begin_run(run)
    for one in servers:
        # What was seen with an incomplete *ours* is no sighting of anything.
        seen = one.judgement if one.report.error is None else None
        # A look at some names is none at the server: its other names were not seen at this moment.
        state = None if seen is None or request.scope.names else seen.state
        ledger.record_pass(state, _server_pass(request, report, one.report), {} if seen is None else seen.histories)
    refusal = plan_refusal(request.reviewed, report)
    is_applying = refusal is None and report.mode is not Mode.REPORT and report.pause is None
    orders = Orders(
        run_id=report.run_id,
        by=request.by,
        plan=report.plan,
        began=report.started,
        is_reviewed=request.reviewed is not None,
        is_stopping=request.is_stopping,
    )
    done = _applied(setup, ledger, orders, servers) if is_applying else tuple(one.report for one in servers)
    report = replace(report, servers=done, finished=setup.now(), is_dry_run=report.mode is Mode.REPORT)
    for server in done:
        ledger.record_pass(None, _server_pass(request, report, server), {})
    summary = summary_of(done)
    ledger.finish_run(replace(run, finished=report.finished, changes_done=summary.done, changes_failed=summary.failed))
    if refusal is not None:
        raise refusal
    return report


def _applied(setup: Setup, ledger: Ledger, orders: Orders, servers: list[_Server]) -> tuple[ServerReport, ...]:
    """Apply each server's changes one after another, and the servers' side by side: a slow panel delays no other."""

    def apply(one: _Server) -> ServerReport:
        return one.report if one.panel is None else carry_out(one.report, one.panel, ledger, orders, setup.now)

    if not servers:
        return ()
    workers = min(setup.most_panels_at_once, len(servers))
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="apply") as pool:
        return tuple(pool.map(apply, servers))


def _server_pass(request: PassRequest, report: PassReport, server: ServerReport) -> ServerPass:
    return replace(server_pass(report, server), is_partial=bool(request.scope.names))


def _judged(
    setup: Setup, request: PassRequest, reader: LedgerReader, ledger: Ledger | None, stack: ExitStack
) -> tuple[PassReport, list[_Server]]:
    started = setup.now()
    judged, seen = _servers(setup, request, reader, ledger, stack)
    reports = tuple(one.report for one in judged)
    alerts = (alert for one in judged if one.judgement is not None for alert in one.judgement.alerts)
    report = PassReport(
        run_id=setup.new_run_id(),
        mode=request.mode(setup.mode),
        is_dry_run=True,
        started=started,
        finished=setup.now(),
        plan=plan_of(reports),
        servers=reports,
        alerts=(*unsettled_alerts(reader), *alerts, *(alert for one in judged for alert in one.mail_alerts)),
        pause=reader.pause(),
        is_partial=request.scope.is_partial,
        lookups=() if seen is None else seen.vantages,
        unmatched=None if seen is None else seen.unmatched,
    )
    return replace(report, alerts=gravest_first((*paused_alerts(report), *report.alerts))), judged


def _servers(
    setup: Setup, request: PassRequest, reader: LedgerReader, ledger: Ledger | None, stack: ExitStack
) -> tuple[list[_Server], Sighted | None]:
    """Look at each server and judge it, one that fails is there with its error; and tell what one of them saw."""
    chosen = [one for one in setup.servers if not request.scope.servers or one.name in request.scope.servers]
    read = read_inventories(chosen, stack, at_once=setup.most_panels_at_once)
    now = setup.now()  # a panel may take long, and nothing was seen of public DNS before it has answered
    _stop_if_asked(request)
    answered = {
        one.name: Answered(server=one, panel=found[0], inventory=found[1], histories=reader.histories(one.name))
        for one in chosen
        if not isinstance(found := read[one.name], ServerError)
    }
    sighted = look(
        list(answered.values()),
        setup.public_view,
        setup.providers,
        request.scope,
        rotation=reader.run_count(),
        progress=request.progress,
        is_kept=ledger is not None,
    )
    _stop_if_asked(request)
    judged = []
    for one in chosen:
        if isinstance(failure := read[one.name], ServerError):
            judged.append(_Server(panel=None, judgement=None, report=_failed(one, failure)))
        else:
            judged.append(
                _server(setup, request, reader, ledger, one=answered[one.name], sighted=sighted[one.name], now=now)
            )
    # What is counted is counted over the whole sweep, so every server's is the same.
    return judged, next(iter(sighted.values()), None)


def _server(
    setup: Setup,
    request: PassRequest,
    reader: LedgerReader,
    ledger: Ledger | None,
    *,
    one: Answered,
    sighted: Sighted,
    now: datetime,
) -> _Server:
    """Look into a server's mail log and judge its names."""
    log, evidence = None, one.server.evidence
    if one.server.mail_log is not None:
        log = look_into_log(
            one.server.mail_log, one.inventory, sighted.identity, one.histories, reader=reader, ledger=ledger, now=now
        )
        evidence = replace(log, is_thorough=request.scope.is_thorough)
    verdict = judge(_case(setup, request, reader, one=one, sighted=sighted, evidence=evidence, now=now))
    mail_alerts = () if log is None else log.alerts()
    return _Server(panel=one.panel, judgement=verdict, report=verdict.report, mail_alerts=mail_alerts)


def _stop_if_asked(request: PassRequest) -> None:
    if request.is_stopping():
        raise Stopped("the pass was stopped while it only looked: nothing was recorded or changed")


def _case(
    setup: Setup,
    request: PassRequest,
    reader: LedgerReader,
    *,
    one: Answered,
    sighted: Sighted,
    evidence: EvidenceSource,
    now: datetime,
) -> ServerCase:
    skips = request.skips()
    return ServerCase(
        inventory=one.inventory,
        identity=sighted.identity,
        policy=replace(one.server.policy, mode=request.mode(setup.mode)),
        configured_mode=request.mode(setup.mode),
        findings=sighted.findings,
        histories=one.histories,
        state=reader.server_state(one.server.name),
        pins=reader.pins(),
        approvals=reader.approvals(),
        changes=reader.changes(server=one.server.name, since=skips.earliest(now, APPROVAL_LIFE)),
        vantages=sighted.vantages,
        evidence=evidence.evidence,
        own_opinions=own_opinions(one, sighted, setup.providers),
        now=now,
        doubt=sighted.doubt,
        is_partial=bool(request.scope.names),
        is_thorough=request.scope.is_thorough,
        is_reviewed=request.reviewed is not None,
        skips=skips,
    )


def _failed(server: ManagedServer, error: ServerError) -> ServerReport:
    return ServerReport(
        name=server.name, panel=server.panel_kind, version=None, platform=Platform.UNKNOWN, addresses=(), domains=(),
        error=error,
    )  # fmt: skip
