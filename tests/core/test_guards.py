"""Each guard of design.md section 5 alone, at its boundaries, and what lifts it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from ipaddress import ip_network

import pytest

from mailswitch.core.decide import Case, Decision, Panel, decide
from mailswitch.core.domain import Kind, Platform, Switch
from mailswitch.core.evidence import Deliveries, MailLog, NoEvidence
from mailswitch.core.guards import GUARDS
from mailswitch.core.history import caching_time
from mailswitch.core.ledger import Approval, Claim, Guard
from mailswitch.core.names import DomainName
from mailswitch.core.policy import HERE_ROUTES, Action, Confirmation, Mode, Policy, Route, UnknownProvider
from mailswitch.core.table import Verdict
from tests.support.builders import (
    NOW,
    a_case,
    a_domain,
    a_finding,
    a_history,
    a_pin,
    an_approval,
    an_exchange,
    an_opinion,
)

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ENFORCE = Policy(mode=Mode.ENFORCE)
UNKNOWN_HOST = a_finding(provider=None)


def with_alias(route: Route, switch: Switch = Switch.ON, *, is_seen_here: bool | None = None) -> Case:
    alias = a_domain("alias.example", kind=Kind.ALIAS, switch=switch, parent="moved.example")
    return a_case(aliases=((alias, a_finding(route, is_seen_here=is_seen_here)),))


def deliveries(messages: int, *, ago: timedelta = HOUR, network: str = "198.51.100.0/24") -> Deliveries:
    last = NOW - ago
    return Deliveries(day=last.date(), network=ip_network(network), messages=messages, last=last)


def a_log(*outside: Deliveries, covers: timedelta = 7 * DAY) -> MailLog:
    return MailLog(covers=covers, outside=outside)


RELAYED = a_log(deliveries(2), deliveries(1, ago=2 * DAY))

ALONE: dict[Guard, Case] = {
    Guard.NOT_MANAGED: a_case(a_domain(switch=Switch.NOT_CONFIGURED)),
    Guard.PINNED: a_case(pins=(a_pin(),)),
    Guard.SUSPENDED: a_case(a_domain(is_suspended=True)),
    Guard.STOPS_SENDING: a_case(panel=Panel(version="18.0.50", platform=Platform.LINUX)),
    Guard.NEEDED_BY_ALIAS: with_alias(Route.HERE),
    Guard.OWN_RESOLVER: a_case(own_opinions=(an_opinion("127.0.0.1", Route.HERE),)),
    Guard.STILL_RECEIVING: a_case(evidence=RELAYED),
    Guard.UNKNOWN_PROVIDER: a_case(finding=UNKNOWN_HOST),
    Guard.UNCONFIRMED: a_case(history=a_history(sightings=2)),
    Guard.ARRIVING: a_case(a_domain(created=NOW - 3 * DAY)),
    Guard.RE_ENABLED: a_case(history=a_history(claim=Claim.RE_ENABLED)),
    Guard.FLAPPING: a_case(turned_at=(NOW - DAY, NOW - 2 * DAY)),
    Guard.APPROVAL: a_case(policy=Policy(mode=Mode.APPROVE)),
}
"""For each guard a case that nothing else holds."""


def codes(decision: Decision) -> list[str]:
    return [reason.code for reason in decision.reasons]


def holds(case: Case, guard: Guard) -> bool:
    """Return whether exactly this guard holds; fail if any other does."""
    decision = decide(case)
    assert decision.holding in {(), (guard,)}
    assert decision.verdict is (Verdict.HOLD if decision.holding else Verdict.TURN_OFF)
    return decision.holding == (guard,)


# --- all of them ----------------------------------------------------------------------------------


def test_nothing_holds_the_usual_case() -> None:
    decision = decide(a_case())

    assert (decision.verdict, decision.holding, decision.is_on_review) == (Verdict.TURN_OFF, (), False)
    assert (decision.is_confirmed, decision.due, codes(decision)) == (True, None, ["elsewhere"])


@pytest.mark.parametrize("guard", Guard)
def test_each_guard_alone_holds_and_is_named(guard: Guard) -> None:
    decision = decide(ALONE[guard])

    assert (decision.verdict, decision.holding) == (Verdict.HOLD, (guard,))
    assert codes(decision) == ["elsewhere", guard]
    assert len(decision.reasons[1].text) > 10


@pytest.mark.parametrize("guard", Guard)
def test_a_review_is_offered_for_guards_that_it_lifts_and_no_others(guard: Guard) -> None:
    assert decide(ALONE[guard]).is_on_review is guard.is_liftable


@pytest.mark.parametrize("guard", [guard for guard in Guard if guard.is_liftable])
def test_an_approval_despite_the_guard_lifts_it_and_says_so(guard: Guard) -> None:
    decision = decide(replace(ALONE[guard], approval=an_approval(despite=frozenset({guard}))))

    assert (decision.verdict, decision.holding) == (Verdict.TURN_OFF, ())
    assert decision.reasons[1].code == guard
    assert "lifted by the approval of alice" in decision.reasons[1].text


@pytest.mark.parametrize("guard", [guard for guard in Guard if guard.is_liftable and guard is not Guard.APPROVAL])
def test_an_approval_lifts_no_guard_that_it_does_not_name(guard: Guard) -> None:
    others = frozenset(Guard) - {guard}

    assert decide(replace(ALONE[guard], approval=an_approval(despite=others))).holding == (guard,)


@pytest.mark.parametrize("guard", [guard for guard in Guard if not guard.is_liftable])
def test_nothing_lifts_the_six_guards_that_are_never_lifted(guard: Guard) -> None:
    everything = an_approval(despite=frozenset(Guard))

    decision = decide(replace(ALONE[guard], approval=everything))

    assert (decision.holding, decision.is_on_review) == ((guard,), False)


def test_guards_are_asked_in_the_order_of_the_design() -> None:
    assert [guard for guard, _ in GUARDS] == list(Guard)


def test_all_guards_at_once_are_named_in_their_order_and_no_review_lifts_them() -> None:
    case = a_case(
        a_domain(switch=Switch.UNKNOWN, is_suspended=True, created=NOW),
        UNKNOWN_HOST,
        history=a_history(claim=Claim.RE_ENABLED, sightings=1),
        policy=Policy(mode=Mode.APPROVE),
        panel=Panel(version=None, platform=Platform.LINUX),
        evidence=RELAYED,
        aliases=with_alias(Route.HERE).aliases,
        own_opinions=ALONE[Guard.OWN_RESOLVER].own_opinions,
        pins=(a_pin(),),
        turned_at=(NOW, NOW),
    )

    decision = decide(case)

    assert decision.holding == tuple(Guard)
    assert codes(decision) == ["elsewhere", *Guard]
    assert not decision.is_on_review


def test_a_guard_no_review_lifts_keeps_the_others_off_review() -> None:
    decision = decide(replace(ALONE[Guard.UNCONFIRMED], pins=(a_pin(),)))

    assert (decision.holding, decision.is_on_review) == ((Guard.PINNED, Guard.UNCONFIRMED), False)


# --- not-managed, pinned, suspended ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["*.moved.example", "_dmarc.moved.example", "moved_.example"])
def test_guard_not_managed_holds_wildcard_and_underscore_names(name: str) -> None:
    decision = decide(a_case(a_domain(name)))

    assert decision.holding == (Guard.NOT_MANAGED,)


@pytest.mark.parametrize("switch", [Switch.NOT_CONFIGURED, Switch.UNKNOWN])
def test_guard_not_managed_holds_switches_that_are_neither_on_nor_off(switch: Switch) -> None:
    assert holds(a_case(a_domain(switch=switch)), Guard.NOT_MANAGED)


@pytest.mark.parametrize(
    ("pattern", "name", "is_held"),
    [
        ("moved.example", "moved.example", True),
        ("MOVED.example.", "moved.example", True),
        ("*.example", "moved.example", True),
        ("*.moved.example", "moved.example", False),
        ("*.moved.example", "shop.moved.example", True),
        ("other.example", "moved.example", False),
    ],
)
def test_guard_pinned_holds_names_and_patterns(pattern: str, name: str, is_held: bool) -> None:
    assert holds(a_case(a_domain(name), pins=(a_pin(pattern),)), Guard.PINNED) is is_held


@pytest.mark.parametrize(("until", "is_held"), [(NOW + HOUR, True), (NOW, False), (NOW - HOUR, False)])
def test_guard_pinned_ends_with_the_pin(until: datetime, is_held: bool) -> None:
    assert holds(a_case(pins=(a_pin(until=until),)), Guard.PINNED) is is_held


def test_guard_pinned_tells_who_why_and_until_when() -> None:
    text = decide(a_case(pins=(a_pin("other.example"), a_pin(until=NOW + DAY)))).reasons[1].text

    assert text == "pinned as moved.example by alice until 2026-03-02 12:00 UTC: the customer asked"


# --- stops-sending --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "platform", "is_held"),
    [
        ("18.0.50", Platform.LINUX, True),
        ("18.0.51", Platform.LINUX, False),
        ("18.0.51.1", Platform.LINUX, False),
        ("18.0.61 Update #2", Platform.LINUX, False),
        ("18.1.0", Platform.LINUX, False),
        ("18.0.9", Platform.LINUX, True),
        ("18.0", Platform.LINUX, True),
        ("17.8.11", Platform.LINUX, True),
        ("19", Platform.LINUX, True),
        ("Obsidian", Platform.LINUX, True),
        ("18.0.x", Platform.LINUX, True),
        ("18.0.51-rc1", Platform.LINUX, True),
        ("99999999999.0.1", Platform.LINUX, True),
        ("18.0.\u0666\u0661", Platform.LINUX, True),
        ("18..61", Platform.LINUX, True),
        ("", Platform.LINUX, True),
        (" ", Platform.LINUX, True),
        (None, Platform.LINUX, True),
        ("18.0.61", Platform.WINDOWS, True),
        ("18.0.61", Platform.UNKNOWN, True),
    ],
)
def test_guard_stops_sending_by_version_and_platform(version: str | None, platform: Platform, is_held: bool) -> None:
    panel = Panel(version=version, platform=platform)

    assert holds(a_case(panel=panel), Guard.STOPS_SENDING) is is_held
    assert not holds(a_case(panel=panel, policy=replace(ENFORCE, is_full_off_accepted=True)), Guard.STOPS_SENDING)


@pytest.mark.parametrize(("since", "is_held"), [((18, 0, 40), False), ((18, 0, 60), True)])
def test_guard_stops_sending_knows_the_first_version_from_the_settings(since: tuple[int, ...], is_held: bool) -> None:
    panel = Panel(version="18.0.50", platform=Platform.LINUX)

    assert (
        holds(a_case(panel=panel, policy=replace(ENFORCE, incoming_only_since=since)), Guard.STOPS_SENDING) is is_held
    )


# --- needed-by-alias ------------------------------------------------------------------------------


@pytest.mark.parametrize("route", Route)
def test_guard_needed_by_alias_holds_wherever_its_mail_may_come_here(route: Route) -> None:
    may_come_here = route in HERE_ROUTES | {Route.GATEWAY, Route.UNKNOWN}

    assert holds(with_alias(route), Guard.NEEDED_BY_ALIAS) is may_come_here


@pytest.mark.parametrize(
    ("switch", "is_held"),
    [(Switch.ON, True), (Switch.UNKNOWN, True), (Switch.OFF, False), (Switch.NOT_CONFIGURED, False)],
)
def test_guard_needed_by_alias_holds_only_for_an_alias_with_mail_on(switch: Switch, is_held: bool) -> None:
    assert holds(with_alias(Route.HERE, switch), Guard.NEEDED_BY_ALIAS) is is_held


def test_guard_needed_by_alias_holds_if_any_vantage_sees_the_alias_here() -> None:
    assert holds(with_alias(Route.GATEWAY, is_seen_here=True), Guard.NEEDED_BY_ALIAS)
    assert holds(with_alias(Route.ELSEWHERE, is_seen_here=True), Guard.NEEDED_BY_ALIAS)


def test_guard_needed_by_alias_looks_at_every_alias() -> None:
    aliases = (*with_alias(Route.ELSEWHERE).aliases, *with_alias(Route.HERE).aliases)

    assert holds(a_case(aliases=aliases), Guard.NEEDED_BY_ALIAS)


# --- still-receiving ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outside", "is_held"),
    [
        ((deliveries(2), deliveries(1, ago=2 * DAY)), True),
        ((deliveries(1), deliveries(1, ago=2 * DAY)), False),
        ((deliveries(30),), False),
        ((deliveries(2), deliveries(2)), False),
        ((deliveries(2), deliveries(1, ago=2 * DAY, network="192.0.2.0/24")), False),
        ((deliveries(2), deliveries(1, ago=7 * DAY)), True),
        ((deliveries(2), deliveries(1, ago=7 * DAY + HOUR)), False),
        (
            (deliveries(2, network="2001:db8:1::/48"), deliveries(1, ago=DAY, network="2001:db8:1::/48")),
            True,
        ),
        ((), False),
    ],
)
def test_guard_still_receiving_at_three_messages_on_two_days_from_one_network(
    outside: tuple[Deliveries, ...], is_held: bool
) -> None:
    assert holds(a_case(evidence=a_log(*outside)), Guard.STILL_RECEIVING) is is_held


def test_guard_still_receiving_tells_from_where_and_when() -> None:
    text = decide(a_case(evidence=RELAYED)).reasons[1].text

    assert "3 messages from 198.51.100.0/24 in 7 days, the last 1 h ago" in text


@pytest.mark.parametrize(("left", "is_held"), [(5 * DAY, True), (3 * DAY + 2 * HOUR, True), (2 * DAY, False)])
def test_guard_still_receiving_leaves_out_what_came_before_senders_could_know(left: timedelta, is_held: bool) -> None:
    """The mail was last seen here ``left`` ago, the TTL is an hour: a day and an hour more are left out."""
    history = a_history(last_seen_here=NOW - left, was_here=True)

    assert holds(a_case(history=history, evidence=RELAYED), Guard.STILL_RECEIVING) is is_held


def test_guard_still_receiving_counts_a_message_at_the_very_cutoff() -> None:
    history = a_history(last_seen_here=NOW - 3 * DAY - HOUR, was_here=True)
    log = a_log(deliveries(2), deliveries(1, ago=2 * DAY))

    assert holds(a_case(history=history, evidence=log), Guard.STILL_RECEIVING)
    later = replace(history, last_seen_here=NOW - 3 * DAY)
    assert not holds(a_case(history=later, evidence=log), Guard.STILL_RECEIVING)


def test_guard_still_receiving_is_not_blinded_by_an_enormous_ttl() -> None:
    """The TTL is written by the customer, and 68 years of it must not hide every delivery."""
    history = a_history(last_seen_here=NOW - 12 * DAY, ttl=timedelta(seconds=2**31), was_here=True, credited=8 * DAY)

    assert caching_time(history) == 7 * DAY
    assert holds(a_case(history=history, evidence=RELAYED), Guard.STILL_RECEIVING)


def test_guard_still_receiving_is_not_blinded_by_a_clock_that_was_ahead() -> None:
    history = a_history(last_seen_here=NOW + 30 * DAY, was_here=True)

    assert holds(a_case(history=history, evidence=RELAYED), Guard.STILL_RECEIVING)


def test_guard_still_receiving_asks_nothing_of_a_server_without_a_log() -> None:
    assert not holds(a_case(evidence=NoEvidence("no readable mail log")), Guard.STILL_RECEIVING)


# --- unknown-provider -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "evidence", "is_held"),
    [
        (UnknownProvider.WINDOW, NoEvidence("none"), False),
        (UnknownProvider.REVIEW, a_log(), True),
        (UnknownProvider.EVIDENCE, NoEvidence("none"), True),
        (UnknownProvider.EVIDENCE, a_log(covers=7 * DAY), False),
        (UnknownProvider.EVIDENCE, a_log(covers=7 * DAY - HOUR), True),
        (UnknownProvider.EVIDENCE, a_log(deliveries(1)), True),
        (UnknownProvider.EVIDENCE, a_log(deliveries(1, ago=7 * DAY + HOUR)), False),
    ],
)
def test_guard_unknown_provider_under_each_policy(
    wanted: UnknownProvider, evidence: MailLog | NoEvidence, is_held: bool
) -> None:
    case = a_case(finding=UNKNOWN_HOST, policy=replace(ENFORCE, unknown_provider=wanted), evidence=evidence)

    assert holds(case, Guard.UNKNOWN_PROVIDER) is is_held
    assert not holds(replace(case, finding=a_finding()), Guard.UNKNOWN_PROVIDER)


def test_guard_unknown_provider_counts_every_delivery_of_the_seven_days() -> None:
    history = a_history(last_seen_here=NOW - HOUR, was_here=True)

    case = a_case(finding=UNKNOWN_HOST, history=history, evidence=a_log(deliveries(1)))

    assert holds(case, Guard.UNKNOWN_PROVIDER)


def test_guard_unknown_provider_names_the_exchanges() -> None:
    finding = a_finding(provider=None, exchanges=tuple(an_exchange(f"mx{n}.example") for n in range(5)))

    text = decide(a_case(finding=finding)).reasons[1].text

    assert "mx0.example, mx1.example, mx2.example;" in text


@pytest.mark.parametrize(
    ("route", "is_held"),
    [(Route.IMPLICIT_ELSEWHERE, True), (Route.NO_MAIL, False), (Route.NO_DOMAIN, False), (Route.DANGLING, False)],
)
def test_guard_unknown_provider_where_no_exchange_is_published(route: Route, is_held: bool) -> None:
    """Only the domain's own address could relay back; a name without mail or address goes nowhere."""
    policy = replace(ENFORCE, actions={route: Action.TURN_OFF})
    finding = a_finding(route, exchanges=())

    assert (
        holds(a_case(finding=finding, policy=policy, history=a_history(route=route)), Guard.UNKNOWN_PROVIDER) is is_held
    )


# --- unconfirmed ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sightings", "credited", "is_held"),
    [(3, 24 * HOUR, False), (2, 24 * HOUR, True), (3, 24 * HOUR - timedelta(seconds=1), True)],
)
def test_guard_unconfirmed_at_three_sightings_over_a_day(sightings: int, credited: timedelta, is_held: bool) -> None:
    assert holds(a_case(history=a_history(sightings=sightings, credited=credited)), Guard.UNCONFIRMED) is is_held


@pytest.mark.parametrize(("credited", "is_held"), [(72 * HOUR, False), (71 * HOUR, True)])
def test_guard_unconfirmed_takes_longer_for_an_unknown_provider(credited: timedelta, is_held: bool) -> None:
    case = a_case(finding=UNKNOWN_HOST, history=a_history(credited=credited), evidence=a_log())

    assert holds(case, Guard.UNCONFIRMED) is is_held


def test_guard_unconfirmed_takes_as_long_as_old_answers_live() -> None:
    history = a_history(ttl=48 * HOUR, credited=47 * HOUR)

    assert holds(a_case(history=history), Guard.UNCONFIRMED)
    assert not holds(a_case(history=replace(history, credited=48 * HOUR)), Guard.UNCONFIRMED)


def test_guard_unconfirmed_asks_for_a_sighting_in_this_very_pass() -> None:
    assert holds(a_case(finding=a_finding(is_sighting=False)), Guard.UNCONFIRMED)


def test_guard_unconfirmed_does_not_take_the_sightings_of_another_route() -> None:
    assert holds(a_case(history=a_history(route=Route.GATEWAY)), Guard.UNCONFIRMED)


def test_guard_unconfirmed_tells_the_earliest_moment() -> None:
    history = a_history(sightings=2, credited=10 * HOUR, last_sighting=NOW - HOUR)

    decision = decide(a_case(history=history))

    assert (decision.is_confirmed, decision.due) == (False, NOW - HOUR + 14 * HOUR)
    assert decision.reasons[1].text == "seen 2 times over 10 h, 3 times over 1 d needed"


def test_guard_unconfirmed_is_due_now_where_only_a_sighting_is_missing() -> None:
    decision = decide(a_case(history=a_history(sightings=0, last_sighting=None)))

    assert decision.due == NOW


# --- arriving -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("created", "seen_for", "is_from_first_pass", "is_held"),
    [
        (None, 1, True, False),
        (None, 13, False, True),
        (None, 14, False, False),
        (30, 1, True, False),
        (30, 1, False, True),
        (30, 20, False, False),
        (13, 1, True, True),
        (15, 1, True, False),
        (13, 20, False, True),
        (-2, 30, True, True),
        (30, -2, False, True),
    ],
)
def test_guard_arriving_by_every_combination_of_ages(
    created: int | None, seen_for: int, is_from_first_pass: bool, is_held: bool
) -> None:
    domain = a_domain(created=None if created is None else NOW - created * DAY)
    history = a_history(first_seen=NOW - seen_for * DAY, is_from_first_pass=is_from_first_pass)

    assert holds(a_case(domain, history=history), Guard.ARRIVING) is is_held
    was_here = replace(history, was_here=True)
    assert not holds(a_case(domain, history=was_here), Guard.ARRIVING)


def test_guard_arriving_tells_that_mail_is_caught_meanwhile() -> None:
    decision = decide(a_case(replace(a_domain(), created=date(2026, 2, 27))))

    assert "new here for 2 d 12 h and never routed here" in decision.reasons[1].text
    assert "co-tenants' mail to it is caught meanwhile" in decision.reasons[1].text


def test_guard_arriving_has_its_age_from_the_settings() -> None:
    policy = replace(ENFORCE, confirm=Confirmation(new_domain_age=2 * DAY))

    assert not holds(a_case(a_domain(created=NOW - 3 * DAY), policy=policy), Guard.ARRIVING)


# --- re-enabled, flapping -------------------------------------------------------------------------


@pytest.mark.parametrize(("claim", "is_held"), [(Claim.RE_ENABLED, True), (Claim.OURS, False), (Claim.NONE, False)])
def test_guard_re_enabled_holds_what_was_turned_on_against_us(claim: Claim, is_held: bool) -> None:
    assert holds(a_case(history=a_history(claim=claim)), Guard.RE_ENABLED) is is_held


@pytest.mark.parametrize(
    ("ago", "is_held"),
    [
        ((0 * DAY, 7 * DAY), True),
        ((0 * DAY, 7 * DAY + HOUR), False),
        ((1 * DAY,), False),
        ((-1 * DAY, -2 * DAY), True),
        ((), False),
    ],
)
def test_guard_flapping_at_two_turns_within_seven_days(ago: Iterable[timedelta], is_held: bool) -> None:
    assert holds(a_case(turned_at=tuple(NOW - one for one in ago)), Guard.FLAPPING) is is_held


# --- approval -------------------------------------------------------------------------------------

APPROVE = a_case(policy=Policy(mode=Mode.APPROVE))


@pytest.mark.parametrize(("mode", "is_held"), [(Mode.APPROVE, True), (Mode.ENFORCE, False), (Mode.REPORT, False)])
def test_guard_approval_holds_in_mode_approve_only(mode: Mode, is_held: bool) -> None:
    assert holds(a_case(policy=Policy(mode=mode)), Guard.APPROVAL) is is_held


def test_guard_approval_is_lifted_by_a_plain_approval() -> None:
    assert decide(replace(APPROVE, approval=an_approval())).verdict is Verdict.TURN_OFF


@pytest.mark.parametrize(
    ("approval", "why"),
    [
        (an_approval(expires=NOW), "expired on 2026-03-01"),
        (an_approval(expires=NOW - DAY), "expired on"),
        (replace(an_approval(), route=Route.GATEWAY), "another route"),
        (replace(an_approval(), exchanges=()), "other exchanges"),
        (replace(an_approval(), exchanges=(*an_approval().exchanges, DomainName("z.example"))), "other exchanges"),
        (an_approval("other.example"), "nobody approved it"),
        (None, "nobody approved it"),
    ],
)
def test_guard_approval_is_bound_to_name_route_exchanges_and_time(approval: Approval | None, why: str) -> None:
    decision = decide(replace(APPROVE, approval=approval))

    assert decision.holding == (Guard.APPROVAL,)
    assert why in decision.reasons[1].text


def test_an_approval_of_something_else_lifts_no_other_guard() -> None:
    stale = replace(an_approval(despite=frozenset(Guard)), route=Route.GATEWAY)

    assert decide(replace(ALONE[Guard.UNCONFIRMED], approval=stale)).holding == (Guard.UNCONFIRMED,)


# --- never local ----------------------------------------------------------------------------------

NEVER_LOCAL = frozenset({DomainName("moved.example")})
_STILL_ASKED = {Guard.NOT_MANAGED, Guard.PINNED, Guard.SUSPENDED, Guard.APPROVAL}


@pytest.mark.parametrize("guard", Guard)
def test_a_name_nobody_may_host_is_held_by_four_guards_only(guard: Guard) -> None:
    case = ALONE[guard]

    decision = decide(replace(case, policy=replace(case.policy, never_local=NEVER_LOCAL)))

    assert decision.holding == ((guard,) if guard in _STILL_ASKED else ())
    assert (decision.verdict is Verdict.TURN_OFF) is (guard not in _STILL_ASKED)


def test_a_name_nobody_may_host_takes_one_quorum_sighting_all_the_same() -> None:
    policy = replace(ENFORCE, never_local=NEVER_LOCAL)

    decision = decide(a_case(policy=policy, finding=a_finding(is_sighting=False)))

    assert decision.holding == (Guard.UNCONFIRMED,)


def test_a_name_nobody_may_host_is_meant_exactly() -> None:
    policy = replace(ENFORCE, never_local=frozenset({DomainName("example")}))

    assert decide(replace(ALONE[Guard.UNCONFIRMED], policy=policy)).holding == (Guard.UNCONFIRMED,)
