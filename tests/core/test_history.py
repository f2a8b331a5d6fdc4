"""What is remembered from pass to pass: sightings and their spread, last seen here, claims, and what is not written."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.domain import Switch
from mailswitch.core.history import Moment, advance, caching_time, confirmation_window, is_confirmed, needed_spread
from mailswitch.core.ledger import Claim, DomainHistory, ServerState
from mailswitch.core.policy import HERE_ROUTES, Confirmation, Route
from mailswitch.core.quorum import Finding, unasked
from mailswitch.core.skips import Skip, Skips
from tests.support.builders import NOW, a_domain, a_finding, a_history, an_opinion

CONFIRM = Confirmation()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
STATE = ServerState(
    server="web01", first_pass=NOW - 30 * DAY, last_pass=NOW - HOUR, inventory_size=40, smaller_since=None
)


def after(
    history: DomainHistory | None,
    finding: Finding | None = None,
    *,
    now: datetime = NOW,
    switch: Switch = Switch.ON,
    state: ServerState | None = STATE,
    confirm: Confirmation = CONFIRM,
) -> DomainHistory:
    moment = Moment(now=now, server=state)
    return advance(history, a_domain(switch=switch), finding or a_finding(), moment, confirm)


def seen_at(*moments: timedelta, confirm: Confirmation = CONFIRM, finding: Finding | None = None) -> DomainHistory:
    """Return the history of a name seen elsewhere at these times after NOW."""
    history: DomainHistory | None = None
    for moment in moments:
        history = after(history, finding, now=NOW + moment, confirm=confirm)
    assert history is not None
    return history


def hours(*amounts: float) -> list[timedelta]:
    return [timedelta(hours=amount) for amount in amounts]


# --- first sight ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "is_first"), [(None, True), (STATE, False)])
def test_a_new_name_is_remembered_with_its_first_sight(state: ServerState | None, is_first: bool) -> None:
    history = after(None, state=state)

    assert (history.first_seen, history.is_from_first_pass) == (NOW, is_first)
    assert (history.route, history.since, history.sightings, history.credited) == (Route.ELSEWHERE, NOW, 1, 0 * HOUR)
    assert not history.was_here


@pytest.mark.parametrize("route", sorted(HERE_ROUTES))
def test_a_new_name_that_is_here_was_here(route: Route) -> None:
    history = after(None, a_finding(route))

    assert (history.was_here, history.route, history.sightings, history.last_seen_here) == (True, route, 0, None)


# --- sightings and their spread -------------------------------------------------------------------


def test_sightings_are_spread_over_the_gaps_between_them() -> None:
    history = seen_at(*hours(0, 5, 11))

    assert (history.sightings, history.credited) == (3, 11 * HOUR)
    assert history.last_sighting == NOW + 11 * HOUR


def test_a_gap_counts_for_at_most_half_the_window() -> None:
    assert seen_at(*hours(0, 12)).credited == 12 * HOUR
    assert seen_at(*hours(0, 100)).credited == 12 * HOUR


def test_time_skipped_by_a_clock_set_forward_is_no_credit() -> None:
    first = after(None)
    spans = (24 * HOUR, 30 * HOUR)
    skips = [Skips((Skip(to=NOW + HOUR + span, span=span),)) for span in spans]
    moments = [Moment(now=NOW + 25 * HOUR, server=STATE, skips=one) for one in skips]

    credited = [advance(first, a_domain(), a_finding(), moment, CONFIRM).credited for moment in moments]

    assert credited == [HOUR, 0 * HOUR]


def test_two_looks_far_apart_are_no_confirmation_but_three_are() -> None:
    finding = a_finding()

    assert not is_confirmed(seen_at(*hours(0, 100)), finding, CONFIRM)
    assert is_confirmed(seen_at(*hours(0, 100, 160)), finding, CONFIRM)


def test_many_looks_within_a_short_time_are_no_confirmation() -> None:
    history = seen_at(*hours(*range(24)))

    assert (history.sightings, history.credited) == (24, 23 * HOUR)
    assert not is_confirmed(history, a_finding(), CONFIRM)
    assert is_confirmed(after(history, now=NOW + 24 * HOUR), a_finding(), CONFIRM)


def test_an_unknown_provider_needs_the_longer_window() -> None:
    unknown = a_finding(provider=None)
    history = seen_at(*hours(*range(0, 72, 6)), finding=unknown)

    assert (history.sightings, history.credited) == (12, 66 * HOUR)
    assert not is_confirmed(history, unknown, CONFIRM)
    assert is_confirmed(after(history, unknown, now=NOW + 72 * HOUR), unknown, CONFIRM)


@pytest.mark.parametrize(
    ("finding", "window"),
    [
        (a_finding(), 24),
        (a_finding(provider=None), 72),
        (a_finding(Route.GATEWAY), 72),
        (a_finding(Route.IMPLICIT_ELSEWHERE, exchanges=()), 72),
        (a_finding(Route.NO_MAIL, exchanges=()), 24),
        (a_finding(Route.NO_DOMAIN, exchanges=()), 24),
    ],
)
def test_the_window_is_the_longer_one_where_mail_goes_somewhere_unknown(finding: Finding, window: int) -> None:
    assert confirmation_window(finding, CONFIRM) == window * HOUR


def test_a_gap_of_seven_days_is_still_one_credit() -> None:
    assert seen_at(0 * HOUR, 7 * DAY).sightings == 2


def test_a_gap_over_seven_days_starts_over() -> None:
    history = seen_at(0 * HOUR, HOUR, 7 * DAY + HOUR + timedelta(seconds=1))

    assert (history.sightings, history.credited, history.since) == (1, 0 * HOUR, history.last_sighting)


def test_a_clock_that_went_backwards_starts_over() -> None:
    history = seen_at(*hours(0, 10, 9))

    assert (history.sightings, history.credited, history.last_sighting) == (1, 0 * HOUR, NOW + 9 * HOUR)


@pytest.mark.parametrize(
    "finding",
    [a_finding(Route.UNKNOWN), a_finding(is_sighting=False), unasked()],
    ids=["unknown", "one-view", "unasked"],
)
def test_unknown_and_no_quorum_count_as_nothing(finding: Finding) -> None:
    before = seen_at(*hours(0, 6))

    history = after(before, finding, now=NOW + 8 * HOUR)

    assert replace(history, unknown_since=None) == before


@pytest.mark.parametrize("route", [Route.ELSEWHERE, Route.GATEWAY, Route.HERE])
def test_answers_from_memory_count_as_nothing(route: Route) -> None:
    before = seen_at(*hours(0, 6))
    remembered = a_finding(route, is_sighting=False, opinions=(an_opinion("a", route, is_remembered=True),))
    told = replace(remembered, is_seen_here=False)

    assert after(before, told, now=NOW + 8 * HOUR) is before


def test_unknown_passes_in_between_do_not_start_over() -> None:
    history = after(seen_at(*hours(0, 6)), a_finding(Route.UNKNOWN), now=NOW + 8 * HOUR)

    history = after(history, now=NOW + 12 * HOUR)

    assert (history.sightings, history.credited, history.unknown_since) == (3, 12 * HOUR, None)


@pytest.mark.parametrize("route", [route for route in Route if route not in {Route.ELSEWHERE, Route.UNKNOWN}])
@pytest.mark.parametrize("is_sighting", [True, False])
def test_a_different_definite_route_resets(route: Route, is_sighting: bool) -> None:
    history = after(a_history(), a_finding(route, is_sighting=is_sighting))

    assert (history.route, history.since, history.credited) == (route, NOW, 0 * HOUR)
    assert history.sightings == (1 if is_sighting and route not in HERE_ROUTES else 0)
    assert not is_confirmed(history, a_finding(route), CONFIRM)


def test_a_route_first_seen_by_one_vantage_counts_its_sightings_from_the_first_quorum() -> None:
    history = after(None, a_finding(Route.GATEWAY, is_sighting=False))

    history = after(history, a_finding(Route.GATEWAY), now=NOW + HOUR)

    assert (history.sightings, history.since, history.last_sighting) == (1, NOW, NOW + HOUR)


@pytest.mark.parametrize("route", [Route.UNKNOWN, Route.GATEWAY, Route.ELSEWHERE])
def test_a_single_here_from_any_vantage_resets_and_counts_as_seen_here(route: Route) -> None:
    history = after(a_history(was_here=False), a_finding(route, is_seen_here=True))

    assert (history.sightings, history.last_sighting, history.credited) == (0, None, 0 * HOUR)
    assert (history.was_here, history.last_seen_here) == (True, NOW)


def test_the_route_of_another_finding_is_not_confirmed() -> None:
    assert not is_confirmed(a_history(route=Route.GATEWAY), a_finding(), CONFIRM)


# --- TTL ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("old", "new", "kept"), [(48, 1, 48), (1, 48, 48), (1, 1, 1)])
def test_the_larger_ttl_of_the_old_and_the_new_mx_is_kept(old: int, new: int, kept: int) -> None:
    history = after(None, a_finding(Route.HERE, ttl=old * HOUR))

    history = after(history, a_finding(ttl=new * HOUR), now=NOW + HOUR)

    assert history.ttl == kept * HOUR


def test_a_ttl_that_grows_while_the_route_stays_is_kept() -> None:
    history = after(a_history(route=Route.HERE, sightings=0, was_here=True), a_finding(Route.HERE, ttl=2 * HOUR))

    assert history.ttl == 2 * HOUR


def test_a_larger_ttl_takes_a_confirmation_back() -> None:
    history = after(a_history(credited=24 * HOUR), a_finding(ttl=48 * HOUR), now=NOW + HOUR)

    assert not is_confirmed(history, a_finding(), CONFIRM)


@pytest.mark.parametrize(("ttl", "needed"), [(1, 24), (24, 24), (48, 48), (7 * 24, 7 * 24), (400 * 24, 7 * 24)])
def test_sightings_are_spread_over_the_ttl_but_never_over_more_than_seven_days(ttl: int, needed: int) -> None:
    assert needed_spread(a_history(ttl=ttl * HOUR), CONFIRM.window) == needed * HOUR


def test_caches_keep_an_answer_for_seven_days_at_most() -> None:
    assert caching_time(a_history(ttl=timedelta(seconds=2**31))) == 7 * DAY
    assert caching_time(a_history(ttl=HOUR)) == HOUR


def test_without_a_window_the_ttl_does_not_apply() -> None:
    confirm = Confirmation(sightings=1, window=timedelta(0))

    history = seen_at(0 * HOUR, confirm=confirm, finding=a_finding(ttl=48 * HOUR))

    assert needed_spread(history, confirm.window) == timedelta(0)
    assert is_confirmed(history, a_finding(), confirm)


# --- last seen here -------------------------------------------------------------------------------


def test_mail_was_last_seen_here_in_the_pass_before_it_left() -> None:
    history = after(a_history(route=Route.HERE, was_here=True), a_finding())

    assert (history.last_seen_here, history.was_here) == (STATE.last_pass, True)


def test_mail_that_left_while_nobody_could_tell_was_last_seen_here_before_that() -> None:
    before = a_history(route=Route.HERE, was_here=True, unknown_since=NOW - 5 * DAY)

    history = after(before, a_finding())

    assert (history.last_seen_here, history.unknown_since) == (NOW - 5 * DAY, None)


@pytest.mark.parametrize("state", [None, replace(STATE, last_pass=NOW + DAY)], ids=["no-pass", "clock-was-ahead"])
def test_mail_was_never_last_seen_here_in_the_future(state: ServerState | None) -> None:
    history = after(a_history(route=Route.HERE, was_here=True), a_finding(), state=state)

    assert history.last_seen_here == NOW


def test_moving_on_elsewhere_keeps_when_it_was_last_seen_here() -> None:
    history = after(a_history(last_seen_here=NOW - 9 * DAY, was_here=True), a_finding(Route.GATEWAY))

    assert history.last_seen_here == NOW - 9 * DAY


def test_one_way_of_being_here_to_another_is_no_leaving() -> None:
    history = after(a_history(route=Route.HERE, was_here=True), a_finding(Route.BACKUP_HERE))

    assert (history.route, history.last_seen_here) == (Route.BACKUP_HERE, None)


# --- unknown since --------------------------------------------------------------------------------


def test_unknown_is_dated_once_and_cleared_by_a_definite_route() -> None:
    unknown = after(a_history(), a_finding(Route.UNKNOWN))
    still = after(unknown, a_finding(Route.UNKNOWN), now=NOW + HOUR)
    known = after(still, now=NOW + 2 * HOUR)

    assert unknown.unknown_since == NOW
    assert still is unknown
    assert known.unknown_since is None


def test_a_name_nobody_is_asked_about_is_not_unknown_since() -> None:
    before = a_history(route=None)

    assert after(before, unasked()) is before


# --- claims ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "switch", "route", "wanted"),
    [
        (Claim.OURS, Switch.OFF, Route.ELSEWHERE, Claim.OURS),
        (Claim.OURS, Switch.OFF, Route.HERE, Claim.OURS),
        (Claim.OURS, Switch.UNKNOWN, Route.ELSEWHERE, Claim.OURS),
        (Claim.OURS, Switch.NOT_CONFIGURED, Route.ELSEWHERE, Claim.NONE),
        (Claim.OURS, Switch.ON, Route.ELSEWHERE, Claim.RE_ENABLED),
        (Claim.OURS, Switch.ON, Route.GATEWAY, Claim.RE_ENABLED),
        (Claim.OURS, Switch.ON, Route.UNKNOWN, Claim.RE_ENABLED),
        (Claim.OURS, Switch.ON, Route.HERE, Claim.NONE),
        (Claim.RE_ENABLED, Switch.ON, Route.ELSEWHERE, Claim.RE_ENABLED),
        (Claim.RE_ENABLED, Switch.ON, Route.UNKNOWN, Claim.RE_ENABLED),
        (Claim.RE_ENABLED, Switch.UNKNOWN, Route.ELSEWHERE, Claim.RE_ENABLED),
        (Claim.RE_ENABLED, Switch.ON, Route.HERE, Claim.NONE),
        (Claim.RE_ENABLED, Switch.ON, Route.BACKUP_HERE, Claim.NONE),
        (Claim.RE_ENABLED, Switch.ON, Route.IMPLICIT_HERE, Claim.NONE),
        (Claim.RE_ENABLED, Switch.OFF, Route.ELSEWHERE, Claim.NONE),
        (Claim.RE_ENABLED, Switch.NOT_CONFIGURED, Route.ELSEWHERE, Claim.NONE),
        (Claim.NONE, Switch.ON, Route.ELSEWHERE, Claim.NONE),
        (Claim.NONE, Switch.OFF, Route.HERE, Claim.NONE),
    ],
)
def test_claims_follow_the_switch_and_the_route(claim: Claim, switch: Switch, route: Route, wanted: Claim) -> None:
    assert after(a_history(claim=claim), a_finding(route), switch=switch).claim is wanted


def test_a_re_enabled_name_is_not_forgiven_without_a_quorum_of_this_pass() -> None:
    seen = a_finding(Route.HERE, is_sighting=False)

    assert after(a_history(claim=Claim.RE_ENABLED), seen).claim is Claim.RE_ENABLED


# --- what is written ------------------------------------------------------------------------------


@pytest.mark.parametrize("route", sorted(HERE_ROUTES))
@pytest.mark.parametrize("is_sighting", [True, False])
def test_an_unchanged_name_that_is_here_is_the_same_object(route: Route, is_sighting: bool) -> None:
    before = a_history(route=route, sightings=0, last_sighting=None, credited=timedelta(0), was_here=True)

    assert after(before, a_finding(route, is_sighting=is_sighting, ttl=timedelta(minutes=80))) is before


def test_an_unchanged_held_name_seen_by_one_vantage_is_the_same_object() -> None:
    before = a_history(route=Route.GATEWAY, sightings=0, last_sighting=None)

    assert after(before, a_finding(Route.GATEWAY, is_sighting=False)) is before


def test_a_confirmed_route_is_written_at_most_once_a_day() -> None:
    before = a_history(last_sighting=NOW)

    assert after(before, now=NOW + 23 * HOUR) is before
    assert after(before, now=NOW + 24 * HOUR).last_sighting == NOW + 24 * HOUR


def test_an_unconfirmed_route_is_written_each_time() -> None:
    before = seen_at(0 * HOUR)

    assert after(before, now=NOW + HOUR).sightings == 2


@given(
    gaps=st.lists(st.timedeltas(min_value=-10 * DAY, max_value=10 * DAY), max_size=12),
    routes=st.lists(st.sampled_from([Route.ELSEWHERE, Route.ELSEWHERE, Route.UNKNOWN, Route.GATEWAY]), min_size=13),
)
def test_no_course_of_time_credits_more_than_half_a_window_for_each_gap(
    gaps: list[timedelta], routes: list[Route]
) -> None:
    history, now = after(None, a_finding(routes[0])), NOW
    for gap, route in zip(gaps, routes[1:], strict=False):
        now += gap
        history = after(history, a_finding(route), now=now)

    longest = max(CONFIRM.window, CONFIRM.unknown_provider_window) / 2
    assert timedelta(0) <= history.credited <= longest * max(history.sightings - 1, 0)
