"""Applying one server's part of a plan: turn-ons first, one change after another, each checked again before it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mailswitch.core.domain import target_of
from mailswitch.core.errors import InventoryError
from mailswitch.core.ledger import Actor, Change
from mailswitch.core.plan import Plan
from mailswitch.core.reports import DomainOutcome, DomainReport, ServerReport, planned_change
from mailswitch.core.table import Verdict
from mailswitch.core.words import duration
from mailswitch.service.apply import perform
from mailswitch.service.ports import Ledger, Panel

__all__ = ["Orders", "carry_out", "evidence_of"]

_FAILURES_IN_A_ROW = 3
_LONGEST_PASS = timedelta(hours=6)
"""After that mail may have come back unseen, so nothing more is turned off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What is to be applied, and in whose name."""

    run_id: str
    by: str
    plan: Plan
    began: datetime
    """When the pass did, before it looked."""
    is_reviewed: bool
    """The plan was reviewed: what it has on review is applied too, and no limit stands in front of it."""
    is_stopping: Callable[[], bool] = bool
    """Asked between changes; what is left then is left to the next pass."""


def carry_out(
    report: ServerReport, panel: Panel, ledger: Ledger, orders: Orders, now: Callable[[], datetime]
) -> ServerReport:
    """Apply one server's changes and return its report with the outcomes. Three failures in a row end it."""
    applying = _Applying(report, panel, ledger, orders, now)
    open_names = {change.name for change in ledger.unsettled(report.name)}
    outcomes: dict[tuple[str, str], DomainReport] = {}
    failures = 0
    for entry in _in_order(report, orders):
        if orders.is_stopping():
            break
        if failures >= _FAILURES_IN_A_ROW:
            done = _refused(entry, "not tried: three changes in a row failed on this server")
        elif entry.domain.name in open_names:
            done = _refused(entry, "not tried: an earlier change of it is not settled yet")
        elif report.refusal is not None and _is_limited(entry, orders):
            done = _refused(entry, f"{report.refusal.text}; {_passing(orders.plan)}")
        else:
            done = applying.turned(entry)
            failures = failures + 1 if done.outcome is DomainOutcome.FAILED else 0
        outcomes[_key(entry)] = done
    return replace(report, domains=tuple(outcomes.get(_key(entry), entry) for entry in report.domains))


def _key(entry: DomainReport) -> tuple[str, str]:
    return entry.domain.kind, entry.domain.panel_id


def _in_order(report: ServerReport, orders: Orders) -> list[DomainReport]:
    """Return what is to be applied: mail that is being refused first."""
    on = [entry for entry in report.domains if entry.decision.verdict is Verdict.TURN_ON]
    reviewed = [_lifted(entry) if orders.is_reviewed else entry for entry in report.domains]
    off = [entry for entry in reviewed if entry.decision.verdict is Verdict.TURN_OFF]
    return on + off


def _lifted(entry: DomainReport) -> DomainReport:
    """Return what a review makes of a name that only such guards hold as a review lifts."""
    if not entry.decision.is_on_review:
        return entry
    return replace(entry, decision=replace(entry.decision, verdict=Verdict.TURN_OFF, is_on_review=False, holding=()))


def _is_limited(entry: DomainReport, orders: Orders) -> bool:
    return not (orders.is_reviewed or entry.is_never_local or entry.decision.verdict is Verdict.TURN_ON)


def _passing(plan: Plan) -> str:
    return f"once you have read mailswitch report, this applies it: mailswitch once --apply --plan {plan.digest}"


def _refused(entry: DomainReport, why: str) -> DomainReport:
    return replace(entry, outcome=DomainOutcome.REFUSED, error=why)


@dataclass(frozen=True, slots=True)
class _Applying:
    """What every change of one server in one pass is made with."""

    report: ServerReport
    panel: Panel
    ledger: Ledger
    orders: Orders
    now: Callable[[], datetime]

    def turned(self, entry: DomainReport) -> DomainReport:
        """Make one change, after asking once more what may have changed since the inventory was read."""
        stop = self._second_thoughts(entry)
        if stop is not None:
            return stop
        attempt = perform(self.ledger, self.panel, self._change(entry), self.now)
        outcome = DomainOutcome.DONE if attempt.is_done else DomainOutcome.FAILED
        return replace(entry, outcome=outcome, error=attempt.change.error)

    def _change(self, entry: DomainReport) -> Change:
        planned = planned_change(self.report.name, entry)
        return Change(
            id=None,
            run_id=self.orders.run_id,
            server=self.report.name,
            name=planned.name,
            kind=planned.kind,
            panel_id=entry.domain.panel_id,
            switch_from=planned.switch_from,
            switch_to=planned.switch_to,
            actor=Actor.MAILSWITCH,
            by=self.orders.by,
            reason="; ".join(f"{reason.code}: {reason.text}" for reason in entry.decision.reasons),
            route=planned.route,
            exchanges=planned.exchanges,
            evidence=evidence_of(entry),
            is_reviewed=self.orders.is_reviewed,
            is_never_local=entry.is_never_local,
            reverts=None,
            intended_at=self.now(),
        )

    def _second_thoughts(self, entry: DomainReport) -> DomainReport | None:
        """Return the entry as refused or failed where a pause, a pin or somebody at the panel came in between."""
        unwanted = self._unwanted(entry)
        if unwanted is not None:
            return unwanted
        try:
            stands = self.panel.read_switch(target_of(entry.domain))
        except InventoryError as error:
            if error.code == "gone":
                return _refused(entry, f"it is no longer there: {error}")
            why = f"not turned, it could not be read first: {error}"
            return replace(entry, outcome=DomainOutcome.FAILED, error=why)
        if stands is not entry.domain.switch:
            return _refused(entry, f"somebody changed it meanwhile: the switch is {stands} now")
        # Asked again, for the panel may have taken minutes to answer.
        return self._unwanted(entry)

    def _unwanted(self, entry: DomainReport) -> DomainReport | None:
        if self.ledger.pause() is not None:
            return _refused(entry, "all changes were paused meanwhile")
        at = self.now()
        live = [pin for pin in self.ledger.pins() if pin.until is None or pin.until > at]
        if entry.decision.verdict is Verdict.TURN_ON:
            return None
        if (lasting := at - self.orders.began) > _LONGEST_PASS:
            return _refused(entry, f"not tried: the pass began {duration(lasting)} ago; the next one looks again first")
        if any(pin.pattern.matches(entry.domain.name) for pin in live):
            return _refused(entry, "it was pinned meanwhile")
        return None


def evidence_of(entry: DomainReport) -> str:
    """Return a change's evidence as a JSON object: each vantage's view, the exchanges, the reasons."""
    finding = entry.finding
    document: Mapping[str, object] = {
        "route": finding.route,
        "provider": finding.provider,
        "mx": [
            {
                "preference": seen.preference,
                "exchange": seen.exchange.text,
                "addresses": [str(address) for address in seen.addresses],
            }
            for seen in finding.exchanges
        ],
        "vantages": [
            {"vantage": one.vantage.name, "operator": one.vantage.operator, "route": one.route, "because": one.because}
            for one in finding.opinions
        ],
        "sightings": entry.history.sightings,
        "reasons": [{"code": str(reason.code), "text": reason.text} for reason in entry.decision.reasons],
    }
    return json.dumps(document, ensure_ascii=True, sort_keys=True)
