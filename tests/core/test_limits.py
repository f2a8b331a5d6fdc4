"""What stands in front of turn-offs however sure each one is, at its boundaries."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

import pytest

from mailswitch.core.domain import HostedDomain, Inventory, Platform, ServerAddress, ServerIdentity, Switch
from mailswitch.core.ledger import DomainHistory, ServerState
from mailswitch.core.limits import (
    Refusal,
    VantageFailures,
    change_refusal,
    identity_refusal,
    inventory_refusal,
    next_server_state,
    unknown_refusal,
)
from mailswitch.core.mx import address
from mailswitch.core.policy import HERE_ROUTES, Limits, Route
from tests.support.builders import NOW, a_domain, a_history

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LIMITS = Limits()


def an_inventory(size: int = 0, *addresses: ServerAddress) -> Inventory:
    domains: tuple[HostedDomain, ...] = tuple(a_domain(f"d{number}.example") for number in range(size))
    return Inventory(
        server="web01",
        panel="xml-api",
        version="18.0.61",
        platform=Platform.LINUX,
        host_name=None,
        addresses=addresses,
        domains=domains,
    )


def a_state(size: int = 100, *, smaller_since: timedelta | None = None) -> ServerState:
    """Return a server whose normal size is ``size``; ``smaller_since`` is a time before NOW."""
    since = None if smaller_since is None else NOW - smaller_since
    return ServerState(
        server="web01", first_pass=NOW - 9 * DAY, last_pass=NOW - HOUR, inventory_size=size, smaller_since=since
    )


# --- changes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "planned", "recent", "key"),
    [
        (1000, 20, 0, None),
        (1000, 21, 0, "limits.changes"),
        (1000, 15, 5, None),
        (1000, 15, 6, "limits.changes"),
        (1000, 1, 20, "limits.changes"),
        (1000, 0, 50, None),
        (150, 15, 0, None),
        (150, 16, 0, "limits.share"),
        (159, 16, 0, "limits.share"),
        (10, 3, 0, None),
        (10, 4, 0, "limits.share"),
        (10, 2, 2, "limits.share"),
        (0, 3, 0, None),
        (30, 3, 0, None),
        (40, 4, 0, None),
        (200, 20, 0, None),
    ],
)
def test_turn_offs_of_a_rolling_day_are_limited_by_number_and_share(
    names: int, planned: int, recent: int, key: str | None
) -> None:
    refusal = change_refusal("web01", LIMITS, names=names, planned=planned, recent=recent)

    assert (None if refusal is None else refusal.code) == key


@pytest.mark.parametrize("percent", range(1, 101))
def test_a_share_is_what_it_says_whatever_binary_fractions_make_of_it(percent: int) -> None:
    limits = Limits(changes=1000, share=percent / 100)
    allowed = max(percent, 3)

    assert change_refusal("web01", limits, names=100, planned=allowed, recent=0) is None
    assert change_refusal("web01", limits, names=100, planned=allowed + 1, recent=0) is not None


def test_a_limit_of_no_changes_stops_every_one() -> None:
    assert change_refusal("web01", Limits(changes=0), names=100, planned=1, recent=0) is not None


def test_a_refusal_tells_count_limit_and_key() -> None:
    by_number = change_refusal("web01", LIMITS, names=1000, planned=18, recent=4)
    by_share = change_refusal("web01", LIMITS, names=50, planned=6, recent=0)

    assert by_number is not None
    assert by_share is not None
    assert (
        by_number.text == "turning off 18 switches with 4 in the last 24 hours is more than limits.changes allows: 20"
    )
    assert "6 switches is more than limits.share allows: 5 (10% of 50 names, never less than 3)" in by_share.text
    assert by_share.server == "web01"


# --- unknown --------------------------------------------------------------------------------------


def names_with(unknown: int, known: int, history: DomainHistory | None = None) -> list[tuple[DomainHistory, Route]]:
    one = history or a_history()
    return [*[(one, Route.UNKNOWN)] * unknown, *[(one, Route.HERE)] * known]


def refused(
    before: list[tuple[DomainHistory, Route]], *vantages: VantageFailures, limits: Limits = LIMITS
) -> Refusal | None:
    return unknown_refusal("web01", limits, before=before, vantages=vantages, now=NOW)


@pytest.mark.parametrize(
    ("unknown", "asked", "remembered", "is_refused"),
    [(5, 5, 90, True), (5, 15, 80, True), (5, 20, 75, False), (4, 0, 96, False), (4, 0, 15, True), (30, 70, 0, True)],
)
def test_names_told_from_memory_do_not_hide_that_public_dns_is_out_of_order(
    unknown: int, asked: int, remembered: int, is_refused: bool
) -> None:
    before = names_with(unknown, asked + remembered)

    refusal = unknown_refusal("web01", Limits(), before=before, vantages=(), now=NOW, remembered=remembered)

    assert (refusal is not None) is is_refused
    if refusal is not None and asked == 5:
        assert refusal.text.startswith("5 of 10 names with a known route, asked about anew, are unknown now")


@pytest.mark.parametrize(
    ("unknown", "known", "is_refused"), [(0, 10, False), (2, 8, False), (3, 7, True), (1, 0, True), (20, 80, False)]
)
def test_no_turn_offs_where_more_than_a_fifth_of_known_names_are_unknown(
    unknown: int, known: int, is_refused: bool
) -> None:
    refusal = refused(names_with(unknown, known))

    assert (refusal is not None) is is_refused
    assert refusal is None or (refusal.code == "limits.unknown_share" and f"{unknown} of" in refusal.text)


def test_the_unknown_share_has_its_limit_from_the_settings() -> None:
    assert refused(names_with(29, 71), limits=Limits(unknown_share=0.29)) is None
    assert refused(names_with(30, 70), limits=Limits(unknown_share=0.29)) is not None


@pytest.mark.parametrize(
    ("history", "counts"),
    [
        (a_history(unknown_since=NOW - 7 * DAY), True),
        (a_history(unknown_since=NOW - 7 * DAY - HOUR), False),
        (a_history(route=None), False),
    ],
)
def test_only_names_with_a_definite_route_within_seven_days_count(history: DomainHistory, counts: bool) -> None:
    before = [*names_with(4, 0, history), *names_with(0, 10)]

    assert (refused(before) is not None) is counts


@pytest.mark.parametrize(
    ("queries", "failures", "is_refused"),
    [(10, 2, False), (10, 3, True), (0, 0, False), (100, 20, False), (1, 1, True)],
)
def test_a_first_pass_is_measured_by_each_vantage(queries: int, failures: int, is_refused: bool) -> None:
    good = VantageFailures(name="a", queries=1000, failures=0)
    other = VantageFailures(name="b", queries=queries, failures=failures)

    refusal = refused([], good, other)

    assert (refusal is not None) is is_refused
    assert refusal is None or (refusal.code == "limits.unknown_share" and "vantage b failed" in refusal.text)


def test_what_fails_of_the_domains_own_servers_says_nothing_about_public_dns() -> None:
    assert refused([], VantageFailures(name="authoritative", queries=10, failures=10, is_authoritative=True)) is None


def test_later_passes_are_not_measured_by_vantage() -> None:
    assert refused(names_with(0, 1), VantageFailures(name="a", queries=10, failures=10)) is None


# --- inventory ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("normal", "size", "is_refused"),
    [
        (100, 80, False),
        (100, 79, True),
        (100, 100, False),
        (100, 140, False),
        (20, 15, False),
        (20, 14, True),
        (10, 5, False),
        (10, 4, True),
        (4, 1, False),
        (1, 0, True),
        (4, 0, True),
        (0, 0, False),
    ],
)
def test_an_inventory_that_shrank_by_a_fifth_and_five_names_or_to_nothing_is_refused(
    normal: int, size: int, is_refused: bool
) -> None:
    refusal = inventory_refusal(an_inventory(size), a_state(normal), NOW)

    assert (refusal is not None) is is_refused
    assert refusal is None or refusal.code == "inventory-shrunk"


def test_a_first_inventory_is_whatever_it_is() -> None:
    assert inventory_refusal(an_inventory(0), None, NOW) is None


@pytest.mark.parametrize("size", [0, 50])
@pytest.mark.parametrize(("ago", "is_refused"), [(23 * HOUR, True), (24 * HOUR, False), (-HOUR, True)])
def test_a_smaller_inventory_is_normal_after_a_day(size: int, ago: timedelta, is_refused: bool) -> None:
    refusal = inventory_refusal(an_inventory(size), a_state(smaller_since=ago), NOW)

    assert (refusal is not None) is is_refused


def test_a_shrunk_inventory_says_since_when_and_from_what() -> None:
    few = inventory_refusal(an_inventory(50), a_state(smaller_since=3 * HOUR), NOW)
    none = inventory_refusal(an_inventory(0), a_state(), NOW)

    assert few is not None
    assert none is not None
    assert "lists only 50 names where it had 100" in few.text
    assert "so far 3 h" in few.text
    assert "lists no names where it had 100" in none.text


def test_the_state_of_a_server_begins_with_its_first_pass() -> None:
    state = next_server_state(an_inventory(7), None, NOW)

    assert (state.server, state.first_pass, state.last_pass) == ("web01", NOW, NOW)
    assert (state.inventory_size, state.smaller_since) == (7, None)


@pytest.mark.parametrize("size", [85, 130])
def test_an_inventory_of_about_the_same_size_is_the_new_normal(size: int) -> None:
    state = next_server_state(an_inventory(size), a_state(smaller_since=HOUR), NOW)

    assert (state.inventory_size, state.smaller_since, state.last_pass) == (size, None, NOW)


@pytest.mark.parametrize(("known", "since"), [(None, 0 * HOUR), (5 * HOUR, 5 * HOUR), (-HOUR, 0 * HOUR)])
def test_a_shrunk_inventory_is_dated_once_and_never_in_the_future(known: timedelta | None, since: timedelta) -> None:
    state = next_server_state(an_inventory(50), a_state(smaller_since=known), NOW)

    assert (state.inventory_size, state.smaller_since) == (100, NOW - since)


def test_a_shrunk_inventory_becomes_normal_after_a_day_of_passes() -> None:
    state, now = a_state(), NOW
    for _ in range(24):
        state = next_server_state(an_inventory(50), state, now)
        assert state.inventory_size == 100
        now += HOUR

    assert next_server_state(an_inventory(50), state, now).inventory_size == 50


# --- identity -------------------------------------------------------------------------------------

PRIVATE, PUBLIC = address("10.0.0.5"), address("203.0.113.10")
NO_ADDRESSES = ServerIdentity(addresses=frozenset())


def ours(*addresses: str) -> ServerIdentity:
    return ServerIdentity(addresses=frozenset(map(address, addresses)))


@pytest.mark.parametrize(
    ("entries", "identity", "is_refused"),
    [
        ([ServerAddress(address=PRIVATE)], ours("10.0.0.5"), True),
        ([ServerAddress(address=PRIVATE)], ours("10.0.0.5", "2001:db8::1"), True),
        ([ServerAddress(address=PRIVATE)], ours("10.0.0.5", "203.0.113.10"), False),
        ([ServerAddress(address=PRIVATE, public=PUBLIC)], ours("10.0.0.5", "203.0.113.10"), False),
        ([ServerAddress(address=PRIVATE, public=address("192.168.1.1"))], ours("10.0.0.5", "192.168.1.1"), True),
        ([ServerAddress(address=PUBLIC)], ours("203.0.113.10"), False),
        ([ServerAddress(address=address("fd00::5"))], ours("fd00::5"), False),
        ([], NO_ADDRESSES, False),
        (
            [ServerAddress(address=PRIVATE)],
            ServerIdentity(addresses=frozenset({PRIVATE}), networks=(ip_network("203.0.113.0/28"),)),
            False,
        ),
    ],
)
def test_a_server_whose_private_address_has_no_public_one_is_refused(
    entries: list[ServerAddress], identity: ServerIdentity, is_refused: bool
) -> None:
    refusal = identity_refusal(an_inventory(0, *entries), identity, [])

    assert (refusal is not None) is is_refused
    assert refusal is None or (refusal.code == "ours-incomplete" and "local.addresses" in refusal.text)


def test_a_missing_public_address_is_not_lifted_by_confirming_that_nothing_is_here() -> None:
    identity = ServerIdentity(addresses=frozenset({PRIVATE}), is_confirmed=True)

    assert identity_refusal(an_inventory(0, ServerAddress(address=PRIVATE)), identity, []) is not None


def routed(on: int, *others: tuple[Switch, Route], route: Route = Route.ELSEWHERE) -> list[tuple[Switch, Route]]:
    return [*[(Switch.ON, route)] * on, *others]


@pytest.mark.parametrize(
    ("routes", "is_refused"),
    [
        (routed(5), True),
        (routed(4), False),
        (routed(4, (Switch.OFF, Route.ELSEWHERE)), False),
        (routed(4, (Switch.ON, Route.UNKNOWN)), True),
        (routed(5, (Switch.OFF, Route.HERE)), True),
        (routed(9, route=Route.UNKNOWN), False),
        (routed(5, route=Route.GATEWAY), True),
        *[(routed(5, (Switch.ON, route)), False) for route in sorted(HERE_ROUTES)],
    ],
)
def test_a_server_where_five_names_are_on_and_none_routes_here_is_refused(
    routes: list[tuple[Switch, Route]], is_refused: bool
) -> None:
    identity = ours("203.0.113.10")

    refusal = identity_refusal(an_inventory(), identity, routes)

    assert (refusal is not None) is is_refused
    assert refusal is None or (refusal.code == "ours-incomplete" and "local.confirmed: true" in refusal.text)
    assert identity_refusal(an_inventory(), replace(identity, is_confirmed=True), routes) is None
