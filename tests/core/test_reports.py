"""From the names of a pass to its plan and its summary."""

from __future__ import annotations

import pytest

from mailswitch.core.domain import Kind, Switch
from mailswitch.core.ledger import Guard
from mailswitch.core.limits import Refusal
from mailswitch.core.plan import Plan, PlannedChange
from mailswitch.core.policy import Route
from mailswitch.core.reports import DomainOutcome, DomainReport, Summary, plan_of, planned_change, summary_of
from mailswitch.core.table import Verdict
from tests.support.builders import a_decision, a_domain, a_finding, a_server, an_entry, an_exchange

REFUSAL = Refusal(server="web01", code="limits.changes", text="too many")


def named(entries: tuple[PlannedChange, ...]) -> list[str]:
    return [f"{entry.server} {entry.name} {entry.switch_to}" for entry in entries]


def turned_on(name: str) -> DomainReport:
    return an_entry(
        domain=a_domain(name, switch=Switch.OFF),
        finding=a_finding(Route.HERE),
        decision=a_decision(Verdict.TURN_ON),
    )


def test_a_plan_has_what_is_done_now_and_what_a_review_adds() -> None:
    server = a_server(
        an_entry("z.example"),
        an_entry("held.example", decision=a_decision(holding=(Guard.UNCONFIRMED,))),
        an_entry("pinned.example", decision=a_decision(holding=(Guard.PINNED, Guard.UNCONFIRMED))),
        an_entry("kept.example", decision=a_decision(Verdict.KEEP)),
        an_entry("unsure.example", decision=a_decision(Verdict.HOLD)),
        turned_on("back.example"),
    )

    plan = plan_of((server,))

    assert named(plan.changes) == ["web01 back.example on", "web01 z.example off"]
    assert named(plan.on_review) == ["web01 held.example off"]


def test_what_a_limit_refuses_is_left_to_a_review_but_for_turn_ons_and_names_nobody_may_host() -> None:
    server = a_server(
        an_entry("moved.example"),
        an_entry("never.example", is_never_local=True),
        turned_on("back.example"),
        refusal=REFUSAL,
    )

    plan = plan_of((server,))

    assert named(plan.changes) == ["web01 back.example on", "web01 never.example off"]
    assert named(plan.on_review) == ["web01 moved.example off"]


def test_a_limit_changes_nothing_about_the_digest() -> None:
    entries = (an_entry("a.example"), an_entry("b.example"))

    assert plan_of((a_server(*entries, refusal=REFUSAL),)).digest == plan_of((a_server(*entries),)).digest


def test_a_plan_covers_every_server_in_one_order() -> None:
    one, two = a_server(an_entry("a.example"), name="web01"), a_server(an_entry("a.example"), name="web02")

    assert plan_of((one, two)) == plan_of((two, one))
    assert named(plan_of((two, one)).changes) == ["web01 a.example off", "web02 a.example off"]


def test_a_pass_without_changes_has_an_empty_plan() -> None:
    assert plan_of((a_server(an_entry(decision=a_decision(Verdict.KEEP))),)) == Plan()
    assert plan_of(()) == Plan()


@pytest.mark.parametrize("kind", Kind)
def test_a_planned_change_is_bound_to_what_was_seen(kind: Kind) -> None:
    finding = a_finding(exchanges=(an_exchange("b.example"), an_exchange("a.example"), an_exchange("b.example")))

    change = planned_change("web01", an_entry(domain=a_domain(kind=kind), finding=finding))

    assert (change.kind, change.switch_from, change.switch_to) == (kind, Switch.ON, Switch.OFF)
    assert [str(exchange) for exchange in change.exchanges] == ["a.example", "b.example"]


def test_a_summary_counts_names_by_decision_and_outcome_over_all_servers() -> None:
    first = a_server(
        an_entry("a.example", outcome=DomainOutcome.DONE),
        an_entry("b.example", outcome=DomainOutcome.FAILED),
        an_entry("c.example", outcome=DomainOutcome.REFUSED),
        an_entry("d.example", decision=a_decision(holding=(Guard.UNCONFIRMED,))),
    )
    second = a_server(turned_on("e.example"), an_entry("f.example", decision=a_decision(Verdict.KEEP)), name="web02")

    assert summary_of((first, second)) == Summary(
        domains=6, keep=1, hold=1, turn_off=3, turn_on=1, on_review=1, done=1, failed=1
    )


def test_a_summary_of_nothing_is_nothing() -> None:
    assert summary_of(()) == Summary()
