"""The plan's digest and what distinguishes two plans."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailswitch.core.domain import Kind, Switch
from mailswitch.core.names import DomainName
from mailswitch.core.plan import Plan, PlannedChange, differences, digest_of
from mailswitch.core.policy import Route
from mailswitch.core.reports import planned_change
from tests.support.builders import NOW, a_domain, a_finding, a_history, an_entry, an_exchange


def a_turn_off(name: str = "moved.example", *, exchanges: tuple[str, ...] = ("aspmx.l.google.com",)) -> PlannedChange:
    return PlannedChange(
        server="web01",
        kind=Kind.DOMAIN,
        name=DomainName(name),
        switch_from=Switch.ON,
        switch_to=Switch.OFF,
        route=Route.ELSEWHERE,
        exchanges=tuple(map(DomainName, exchanges)),
    )


ENTRIES = [a_turn_off(f"d{number}.example", exchanges=("a.example", "b.example")) for number in range(6)]


def test_a_digest_is_sixteen_hexadecimal_digits_and_stays() -> None:
    """The digest is part of the interface: reviewed plans are kept in tickets."""
    assert digest_of([a_turn_off()]) == "ee6991713679dc2f"
    assert digest_of([]) == "4f53cda18c2baa0c"


@given(order=st.permutations(ENTRIES), cut=st.integers(min_value=0, max_value=6))
def test_a_digest_is_independent_of_order_and_of_what_needs_a_review(order: list[PlannedChange], cut: int) -> None:
    plan = Plan(changes=tuple(order[:cut]), on_review=tuple(order[cut:]))

    assert plan.digest == digest_of(ENTRIES)


def test_a_digest_is_independent_of_the_order_of_exchanges() -> None:
    shuffled = a_turn_off(exchanges=("b.example", "A.example.", "b.example"))

    assert shuffled == a_turn_off(exchanges=("a.example", "b.example"))
    assert digest_of([shuffled]) == digest_of([a_turn_off(exchanges=("a.example", "b.example"))])


@pytest.mark.parametrize(
    "other",
    [
        replace(a_turn_off(), server="web02"),
        replace(a_turn_off(), kind=Kind.ALIAS),
        replace(a_turn_off(), name=DomainName("other.example")),
        replace(a_turn_off(), switch_from=Switch.OFF),
        replace(a_turn_off(), switch_to=Switch.ON),
        replace(a_turn_off(), route=Route.GATEWAY),
        replace(a_turn_off(), exchanges=()),
        replace(a_turn_off(), exchanges=(DomainName("mx.other.example"),)),
    ],
)
def test_a_digest_covers_every_field_of_an_entry(other: PlannedChange) -> None:
    assert digest_of([other]) != digest_of([a_turn_off()])


def test_a_digest_covers_how_many_entries_there_are() -> None:
    digests = {digest_of(ENTRIES[:number]) for number in range(len(ENTRIES) + 1)}

    assert len(digests) == len(ENTRIES) + 1


def test_a_digest_is_independent_of_times_ttls_counters_addresses_and_ids() -> None:
    usual = an_entry()
    other = an_entry(
        domain=a_domain(panel_id="99", created=NOW, display_name="Moved"),
        finding=a_finding(
            ttl=timedelta(seconds=7), vantages=9, exchanges=(an_exchange(preference=30, addresses=("192.0.2.9",)),)
        ),
        history=a_history(sightings=99, last_sighting=NOW - timedelta(hours=3)),
    )

    assert digest_of([planned_change("web01", usual)]) == digest_of([planned_change("web01", other)])


def test_the_same_plans_do_not_differ_whatever_their_order() -> None:
    assert differences(ENTRIES, reversed(ENTRIES)) == ()


def test_plans_differ_by_what_is_gone_and_what_is_new() -> None:
    told = differences([a_turn_off("a.example"), a_turn_off("b.example")], [a_turn_off("b.example", exchanges=())])

    assert told == (
        "no longer: web01: domain a.example on -> off, elsewhere (aspmx.l.google.com)",
        "no longer: web01: domain b.example on -> off, elsewhere (aspmx.l.google.com)",
        "new: web01: domain b.example on -> off, elsewhere",
    )
