"""How opinions become a finding: who has to agree, who may be silent, whose word stops a change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.domain import Switch
from mailswitch.core.ledger import Claim
from mailswitch.core.names import DomainName
from mailswitch.core.policy import DEFAULT_ACTIONS, HERE_ROUTES, Route
from mailswitch.core.quorum import Finding, finding_of, unasked
from mailswitch.core.route import Opinion, Reason
from mailswitch.core.table import Verdict, verdict
from tests.support.builders import an_exchange, an_opinion

Tendency = Callable[[Route], Verdict]


def while_on(route: Route) -> Verdict:
    return verdict(Switch.ON, route, DEFAULT_ACTIONS[route], Claim.NONE)


def while_off_by_us(route: Route) -> Verdict:
    return verdict(Switch.OFF, route, DEFAULT_ACTIONS[route], Claim.OURS)


def found(*opinions: Opinion, tendency: Tendency = while_on, quorum: int = 2) -> Finding:
    return finding_of(opinions, tendency=tendency, quorum=quorum)


def saying(*routes: Route) -> list[Opinion]:
    return [an_opinion(name, route) for name, route in zip("abcdef", routes, strict=False)]


def seeing_ours_in_doubt(vantage: str) -> Opinion:
    opinion = an_opinion(vantage, Route.UNKNOWN, because="MX a.example: SERVFAIL")
    return Opinion(vantage=opinion.vantage, route=opinion.route, because=opinion.because, has_ours=True)


@pytest.mark.parametrize("route", [route for route in Route if route not in {Route.ELSEWHERE, Route.UNKNOWN}])
def test_one_opinion_is_the_route_where_it_changes_nothing(route: Route) -> None:
    finding = found(an_opinion("a", route))

    assert (finding.route, finding.vantages, finding.is_sighting) == (route, 1, False)
    assert finding.is_seen_here is (route in HERE_ROUTES)


def test_one_opinion_is_unknown_where_it_would_change_something() -> None:
    finding = found(an_opinion("a"))

    assert finding.route is Route.UNKNOWN
    assert "only 1 of 2 operators" in finding.because


def test_two_operators_make_a_sighting() -> None:
    finding = found(*saying(Route.ELSEWHERE, Route.ELSEWHERE))

    assert (finding.route, finding.vantages, finding.is_sighting, finding.notes) == (Route.ELSEWHERE, 2, True, ())
    assert finding.provider is not None
    assert len(finding.opinions) == 2


@pytest.mark.parametrize("operator", ["Quad9", "quad9", " QUAD9 "])
def test_two_vantages_of_one_operator_are_no_quorum(operator: str) -> None:
    finding = found(an_opinion("a", operator="Quad9"), an_opinion("b", operator=operator))

    assert finding.route is Route.UNKNOWN


def test_a_vantage_that_cannot_answer_leaves_it_to_the_others() -> None:
    finding = found(*saying(Route.ELSEWHERE, Route.UNKNOWN, Route.ELSEWHERE))

    assert (finding.route, finding.vantages, finding.is_sighting) == (Route.ELSEWHERE, 2, True)


def by_its_own_servers(opinion: Opinion, *, is_required: bool) -> Opinion:
    vantage = replace(opinion.vantage, name="authoritative", operator="its own", is_required=is_required)
    return replace(opinion, vantage=replace(vantage, is_authoritative=True))


@pytest.mark.parametrize(("is_required", "route"), [(False, Route.ELSEWHERE), (True, Route.UNKNOWN)])
def test_a_required_vantage_that_is_silent_stops_a_turn_off(is_required: bool, route: Route) -> None:
    own = by_its_own_servers(an_opinion("o", Route.UNKNOWN, because="they disagree"), is_required=is_required)

    finding = found(*saying(Route.ELSEWHERE, Route.ELSEWHERE), own)

    assert (finding.route, finding.is_sighting) == (route, not is_required)
    assert ("not confirmed as required (authoritative: they disagree)" in finding.because) is is_required


@pytest.mark.parametrize("is_required", [False, True])
def test_silence_never_stops_turning_on_again(is_required: bool) -> None:
    own = by_its_own_servers(an_opinion("o", Route.UNKNOWN), is_required=is_required)

    finding = found(*saying(Route.HERE, Route.HERE), own, tendency=while_off_by_us)

    assert (finding.route, finding.is_sighting) == (Route.HERE, True)


@pytest.mark.parametrize("is_required", [False, True])
def test_the_domain_s_own_servers_count_towards_the_quorum(is_required: bool) -> None:
    finding = found(
        *saying(Route.ELSEWHERE, Route.UNKNOWN), by_its_own_servers(an_opinion("o"), is_required=is_required)
    )

    assert (finding.route, finding.vantages, finding.is_sighting) == (Route.ELSEWHERE, 2, True)


@pytest.mark.parametrize("is_required", [False, True])
def test_the_domain_s_own_servers_that_see_something_else_stop_a_turn_off_only(is_required: bool) -> None:
    here = by_its_own_servers(an_opinion("o", Route.HERE), is_required=is_required)
    elsewhere = by_its_own_servers(an_opinion("o"), is_required=is_required)

    stopped = found(*saying(Route.ELSEWHERE, Route.ELSEWHERE), here)
    noted = found(*saying(Route.HERE, Route.HERE), elsewhere, tendency=while_off_by_us)

    assert (stopped.route, stopped.is_seen_here) == (Route.UNKNOWN, True)
    assert (noted.route, [note.code for note in noted.notes]) == (Route.HERE, ["dissent"])


def test_what_silent_vantages_said_is_named_where_they_are_missed() -> None:
    finding = found(an_opinion("a"), an_opinion("b", Route.UNKNOWN, because="SERVFAIL"))

    assert finding.route is Route.UNKNOWN
    assert "b: SERVFAIL" in finding.because


def test_nothing_but_silence_is_unknown_and_says_why() -> None:
    finding = found(
        an_opinion("a", Route.UNKNOWN, because="SERVFAIL"), an_opinion("b", Route.UNKNOWN, because="time-out")
    )

    assert finding.route is Route.UNKNOWN
    assert finding.because == "a: SERVFAIL; b: time-out"


def test_no_opinion_at_all_is_unknown() -> None:
    assert found().because == "no vantage was asked"


@pytest.mark.parametrize("other", [route for route in Route if route not in {Route.ELSEWHERE, Route.UNKNOWN}])
def test_one_that_sees_something_else_stops_a_turn_off(other: Route) -> None:
    finding = found(*saying(Route.ELSEWHERE, Route.ELSEWHERE, other))

    assert finding.route is Route.UNKNOWN
    assert "disagree" in finding.because
    assert not finding.is_sighting
    assert finding.is_seen_here is (other in HERE_ROUTES)


def test_one_that_sees_an_exchange_of_ours_stops_a_turn_off_though_its_route_is_unknown() -> None:
    finding = found(an_opinion("a"), an_opinion("b"), seeing_ours_in_doubt("c"))

    assert finding.route is Route.UNKNOWN
    assert finding.is_seen_here


def test_an_exchange_of_ours_seen_in_doubt_counts_as_seen_here() -> None:
    assert found(seeing_ours_in_doubt("a")).is_seen_here


@pytest.mark.parametrize("route", [*sorted(HERE_ROUTES), Route.GATEWAY])
def test_one_that_sees_something_else_is_only_noted_for_a_turn_on(route: Route) -> None:
    finding = found(*saying(route, Route.ELSEWHERE, route), tendency=while_off_by_us)

    assert (finding.route, finding.vantages, finding.is_sighting) == (route, 2, True)
    assert [note.code for note in finding.notes] == ["dissent"]


def test_one_that_sees_something_else_is_only_noted_for_a_hold() -> None:
    finding = found(*saying(Route.ELSEWHERE, Route.GATEWAY, Route.GATEWAY))

    assert (finding.route, [note.code for note in finding.notes]) == (Route.GATEWAY, ["dissent"])


def test_vantages_that_all_differ_are_unknown() -> None:
    finding = found(*saying(Route.ELSEWHERE, Route.GATEWAY, Route.HERE))

    assert finding.route is Route.UNKNOWN
    assert finding.is_seen_here


def test_a_single_here_is_not_enough_to_turn_on() -> None:
    finding = found(*saying(Route.HERE, Route.UNKNOWN, Route.UNKNOWN), tendency=while_off_by_us)

    assert finding.route is Route.UNKNOWN
    assert finding.is_seen_here


@pytest.mark.parametrize(
    ("routes", "wanted"),
    [
        ((Route.ELSEWHERE, Route.ELSEWHERE, Route.HERE, Route.HERE), Route.HERE),
        ((Route.ELSEWHERE, Route.ELSEWHERE, Route.GATEWAY, Route.GATEWAY), Route.GATEWAY),
        ((Route.GATEWAY, Route.GATEWAY, Route.BACKUP_HERE, Route.BACKUP_HERE), Route.BACKUP_HERE),
        ((Route.BACKUP_HERE, Route.BACKUP_HERE, Route.HERE, Route.HERE), Route.HERE),
    ],
)
def test_of_two_quorums_the_one_that_turns_on_again_wins(routes: tuple[Route, ...], wanted: Route) -> None:
    routes_found = {found(*order, tendency=while_off_by_us).route for order in permutations(saying(*routes))}

    assert routes_found == {wanted}


def test_of_two_quorums_none_wins_while_the_switch_is_on() -> None:
    finding = found(*saying(Route.ELSEWHERE, Route.ELSEWHERE, Route.HERE, Route.HERE))

    assert (finding.route, finding.is_seen_here) == (Route.UNKNOWN, True)


def test_answers_from_memory_are_no_sighting() -> None:
    finding = found(an_opinion("a"), an_opinion("b", is_remembered=True))

    assert (finding.route, finding.is_sighting, finding.is_remembered) == (Route.ELSEWHERE, False, False)


def test_a_finding_of_nothing_but_memory_says_so() -> None:
    assert found(an_opinion("a", is_remembered=True), an_opinion("b", is_remembered=True)).is_remembered


def test_a_larger_quorum_is_asked_for() -> None:
    assert found(*saying(Route.ELSEWHERE, Route.ELSEWHERE), quorum=3).route is Route.UNKNOWN
    assert found(*saying(Route.ELSEWHERE, Route.ELSEWHERE, Route.ELSEWHERE), quorum=3).is_sighting


def test_a_provider_is_named_only_if_every_agreeing_vantage_knows_it() -> None:
    known = found(an_opinion("a", provider="B"), an_opinion("b", provider="A"))
    unknown = found(an_opinion("a", provider="B"), an_opinion("b", provider=None))

    assert (known.provider, unknown.provider) == ("A + B", None)


def test_what_the_agreeing_vantages_saw_is_laid_together() -> None:
    note = Reason(code="exchange-ignored", text="gone.example does not exist")
    first = an_opinion(
        "a", ttl=timedelta(hours=1), exchanges=(an_exchange(addresses=("198.51.100.2",)),), notes=(note,)
    )
    other = (an_exchange(addresses=("2001:db8:1::1", "198.51.100.1")), an_exchange("alt.google.com", preference=5))
    second = an_opinion("b", ttl=timedelta(hours=4), exchanges=other, notes=(note,))

    finding = found(first, second)

    merged = an_exchange(addresses=("198.51.100.1", "198.51.100.2", "2001:db8:1::1"))
    assert finding.exchanges == (merged, an_exchange("alt.google.com", preference=5))
    assert finding.exchange_names == (DomainName("alt.google.com"), DomainName("aspmx.l.google.com"))
    assert finding.ttl == timedelta(hours=4)
    assert finding.notes == (note,)


def test_a_name_nobody_is_asked_about_is_unknown() -> None:
    finding = unasked()

    assert (finding.route, finding.vantages, finding.is_sighting, finding.opinions) == (Route.UNKNOWN, 0, False, ())


_ROUTES = st.lists(st.sampled_from(Route), min_size=1, max_size=5)


def _boldness(finding: Finding, tendency: Tendency) -> int:
    return 0 if finding.route is Route.UNKNOWN or tendency(finding.route) is not Verdict.TURN_OFF else 1


@given(routes=_ROUTES)
def test_the_order_of_vantages_does_not_matter(routes: list[Route]) -> None:
    opinions = saying(*routes)
    turned = found(*reversed(opinions))
    finding = found(*opinions)

    assert (turned.route, turned.is_sighting, turned.is_seen_here, turned.provider) == (
        finding.route,
        finding.is_sighting,
        finding.is_seen_here,
        finding.provider,
    )


@given(routes=_ROUTES)
def test_one_more_failing_vantage_never_makes_a_finding_bolder(routes: list[Route]) -> None:
    opinions = saying(*routes)

    more = found(*opinions, an_opinion("failing", Route.UNKNOWN))

    assert _boldness(more, while_on) <= _boldness(found(*opinions), while_on)


@given(routes=_ROUTES, place=st.integers(min_value=0, max_value=4))
def test_an_agreeing_vantage_that_fails_never_makes_a_finding_bolder(routes: list[Route], place: int) -> None:
    opinions = saying(*routes)
    before = found(*opinions)
    failing = [
        an_opinion(one.vantage.name, Route.UNKNOWN) if at == place and one.route is Route.ELSEWHERE else one
        for at, one in enumerate(opinions)
    ]

    assert _boldness(found(*failing), while_on) <= _boldness(before, while_on)


@given(routes=_ROUTES, here=st.sampled_from(sorted(HERE_ROUTES)), place=st.integers(min_value=0, max_value=5))
def test_a_vantage_that_sees_mail_here_is_never_overruled_towards_off(
    routes: list[Route], here: Route, place: int
) -> None:
    opinions = [*saying(*routes)[:place], an_opinion("z", here), *saying(*routes)[place:]]

    finding = found(*opinions)

    assert finding.is_seen_here
    assert while_on(finding.route) is not Verdict.TURN_OFF


def test_vantages_that_are_silent_for_the_same_reason_are_named_together() -> None:
    reasons = (("a", "SERVFAIL"), ("b", "time-out"), ("c", "SERVFAIL"))

    finding = found(*(an_opinion(name, Route.UNKNOWN, because=because) for name, because in reasons))

    assert finding.because == "a, c: SERVFAIL; b: time-out"
