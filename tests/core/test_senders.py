"""Who outside still sends mail here: told from stray spam, and what it does to a switch that we turned off."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.decide import REFUSED_HERE, Case, Decision, decide, is_log_asked
from mailswitch.core.domain import HostedDomain, Switch
from mailswitch.core.evidence import Deliveries, MailLog, NoEvidence
from mailswitch.core.ledger import Claim, DomainHistory, Guard
from mailswitch.core.policy import Mode, Policy, Route
from mailswitch.core.senders import RefusedHere, refused_here
from mailswitch.core.table import Verdict
from tests.support.builders import NOW, a_case, a_domain, a_finding, a_history, a_pin

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
OFF = a_domain(switch=Switch.OFF)
OURS = a_history(claim=Claim.OURS, claim_route=Route.ELSEWHERE)


def refusals(
    messages: int = 1, *, ago: timedelta = HOUR, network: str | None = "198.51.100.0/24", is_gateway: bool = False
) -> Deliveries:
    last = NOW - ago
    where = None if network is None else ip_network(network)
    return Deliveries(day=last.date(), network=where, messages=messages, last=last, is_gateway=is_gateway)


def a_log(*refused: Deliveries, outside: tuple[Deliveries, ...] = ()) -> MailLog:
    return MailLog(covers=7 * DAY, refused=refused, outside=outside)


DAY_AFTER_DAY = a_log(refusals(), refusals(ago=DAY), refusals(ago=2 * DAY))
ON_TWO_DAYS = a_log(refusals(2), refusals(ago=DAY))
FROM_A_FILTER = a_log(refusals(3, is_gateway=True))


def off_by_us(log: MailLog, **more: object) -> Case:
    return replace(a_case(OFF, history=OURS), **{"evidence": log, **more})  # type: ignore[arg-type]


def told(log: MailLog, *, turned_off: timedelta | None = None) -> RefusedHere | None:
    moment = None if turned_off is None else NOW - turned_off
    return refused_here(log, OURS, NOW, turned_off=moment)


def note(decision: Decision) -> str | None:
    return next((reason.text for reason in decision.reasons if reason.code == REFUSED_HERE), None)


# --- more than stray numbers ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "refused",
    [
        (),
        (refusals(40),),
        (refusals(1), refusals(1, ago=DAY)),
        tuple(refusals(2, network=f"198.51.{number}.0/24") for number in range(40)),
        (refusals(40, network=None), refusals(40, network=None, ago=DAY)),
        (refusals(2, is_gateway=True),),
        (refusals(2), refusals(1, ago=8 * DAY)),
    ],
)
def test_stray_refusals_are_no_alarm(refused: tuple[Deliveries, ...]) -> None:
    """Spammers try old addresses for years, from many networks."""
    assert told(a_log(*refused)) is None
    decision = decide(off_by_us(a_log(*refused)))

    assert (decision.verdict, note(decision)) == (Verdict.KEEP, None)


@pytest.mark.parametrize("log", [ON_TWO_DAYS, DAY_AFTER_DAY, FROM_A_FILTER])
def test_more_than_stray_refusals_are_told(log: MailLog) -> None:
    assert (note(decide(off_by_us(log))) or "").startswith("3 messages refused here in 7 days from 1 network, the last")


def test_the_networks_are_named_the_most_refused_first() -> None:
    networks = [f"198.51.{number}.0/24" for number in range(5)]
    log = a_log(
        *(refusals(number + 2, network=one) for number, one in enumerate(networks)),
        *(refusals(1, network=one, ago=DAY) for one in networks),
    )
    found = told(log)

    assert found is not None
    assert found.text == (
        "25 messages refused here in 7 days from 5 networks, the last 1 h ago: 198.51.4.0/24 (7 on 2 days), "
        "198.51.3.0/24 (6 on 2 days), 198.51.2.0/24 (5 on 2 days), 2 more"
    )


def test_what_was_refused_before_we_turned_it_off_does_not_count() -> None:
    assert told(DAY_AFTER_DAY, turned_off=3 * DAY) is not None
    assert told(DAY_AFTER_DAY, turned_off=36 * HOUR) is None


def test_what_was_refused_before_senders_could_know_does_not_count() -> None:
    history = replace(OURS, last_seen_here=NOW - DAY - 2 * HOUR, ttl=HOUR)

    assert refused_here(DAY_AFTER_DAY, history, NOW, turned_off=None) is None


# --- turning on again -----------------------------------------------------------------------------


def test_refusals_on_two_days_are_reported_and_change_nothing() -> None:
    assert decide(off_by_us(ON_TWO_DAYS)).verdict is Verdict.KEEP


@pytest.mark.parametrize(
    ("log", "because"),
    [
        (DAY_AFTER_DAY, "198.51.100.0/24 comes again day after day, so the world still delivers here"),
        (FROM_A_FILTER, "198.51.100.0/24 is a known filter's, which relays back to this server"),
    ],
)
@pytest.mark.parametrize("route", Route)
def test_a_filter_or_refusals_day_after_day_turn_on_again_whatever_dns_says(
    log: MailLog, because: str, route: Route
) -> None:
    case = off_by_us(log, finding=a_finding(route, is_sighting=False), history=replace(OURS, route=route))
    decision = decide(case)

    assert decision.verdict is Verdict.TURN_ON
    assert because in (note(decision) or "")
    assert decision.reasons[0].code == route


def test_refusals_that_ended_turn_nothing_on() -> None:
    ended = a_log(*(refusals(3, ago=days * DAY) for days in (2, 3, 4)))

    decision = decide(off_by_us(ended))

    assert (decision.verdict, note(decision) is None) == (Verdict.KEEP, False)


@pytest.mark.parametrize("claim", [Claim.NONE, Claim.RE_ENABLED])
@pytest.mark.parametrize("log", [DAY_AFTER_DAY, FROM_A_FILTER])
def test_what_somebody_else_turned_off_stays_off_and_is_no_alarm(claim: Claim, log: MailLog) -> None:
    decision = decide(replace(a_case(OFF, history=a_history(claim=claim)), evidence=log))

    assert (decision.verdict, note(decision)) == (Verdict.KEEP, None)


def test_only_not_managed_stops_turning_on() -> None:
    case = off_by_us(FROM_A_FILTER, pins=(a_pin(),), turned_at=(NOW - HOUR, NOW - 2 * HOUR))
    log = a_log(refusals(3, ago=timedelta(0), is_gateway=True))

    approving = replace(case, evidence=log, policy=Policy(mode=Mode.APPROVE))
    assert decide(approving).verdict is Verdict.TURN_ON
    wildcard = decide(replace(approving, domain=a_domain("*.moved.example", switch=Switch.OFF)))
    assert wildcard.verdict is Verdict.KEEP
    assert Guard.NOT_MANAGED in [reason.code for reason in wildcard.reasons]


def test_a_name_nobody_may_host_stays_off() -> None:
    policy = Policy(mode=Mode.ENFORCE, never_local=frozenset({OFF.name}))
    decision = decide(off_by_us(FROM_A_FILTER, policy=policy))

    assert (decision.verdict, note(decision)) == (Verdict.KEEP, None)


@pytest.mark.parametrize("log", [DAY_AFTER_DAY, FROM_A_FILTER])
def test_what_was_turned_on_for_its_refusals_is_held_by_them_at_once(log: MailLog) -> None:
    """Otherwise it would go off again in the next pass, be refused, go on, and so for ever."""
    after = a_case(evidence=log)

    decision = decide(after)

    assert decision.holding == (Guard.STILL_RECEIVING,)
    assert "3 messages (3 of them refused) from 198.51.100.0/24 in 7 days" in decision.reasons[1].text


_SENT = st.lists(
    st.builds(
        refusals,
        st.integers(1, 5),
        ago=st.integers(0, 9 * 24).map(lambda hours: timedelta(hours=hours)),
        network=st.sampled_from([None, "198.51.100.0/24", "192.0.2.0/24", "2001:db8:1::/48"]),
        is_gateway=st.booleans(),
    ),
    max_size=8,
).map(tuple)


@given(refused=_SENT, accepted=_SENT, turned=st.none() | st.integers(0, 200))
def test_nothing_turned_on_for_its_refusals_could_be_turned_off_again(
    refused: tuple[Deliveries, ...], accepted: tuple[Deliveries, ...], turned: int | None
) -> None:
    turned_at = () if turned is None else (NOW - timedelta(hours=turned),)
    before = decide(off_by_us(a_log(*refused), turned_at=turned_at))
    after = decide(a_case(evidence=a_log(*refused, outside=accepted)))

    assert before.verdict in {Verdict.KEEP, Verdict.TURN_ON}
    assert before.verdict is Verdict.KEEP or Guard.STILL_RECEIVING in after.holding


@given(refused=_SENT)
def test_refusals_never_make_a_turn_off(refused: tuple[Deliveries, ...]) -> None:
    with_them, without = decide(a_case(evidence=a_log(*refused))), decide(a_case(evidence=a_log()))

    assert without.verdict is Verdict.TURN_OFF
    assert with_them.verdict in {Verdict.TURN_OFF, Verdict.HOLD}


# --- networks too many to be kept apart -----------------------------------------------------------


def test_a_crowd_of_networks_on_two_days_holds_since_a_filter_may_be_among_them() -> None:
    crowd = (refusals(90, network=None), refusals(80, network=None, ago=DAY))
    decision = decide(a_case(evidence=a_log(outside=crowd)))

    assert decision.holding == (Guard.STILL_RECEIVING,)
    assert "170 messages from more networks than are kept apart" in decision.reasons[1].text


# --- who is asked about ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("domain", "history", "route", "is_asked"),
    [
        (a_domain(), a_history(), Route.ELSEWHERE, True),
        (a_domain(), a_history(), Route.HERE, False),
        (a_domain(), a_history(), Route.PARKED, False),
        (OFF, OURS, Route.HERE, True),
        (OFF, OURS, Route.UNKNOWN, True),
        (OFF, a_history(), Route.ELSEWHERE, False),
    ],
)
def test_the_log_is_asked_only_where_it_has_a_say(
    domain: HostedDomain, history: DomainHistory, route: Route, is_asked: bool
) -> None:
    assert is_log_asked(domain, route, Policy(mode=Mode.ENFORCE), history) is is_asked


def test_without_a_log_nothing_is_refused_here() -> None:
    assert refused_here(NoEvidence("none"), OURS, NOW, turned_off=None) is None
