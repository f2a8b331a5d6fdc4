"""What holds for every case there can be (style.md, habit 24), from DNS answers to the plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailswitch.core.decide import Case, Decision, Panel, decide, table_verdict
from mailswitch.core.domain import HostedDomain, Kind, Platform, ServerIdentity, Switch
from mailswitch.core.evidence import Deliveries, MailLog, NoEvidence
from mailswitch.core.history import Moment, advance
from mailswitch.core.ledger import Claim, Guard
from mailswitch.core.limits import change_refusal
from mailswitch.core.mx import (
    MX,
    Addresses,
    HostAnswer,
    Indeterminate,
    MXAnswer,
    NoAddress,
    NoMX,
    NoSuchDomain,
    NoSuchHost,
    NullMX,
    Observation,
    Published,
    address,
)
from mailswitch.core.names import DomainName
from mailswitch.core.plan import Plan
from mailswitch.core.policy import HERE_ROUTES, Action, Confirmation, Limits, Mode, Policy, Route, UnknownProvider
from mailswitch.core.providers import ProviderTable
from mailswitch.core.quorum import Finding, finding_of
from mailswitch.core.reports import plan_of
from mailswitch.core.route import Opinion, opinion_of
from mailswitch.core.table import Verdict
from tests.support.builders import (
    NOW,
    a_case,
    a_domain,
    a_finding,
    a_history,
    a_pin,
    a_server,
    a_vantage,
    an_approval,
    an_entry,
    an_opinion,
)

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
OURS = address("203.0.113.10")
IDENTITY = ServerIdentity(addresses=frozenset({OURS}))
NOBODY = ProviderTable([])
SPRITELY = Confirmation(sightings=1, window=timedelta(0), unknown_provider_window=timedelta(0))
BOLD = Policy(
    mode=Mode.ENFORCE,
    actions=dict.fromkeys(Route, Action.TURN_OFF),
    unknown_provider=UnknownProvider.WINDOW,
    confirm=SPRITELY,
    is_full_off_accepted=True,
    never_local=frozenset({DomainName("never.example")}),
)
"""The boldest policy there can be: whatever it does not turn off, no other does."""

RELAYED = MailLog(
    covers=7 * DAY,
    outside=tuple(
        Deliveries(day=(NOW - ago).date(), network=ip_network("198.51.100.0/24"), messages=5, last=NOW - ago)
        for ago in (HOUR, 2 * DAY)
    ),
)
_ALIAS_HERE = (a_domain("alias.example", kind=Kind.ALIAS, parent="moved.example"), a_finding(Route.HERE))

# --- cases of every kind --------------------------------------------------------------------------

_FINDINGS = st.builds(
    a_finding,
    st.sampled_from(Route),
    provider=st.sampled_from([None, "Google"]),
    is_sighting=st.sampled_from([None, False]),
)
_DOMAINS = st.builds(
    a_domain,
    st.sampled_from(["moved.example", "never.example", "*.moved.example", "_x.example"]),
    kind=st.sampled_from(Kind),
    switch=st.sampled_from(Switch),
    created=st.sampled_from([None, NOW, NOW - 13 * DAY, NOW - 400 * DAY]),
    is_suspended=st.booleans(),
)
_HISTORIES = st.builds(
    a_history,
    claim=st.sampled_from(Claim),
    sightings=st.integers(min_value=0, max_value=4),
    was_here=st.booleans(),
    is_from_first_pass=st.booleans(),
)
_POLICIES = st.builds(
    Policy,
    mode=st.sampled_from(Mode),
    actions=st.dictionaries(st.sampled_from(Route), st.sampled_from(Action)),
    unknown_provider=st.sampled_from(UnknownProvider),
    never_local=st.sampled_from([frozenset(), frozenset({DomainName("never.example")})]),
    is_full_off_accepted=st.booleans(),
)
_OWN_OPINIONS = st.lists(st.builds(an_opinion, st.just("own"), st.sampled_from(Route)), max_size=2).map(tuple)
_APPROVALS = st.none() | st.builds(an_approval, despite=st.frozensets(st.sampled_from(Guard)))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    finding = draw(_FINDINGS)
    history = draw(_HISTORIES)
    return a_case(
        draw(_DOMAINS),
        finding,
        history=replace(history, route=draw(st.sampled_from([finding.route, Route.GATEWAY]))),
        policy=draw(_POLICIES),
        panel=Panel(version=draw(st.sampled_from([None, "18.0.61"])), platform=draw(st.sampled_from(Platform))),
        evidence=draw(st.sampled_from([RELAYED, MailLog(covers=7 * DAY), NoEvidence("none")])),
        aliases=draw(st.sampled_from([(), (_ALIAS_HERE,)])),
        own_opinions=draw(_OWN_OPINIONS),
        pins=draw(st.sampled_from([(), (a_pin(),)])),
        approval=draw(_APPROVALS),
        turned_at=draw(st.sampled_from([(), (NOW, NOW)])),
    )


def _is_off(decision: Decision) -> bool:
    return decision.verdict is Verdict.TURN_OFF


@given(case=cases())
def test_every_case_has_a_decision_that_begins_with_its_route(case: Case) -> None:
    decision = decide(case)

    assert decision.reasons[0].code == case.finding.route
    assert decide(case) == decision


@given(case=cases())
def test_indeterminate_never_changes_anything_of_its_own(case: Case) -> None:
    unknown = replace(case, finding=a_finding(Route.UNKNOWN), aliases=(), own_opinions=())

    assert decide(unknown).verdict in {Verdict.KEEP, Verdict.HOLD}
    assert not decide(unknown).is_on_review


@given(case=cases())
def test_a_name_that_is_here_is_never_turned_off_whatever_is_approved(case: Case) -> None:
    for route in HERE_ROUTES:
        decision = decide(replace(case, finding=a_finding(route)))

        assert not _is_off(decision)
        assert not decision.is_on_review


@given(case=cases())
def test_only_a_managed_switch_is_ever_turned(case: Case) -> None:
    wanted = {Verdict.TURN_OFF: Switch.ON, Verdict.TURN_ON: Switch.OFF}
    decision = decide(case)

    if decision.verdict in wanted:
        assert case.domain.switch is wanted[decision.verdict]
        assert case.domain.name.is_host_name


@given(case=cases())
def test_only_what_we_turned_off_is_turned_on(case: Case) -> None:
    if decide(case).verdict is Verdict.TURN_ON:
        assert case.history.claim is Claim.OURS


@given(case=cases())
def test_a_pinned_name_is_never_turned_off_nor_offered_for_review(case: Case) -> None:
    decision = decide(replace(case, pins=(a_pin(str(case.domain.name)),)))
    plan = plan_of((a_server(an_entry(domain=case.domain, finding=case.finding, decision=decision)),))

    assert not [entry for entry in (*plan.changes, *plan.on_review) if entry.switch_to is Switch.OFF]


_WEAKENINGS: dict[str, Callable[[Case], Case]] = {
    "not-managed": lambda case: replace(case, domain=replace(case.domain, switch=Switch.UNKNOWN)),
    "wildcard": lambda case: replace(case, domain=replace(case.domain, name=DomainName("*.moved.example"))),
    "pinned": lambda case: replace(case, pins=(*case.pins, a_pin(str(case.domain.name)))),
    "suspended": lambda case: replace(case, domain=replace(case.domain, is_suspended=True)),
    "stops-sending": lambda case: replace(case, panel=Panel(version=None, platform=Platform.UNKNOWN)),
    "needed-by-alias": lambda case: replace(case, aliases=(*case.aliases, _ALIAS_HERE)),
    "own resolver": lambda case: replace(case, own_opinions=(*case.own_opinions, an_opinion("own", Route.HERE))),
    "still-receiving": lambda case: replace(case, evidence=RELAYED),
    "unknown-provider": lambda case: replace(case, finding=replace(case.finding, provider=None)),
    "review": lambda case: replace(case, policy=replace(case.policy, unknown_provider=UnknownProvider.REVIEW)),
    "fewer sightings": lambda case: replace(case, history=replace(case.history, sightings=0)),
    "less spread": lambda case: replace(case, history=replace(case.history, credited=timedelta(0))),
    "longer ttl": lambda case: replace(case, history=replace(case.history, ttl=9 * DAY)),
    "no sighting": lambda case: replace(case, finding=replace(case.finding, is_sighting=False)),
    "arriving": lambda case: replace(
        case, domain=replace(case.domain, created=NOW.date()), history=replace(case.history, was_here=False)
    ),
    "re-enabled": lambda case: replace(case, history=replace(case.history, claim=Claim.RE_ENABLED)),
    "flapping": lambda case: replace(case, turned_at=(*case.turned_at, NOW, NOW - HOUR)),
    "mode approve": lambda case: replace(case, policy=replace(case.policy, mode=Mode.APPROVE)),
    "no approval": lambda case: replace(case, approval=None),
}


@pytest.mark.parametrize("weakening", _WEAKENINGS)
@settings(max_examples=40)
@given(case=cases())
def test_adding_any_guard_condition_only_weakens(weakening: str, case: Case) -> None:
    weakened = decide(_WEAKENINGS[weakening](case))

    if _is_off(weakened):
        assert _is_off(decide(case))


@given(case=cases(), despite=st.frozensets(st.sampled_from(Guard)))
def test_an_approval_lifts_what_it_names_and_never_makes_a_turn_off_of_anything_else(
    case: Case, despite: frozenset[Guard]
) -> None:
    bare, lifted = (
        decide(replace(case, approval=None)),
        decide(replace(case, approval=an_approval(str(case.domain.name), despite=despite))),
    )

    if _is_off(lifted) and not _is_off(bare):
        assert set(bare.holding) <= despite | {Guard.APPROVAL}
        assert all(guard.is_liftable for guard in bare.holding)


@given(case=cases())
def test_a_review_is_offered_only_for_what_reviews_lift(case: Case) -> None:
    decision = decide(case)

    if decision.is_on_review:
        assert decision.verdict is Verdict.HOLD
        assert decision.holding
        assert all(guard.is_liftable for guard in decision.holding)


# --- from answers to decisions --------------------------------------------------------------------

_HOSTS = ["mx.a.example", "mx.b.example", "mx.c.example"]
_FOREIGN: HostAnswer = Addresses(addresses=frozenset({address("198.51.100.26")}))
_OF_OURS: HostAnswer = Addresses(addresses=frozenset({OURS, address("198.51.100.9")}))
_HOST_ANSWERS: list[HostAnswer] = [_FOREIGN, _FOREIGN, NoAddress(), NoSuchHost(), Indeterminate("SERVFAIL"), _OF_OURS]
_PUBLISHED = st.frozensets(
    st.builds(MX, preference=st.integers(min_value=0, max_value=2), exchange=st.sampled_from(_HOSTS).map(DomainName)),
    min_size=1,
).map(lambda records: Published(records=records, ttl=HOUR))
_OTHERS: list[MXAnswer] = [NullMX(ttl=HOUR), NoMX(ttl=HOUR), NoSuchDomain(ttl=HOUR), Indeterminate("time-out")]
_MX_ANSWERS: st.SearchStrategy[MXAnswer] = st.one_of(_PUBLISHED, _PUBLISHED, st.sampled_from(_OTHERS))


@st.composite
def views(draw: st.DrawFn, *, most: int = 4) -> list[Observation]:
    """Draw what up to four vantages say about one name."""
    found = []
    for vantage in "abcd"[: draw(st.integers(min_value=1, max_value=most))]:
        hosts = tuple((DomainName(name), draw(st.sampled_from(_HOST_ANSWERS))) for name in (*_HOSTS, "moved.example"))
        found.append(
            Observation(
                name=DomainName("moved.example"), vantage=a_vantage(vantage), at=NOW, mx=draw(_MX_ANSWERS), hosts=hosts
            )
        )
    return found


def _judged(observations: list[Observation], policy: Policy = BOLD, switch: Switch = Switch.ON) -> Decision:
    """Decide by the boldest policy, in the first pass ever, about a name of ours to do with as we like."""
    domain = a_domain(switch=switch)
    opinions = [opinion_of(one, IDENTITY, NOBODY) for one in observations]
    finding = _combined(opinions, domain, policy)
    history = advance(None, domain, finding, Moment(now=NOW, server=None), policy.confirm)
    return decide(a_case(domain, finding, history=history, policy=policy))


def _combined(opinions: list[Opinion], domain: HostedDomain, policy: Policy) -> Finding:
    return finding_of(opinions, tendency=lambda route: table_verdict(domain, route, policy, None), quorum=2)


def _shows_ours(observation: Observation) -> bool:
    return isinstance(observation.mx, Published) and any(
        observation.host(record.exchange) == _OF_OURS for record in observation.mx.records
    )


@given(observations=views())
def test_this_server_anywhere_in_any_rrset_is_never_turned_off(observations: list[Observation]) -> None:
    decision = _judged(observations)

    if any(_shows_ours(one) for one in observations):
        assert not _is_off(decision)
        assert not decision.is_on_review


@given(observations=views())
def test_an_opinion_about_published_records_is_the_same_whatever_the_name(observations: list[Observation]) -> None:
    for one in observations:
        if isinstance(one.mx, Published):
            other = replace(one, name=DomainName("other.example"))
            assert opinion_of(one, IDENTITY, NOBODY) == opinion_of(other, IDENTITY, NOBODY)


@given(observations=views(most=1))
def test_one_vantage_alone_never_turns_anything_off(observations: list[Observation]) -> None:
    assert not _is_off(_judged(observations))


@given(observations=views())
def test_one_more_failing_vantage_never_makes_a_decision_bolder(observations: list[Observation]) -> None:
    failing = replace(observations[0], vantage=a_vantage("z"), mx=Indeterminate("time-out"))

    if _is_off(_judged([*observations, failing])):
        assert _is_off(_judged(observations))


@given(observations=views())
def test_nothing_but_failures_changes_nothing(observations: list[Observation]) -> None:
    failing = [replace(one, mx=Indeterminate("SERVFAIL")) for one in observations]

    for switch in Switch:
        assert _judged(failing, switch=switch).verdict in {Verdict.KEEP, Verdict.HOLD}


@given(observations=views(), order=st.permutations(range(4)))
def test_the_order_of_vantages_changes_no_decision(observations: list[Observation], order: list[int]) -> None:
    shuffled = [observations[place] for place in order if place < len(observations)]

    assert _judged(shuffled).verdict is _judged(observations).verdict


# --- from decisions to the plan -------------------------------------------------------------------


@given(case=cases())
def test_deciding_again_after_applying_gives_an_empty_plan(case: Case) -> None:
    decision = decide(case)
    after, claim = {
        Verdict.TURN_OFF: (Switch.OFF, Claim.OURS),
        Verdict.TURN_ON: (Switch.ON, Claim.NONE),
    }.get(decision.verdict, (case.domain.switch, case.history.claim))
    applied = replace(
        case,
        domain=replace(case.domain, switch=after),
        history=replace(case.history, claim=claim, claim_route=case.finding.route),
    )

    again = decide(applied)

    if decision.verdict in {Verdict.TURN_OFF, Verdict.TURN_ON}:
        # An alias that routes here turns its domain on, and the guard of the same name then holds it.
        assert again.verdict in {Verdict.KEEP, Verdict.HOLD}
        plan = plan_of((a_server(an_entry(domain=applied.domain, finding=case.finding, decision=again)),))
        assert plan == Plan()


@given(
    names=st.integers(min_value=0, max_value=400),
    planned=st.integers(min_value=0, max_value=60),
    recent=st.integers(min_value=0, max_value=60),
    changes=st.integers(min_value=0, max_value=40),
    percent=st.integers(min_value=0, max_value=100),
)
def test_no_unreviewed_plan_passes_above_its_limits(
    names: int, planned: int, recent: int, changes: int, percent: int
) -> None:
    limits = Limits(changes=changes, share=percent / 100)
    entries = [an_entry(f"d{number}.example") for number in range(planned)]
    refusal = change_refusal("web01", limits, names=names, planned=planned, recent=recent)

    plan = plan_of((a_server(*entries, refusal=refusal),))

    made = len(plan.changes) + recent
    assert not plan.changes or (made <= changes and made <= max(3, percent * names // 100))
    assert len(plan.changes) + len(plan.on_review) == planned


def test_the_boldest_policy_does_turn_off() -> None:
    """Lest the properties above hold for want of anything bold."""
    vantages = [
        Observation(
            name=DomainName("moved.example"),
            vantage=a_vantage(name),
            at=NOW,
            mx=Published(records=frozenset({MX(preference=1, exchange=DomainName(_HOSTS[0]))}), ttl=HOUR),
            hosts=((DomainName(_HOSTS[0]), _FOREIGN),),
        )
        for name in "ab"
    ]

    assert _is_off(_judged(vantages))
    assert _combined([an_opinion("a"), an_opinion("b")], a_domain(), BOLD).is_sighting
