"""One server's part of a pass, from inventory and findings to decisions, refusals and what is remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from itertools import product

import pytest

from mailswitch.core.domain import HostedDomain, Inventory, Kind, Platform, ServerAddress, ServerIdentity, Switch
from mailswitch.core.evidence import Evidence, MailLog, NoEvidence
from mailswitch.core.judge import ServerCase, judge, needs_every_opinion, tendency
from mailswitch.core.ledger import Actor, Change, Claim, DomainHistory, Guard, Outcome, ServerState
from mailswitch.core.limits import Refusal, VantageFailures
from mailswitch.core.mx import address
from mailswitch.core.names import DomainName
from mailswitch.core.policy import HERE_ROUTES, Limits, Mode, Policy, Route, UnknownProvider
from mailswitch.core.quorum import Finding
from mailswitch.core.reports import DomainReport, plan_of
from mailswitch.core.table import Verdict
from tests.support.builders import (
    NOW,
    a_change,
    a_domain,
    a_finding,
    a_history,
    a_pin,
    an_approval,
    an_opinion,
)

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
HERE = a_domain("here.example")
MOVED = a_domain("moved.example")
STATE = ServerState(
    server="web01", first_pass=NOW - 30 * DAY, last_pass=NOW - HOUR, inventory_size=2, smaller_since=None
)
ENFORCE = Policy(mode=Mode.ENFORCE)


def a_server_case(
    *domains: HostedDomain,
    findings: Mapping[str, Finding] | None = None,
    histories: Mapping[str, DomainHistory] | None = None,
    **more: object,
) -> ServerCase:
    """Return a pass in which one name is here and the others moved long ago; mappings and ``more`` replace."""
    hosted = (HERE, *(domains or (MOVED,)))
    usual = ServerCase(
        inventory=Inventory(
            server="web01",
            panel="xml-api",
            version="18.0.61",
            platform=Platform.LINUX,
            host_name=None,
            addresses=(),
            domains=hosted,
        ),
        identity=ServerIdentity(
            addresses=frozenset({address("203.0.113.10"), address("2001:db8::10")}),
            networks=(ip_network("192.0.2.0/28"),),
        ),
        policy=ENFORCE,
        configured_mode=Mode.ENFORCE,
        findings={
            domain.name: (findings or {}).get(
                domain.name.text, a_finding(Route.HERE if domain is HERE else Route.ELSEWHERE)
            )
            for domain in hosted
        },
        histories={
            domain.name: (histories or {}).get(
                domain.name.text,
                a_history(route=Route.HERE, was_here=True, sightings=0) if domain is HERE else a_history(),
            )
            for domain in hosted
        },
        state=replace(STATE, inventory_size=len(hosted)),
        pins=(),
        approvals=(),
        changes=(),
        vantages=(),
        evidence=lambda _: NoEvidence("no mail log is read"),
        now=NOW,
    )
    return replace(usual, **more)  # type: ignore[arg-type]  # the fields are as many as their types


def entry_of(case: ServerCase, name: str = "moved.example") -> DomainReport:
    (entry,) = [entry for entry in judge(case).report.domains if entry.domain.name.text == name]
    return entry


def many(number: int) -> tuple[HostedDomain, ...]:
    return tuple(a_domain(f"d{one:03}.example") for one in range(number))


# --- decisions ------------------------------------------------------------------------------------


def test_each_name_looked_at_is_decided_about_in_order() -> None:
    report = judge(a_server_case()).report

    assert [(str(entry.domain.name), entry.decision.verdict) for entry in report.domains] == [
        ("here.example", Verdict.KEEP),
        ("moved.example", Verdict.TURN_OFF),
    ]
    assert report.addresses == ("203.0.113.10", "2001:db8::10", "192.0.2.0/28")
    assert (report.error, report.refusal, report.version) == (None, None, "18.0.61")


def test_names_that_were_not_looked_at_are_left_out() -> None:
    case = a_server_case(is_partial=True)

    report = judge(replace(case, findings={MOVED.name: a_finding()})).report

    assert [str(entry.domain.name) for entry in report.domains] == ["moved.example"]


def test_the_order_of_the_inventory_does_not_matter() -> None:
    case = a_server_case(*many(3))
    inventory = replace(case.inventory, domains=tuple(reversed(case.inventory.domains)))

    assert judge(replace(case, inventory=inventory)) == judge(case)


def test_a_domain_is_not_turned_off_in_the_pass_that_turns_its_alias_on_again() -> None:
    alias = a_domain("alias.example", kind=Kind.ALIAS, parent="moved.example", switch=Switch.OFF)
    findings = {"alias.example": a_finding(Route.GATEWAY)}
    off_by_us, off_by_others = a_history(claim=Claim.OURS), a_history(claim=Claim.NONE)

    ours = entry_of(a_server_case(MOVED, alias, findings=findings, histories={"alias.example": off_by_us}))
    theirs = entry_of(a_server_case(MOVED, alias, findings=findings, histories={"alias.example": off_by_others}))

    assert ours.decision.holding == (Guard.NEEDED_BY_ALIAS,)
    assert theirs.decision.verdict is Verdict.TURN_OFF


def test_an_approval_is_spent_by_the_turn_off_it_was_given_for() -> None:
    approval = an_approval(despite=frozenset(Guard))
    back_on = {"moved.example": a_history(claim=Claim.RE_ENABLED)}
    turned = a_change(intended_at=NOW - timedelta(hours=6), finished_at=NOW - timedelta(hours=6))
    other = replace(turned, name=DomainName("other.example"))
    approve = replace(ENFORCE, mode=Mode.APPROVE)

    fresh = entry_of(a_server_case(approvals=(approval,), histories=back_on, policy=approve, changes=(other,)))
    spent = entry_of(a_server_case(approvals=(approval,), histories=back_on, policy=approve, changes=(turned,)))

    assert fresh.decision.verdict is Verdict.TURN_OFF
    assert spent.decision.holding == (Guard.RE_ENABLED, Guard.APPROVAL)


def test_pins_approvals_turns_and_evidence_reach_the_decision() -> None:
    def a_log(_: HostedDomain) -> Evidence:
        return MailLog(covers=7 * DAY)

    unconfirmed = {"moved.example": a_history(sightings=1)}
    approval = an_approval(despite=frozenset({Guard.UNCONFIRMED}))
    turns = (a_change(id=1, intended_at=NOW - DAY, finished_at=None), a_change(id=2, intended_at=NOW - 2 * DAY))
    failed = tuple(replace(change, outcome=Outcome.FAILED) for change in turns)
    unknown = {"moved.example": a_finding(provider=None)}

    assert entry_of(a_server_case(pins=(a_pin(),))).decision.holding == (Guard.PINNED,)
    assert entry_of(a_server_case(histories=unconfirmed)).decision.holding == (Guard.UNCONFIRMED,)
    lifted = a_server_case(histories=unconfirmed, approvals=(replace(approval, server="web02"), approval))
    assert entry_of(lifted).decision.verdict is Verdict.TURN_OFF
    other_server = a_server_case(histories=unconfirmed, approvals=(replace(approval, server="web02"),))
    assert entry_of(other_server).decision.holding == (Guard.UNCONFIRMED,)
    assert entry_of(a_server_case(changes=turns)).decision.holding == (Guard.FLAPPING,)
    assert entry_of(a_server_case(changes=failed)).decision.verdict is Verdict.TURN_OFF
    assert entry_of(a_server_case(findings=unknown)).decision.holding == (Guard.UNKNOWN_PROVIDER,)
    assert entry_of(a_server_case(findings=unknown, evidence=a_log)).decision.verdict is Verdict.TURN_OFF


@pytest.mark.parametrize(("is_looked_at", "route"), [(True, Route.HERE), (False, Route.UNKNOWN)])
def test_an_alias_reaches_the_decision_about_its_domain(is_looked_at: bool, route: Route) -> None:
    alias = a_domain("alias.example", kind=Kind.ALIAS, parent="moved.example")
    case = a_server_case(MOVED, alias, findings={"alias.example": a_finding(route)})
    findings = {name: one for name, one in case.findings.items() if is_looked_at or name != alias.name}

    assert entry_of(replace(case, findings=findings)).decision.holding == (Guard.NEEDED_BY_ALIAS,)


def test_an_alias_without_a_domain_is_judged_by_itself() -> None:
    orphan = a_domain("alias.example", kind=Kind.ALIAS)

    assert entry_of(a_server_case(orphan), "alias.example").decision.verdict is Verdict.TURN_OFF


def test_names_nobody_may_host_are_marked_and_raise_an_alert() -> None:
    case = a_server_case(policy=replace(ENFORCE, never_local=frozenset({MOVED.name})))

    assert entry_of(case).is_never_local
    assert [alert.code for alert in judge(case).alerts] == ["never-local"]


def test_alerts_go_by_the_mode_that_is_written_down() -> None:
    off = replace(MOVED, switch=Switch.OFF)
    ours = {"moved.example": a_history(claim=Claim.OURS, claim_route=Route.ELSEWHERE)}
    case = a_server_case(off, histories=ours)

    assert judge(case).alerts == ()
    assert [alert.code for alert in judge(replace(case, configured_mode=Mode.REPORT)).alerts] == ["unwatched"]


# --- what is remembered ---------------------------------------------------------------------------


def test_only_names_whose_row_changed_are_remembered() -> None:
    histories = {"moved.example": a_history(sightings=1, last_sighting=NOW - HOUR, credited=timedelta(0))}

    judged = judge(a_server_case(histories=histories))

    assert list(judged.histories) == [MOVED.name]
    assert judged.histories[MOVED.name].sightings == 2
    assert entry_of(a_server_case(histories=histories)).history == judged.histories[MOVED.name]


def test_a_new_name_is_remembered_and_the_first_pass_known() -> None:
    judged = judge(replace(a_server_case(), histories={}, state=None))

    assert set(judged.histories) == {HERE.name, MOVED.name}
    assert all(history.is_from_first_pass for history in judged.histories.values())
    assert (judged.state.first_pass, judged.state.inventory_size) == (NOW, 2)


GONE = {DomainName("gone.example"): a_history(claim=Claim.OURS)}


def test_a_switch_of_a_name_that_is_hosted_no_more_is_ours_for_another_day() -> None:
    case = a_server_case()
    (name,) = GONE

    first = judge(replace(case, histories={**case.histories, **GONE})).histories[name]
    known = {**case.histories, name: first}
    before = judge(replace(case, histories=known, now=NOW + 23 * HOUR)).histories
    after = judge(replace(case, histories=known, now=NOW + 24 * HOUR)).histories[name]

    assert (first.claim, first.gone_since) == (Claim.OURS, NOW)
    assert name not in before
    assert (after.claim, after.gone_since) == (Claim.NONE, NOW)


def test_since_when_a_name_is_gone_is_remembered_once_and_until_it_is_back() -> None:
    case = a_server_case()
    (name,) = GONE
    gone = judge(replace(case, histories={**case.histories, name: a_history()})).histories[name]
    later = replace(case, now=NOW + 24 * HOUR, histories={**case.histories, name: gone})
    back = replace(case, histories={domain.name: replace(gone, claim=Claim.NONE) for domain in case.inventory.domains})

    assert gone.gone_since == NOW
    assert name not in judge(later).histories
    assert {history.gone_since for history in judge(back).histories.values()} == {None}


def test_a_switch_stays_ours_while_the_inventory_is_not_to_be_relied_on() -> None:
    case = a_server_case()
    case = replace(case, histories={**case.histories, **GONE})

    shrunk = judge(replace(case, state=replace(STATE, inventory_size=100)))
    odd = judge(replace(case, inventory=replace(case.inventory, oddities=("an answer that was not understood",))))

    assert (shrunk.histories, odd.histories) == ({}, {})


# --- refusals of a server -------------------------------------------------------------------------


def test_an_incomplete_ours_holds_every_turn_off_and_no_review_lifts_it() -> None:
    unconfirmed = {"d000.example": a_history(sightings=1)}
    case = a_server_case(*many(2), histories=unconfirmed)
    case = replace(case, inventory=replace(case.inventory, addresses=(ServerAddress(address=address("10.0.0.5")),)))
    case = replace(case, identity=ServerIdentity(addresses=frozenset({address("10.0.0.5")})))

    report = judge(case).report

    assert report.error is not None
    assert report.error.code == "ours-incomplete"
    verdicts = {str(entry.domain.name): entry.decision.verdict for entry in report.domains}
    assert verdicts == {"d000.example": Verdict.HOLD, "d001.example": Verdict.HOLD, "here.example": Verdict.KEEP}
    assert [reason.code for reason in report.domains[0].decision.reasons][:2] == ["elsewhere", "ours-incomplete"]
    plan = plan_of((report,))
    assert (plan.changes, plan.on_review) == ((), ())


def test_a_doubt_from_putting_ours_together_refuses_the_server() -> None:
    doubt = Refusal(server="web01", code="ours-incomplete", text="local.hosts cannot be resolved now")

    report = judge(a_server_case(doubt=doubt)).report

    assert report.error is not None
    assert report.error.text == "local.hosts cannot be resolved now"


def test_five_names_on_and_none_here_refuse_the_server() -> None:
    gone = {"here.example": a_finding()}

    assert judge(a_server_case(*many(3), findings=gone)).report.error is None
    assert judge(a_server_case(*many(4), findings=gone)).report.error is not None


def test_a_look_at_some_names_knows_the_others_from_memory() -> None:
    """Names that are not looked at now count by their remembered route, so that one name alone is no accident."""
    case = a_server_case(*many(5), is_partial=True)
    one = {DomainName("d000.example"): a_finding()}
    forgotten = {name: replace(known, route=None) for name, known in case.histories.items()}
    gone = {**case.histories, HERE.name: a_history()}

    assert judge(replace(case, findings=one)).report.error is None
    assert judge(replace(case, findings=one, histories=gone)).report.error is not None
    assert judge(replace(case, findings=one, histories=forgotten)).report.error is None
    assert judge(replace(case, findings=one, histories={})).report.error is None


# --- limits ---------------------------------------------------------------------------------------


def test_more_turn_offs_than_the_limit_are_left_to_a_review() -> None:
    case = a_server_case(*many(4))

    report = judge(case).report

    assert report.refusal is not None
    assert report.refusal.code == "limits.share"
    assert len(plan_of((report,)).on_review) == 4
    assert judge(replace(case, is_reviewed=True)).report.refusal is None


def test_a_look_at_some_names_has_the_limits_of_the_whole_server() -> None:
    case = a_server_case(*many(4), is_partial=True)
    three = {name: found for name, found in case.findings.items() if name != DomainName("d000.example")}

    refused = judge(case).report.refusal
    assert refused is not None
    assert refused.code == "limits.share"
    assert judge(replace(case, findings=three)).report.refusal is None
    assert judge(replace(case, findings=three, changes=(COUNTED,))).report.refusal is not None


def test_a_look_at_some_names_takes_the_others_for_unknown_as_they_are_remembered() -> None:
    case = a_server_case(*many(3), is_partial=True)
    one = {DomainName("d000.example"): a_finding()}
    silent = {
        name: known if name in one else replace(known, unknown_since=NOW - HOUR)
        for name, known in case.histories.items()
    }

    assert judge(replace(case, findings=one)).report.refusal is None
    refused = judge(replace(case, findings=one, histories=silent)).report.refusal
    assert refused is not None
    assert refused.code == "limits.unknown_share"


def test_names_nobody_may_host_are_not_counted() -> None:
    names = many(4)
    policy = replace(ENFORCE, never_local=frozenset({names[0].name}))

    assert judge(a_server_case(*names, policy=policy)).report.refusal is None


COUNTED = a_change("other.example", intended_at=NOW - 25 * HOUR, finished_at=NOW - 23 * HOUR)


@pytest.mark.parametrize(
    ("change", "is_counted"),
    [
        (COUNTED, True),
        (replace(COUNTED, intended_at=NOW - 23 * HOUR, finished_at=None, outcome=None), True),
        (replace(COUNTED, outcome=Outcome.FAILED), False),
        (replace(COUNTED, actor=Actor.PERSON), False),
        (replace(COUNTED, switch_to=Switch.ON), False),
        (replace(COUNTED, is_reviewed=True), False),
        (replace(COUNTED, is_never_local=True), False),
        (replace(COUNTED, finished_at=NOW - 24 * HOUR), False),
        (replace(COUNTED, intended_at=NOW - 24 * HOUR, finished_at=None, outcome=None), False),
    ],
)
def test_the_rolling_day_counts_our_own_unreviewed_turn_offs(change: Change, is_counted: bool) -> None:
    case = a_server_case(*many(3), changes=(change,))

    assert (judge(case).report.refusal is not None) is is_counted


def test_a_shrunk_inventory_stops_all_turn_offs_and_comes_first() -> None:
    report = judge(a_server_case(*many(4), state=replace(STATE, inventory_size=100))).report

    assert report.refusal is not None
    assert report.refusal.code == "inventory-shrunk"


def test_too_many_unknown_names_stop_all_turn_offs() -> None:
    unknown = {"d000.example": a_finding(Route.UNKNOWN)}

    report = judge(a_server_case(*many(2), findings=unknown)).report

    assert report.refusal is not None
    assert report.refusal.code == "limits.unknown_share"


def test_a_first_pass_is_measured_by_its_vantages() -> None:
    failing = (VantageFailures(name="a", queries=10, failures=3),)
    first = replace(a_server_case(vantages=failing), histories={}, state=None)

    report = judge(first).report

    assert report.refusal is not None
    assert report.refusal.code == "limits.unknown_share"
    generous = replace(ENFORCE, limits=Limits(unknown_share=0.3))
    assert judge(replace(first, policy=generous)).report.refusal is None


# --- who is asked ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "switch", "route", "is_needed"),
    [
        (Claim.OURS, Switch.ON, Route.HERE, True),
        (Claim.OURS, Switch.ON, Route.GATEWAY, False),
        (Claim.OURS, Switch.OFF, Route.HERE, False),
        (Claim.NONE, Switch.ON, Route.HERE, False),
    ],
)
def test_an_alias_that_could_turn_its_domain_on_is_asked_about_by_all(
    claim: Claim, switch: Switch, route: Route, is_needed: bool
) -> None:
    alias = a_domain("alias.example", kind=Kind.ALIAS, switch=switch, parent="moved.example")
    histories = {MOVED.name: a_history(claim=claim)}

    assert needs_every_opinion(alias, an_opinion("a", route), ENFORCE, histories) is is_needed
    assert not needs_every_opinion(alias, an_opinion("a", Route.HERE), ENFORCE, {})
    assert not needs_every_opinion(replace(alias, parent=None), an_opinion("a", Route.HERE), ENFORCE, histories)
    assert not needs_every_opinion(replace(alias, kind=Kind.ADDON), an_opinion("a", Route.HERE), ENFORCE, histories)


def test_a_name_that_could_be_turned_off_is_asked_about_by_all() -> None:
    assert needs_every_opinion(MOVED, an_opinion("a"), ENFORCE, {})
    assert not needs_every_opinion(MOVED, an_opinion("a", Route.GATEWAY), ENFORCE, {})


@pytest.mark.parametrize(("switch", "route"), list(product(Switch, Route)))
def test_only_a_switch_that_is_on_or_off_tends_to_a_change(switch: Switch, route: Route) -> None:
    found = tendency(replace(MOVED, switch=switch), route, ENFORCE, a_history(claim=Claim.OURS))

    grounds = {
        Switch.ON: {Route.ELSEWHERE: Verdict.TURN_OFF},
        Switch.OFF: dict.fromkeys([*HERE_ROUTES, Route.GATEWAY], Verdict.TURN_ON),
    }
    wanted = grounds.get(switch, {}).get(route)
    assert found is wanted if wanted is not None else found in {Verdict.KEEP, Verdict.HOLD}


def test_a_window_instead_of_evidence_reaches_the_decision() -> None:
    policy = replace(ENFORCE, unknown_provider=UnknownProvider.WINDOW)
    case = a_server_case(findings={"moved.example": a_finding(provider=None)}, policy=policy)

    assert entry_of(case).decision.verdict is Verdict.TURN_OFF
