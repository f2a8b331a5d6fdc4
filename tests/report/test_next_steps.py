"""What happens next to a name, and when, follows from the decision, the mode, a pause and limits."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from mailswitch.core.domain import Switch
from mailswitch.core.ledger import Claim, Guard
from mailswitch.core.limits import Refusal
from mailswitch.core.policy import Mode, Route
from mailswitch.core.reports import DomainReport
from mailswitch.core.table import Verdict
from mailswitch.report.advice import advice
from mailswitch.report.next_steps import next_steps
from tests.support.builders import NOW, a_decision, a_domain, a_finding, a_history, a_pause, an_entry

LIMIT = Refusal(server="web01", code="limits.changes", text="too many")


def steps(entry: DomainReport, mode: Mode = Mode.ENFORCE) -> str:
    return " ".join(next_steps(entry, mode=mode, now=NOW))


def held(*guards: Guard, due: datetime | None = None) -> DomainReport:
    return an_entry(decision=a_decision(holding=guards, due=due))


def test_what_is_due_is_turned_off_by_the_next_pass() -> None:
    assert steps(an_entry()) == "The next pass turns it off."
    assert "mode report turns nothing off: mailswitch once --apply" in steps(an_entry(), Mode.REPORT)


def test_a_limit_stands_in_front_but_not_of_names_nobody_may_host() -> None:
    stopped = next_steps(an_entry(), mode=Mode.ENFORCE, refusal=LIMIT, now=NOW)
    free = next_steps(an_entry(is_never_local=True), mode=Mode.ENFORCE, refusal=LIMIT, now=NOW)

    assert "A limit stands in front of it (limits.changes)" in stopped[0]
    assert free == ("The next pass turns it off.",)


def test_a_pause_comes_first() -> None:
    entry = an_entry(decision=a_decision(Verdict.TURN_ON))

    off = next_steps(an_entry(), mode=Mode.ENFORCE, pause=a_pause(), now=NOW)
    on = next_steps(entry, mode=Mode.ENFORCE, pause=a_pause(reason=None), now=NOW)

    assert off[0] == "Paused by alice (migration of web01). Nothing is turned off before mailswitch resume."
    assert on == ("Paused by alice. Mail to it is refused until then: mailswitch resume.",)


def test_what_comes_back_is_turned_on_unless_the_mode_only_reports() -> None:
    entry = an_entry(decision=a_decision(Verdict.TURN_ON))

    assert steps(entry) == "The next pass turns it on again."
    assert "Mail to it is refused and mode report turns nothing on" in steps(entry, Mode.REPORT)


def test_an_unconfirmed_name_is_due_at_a_time() -> None:
    words = steps(held(Guard.UNCONFIRMED, due=NOW + timedelta(hours=20)))

    assert "unconfirmed: it is due to be turned off at 2026-03-02 08:00 UTC at the earliest" in words
    assert "A review lifts all of it" in words


def test_an_unconfirmed_name_that_other_guards_hold_stays_held() -> None:
    words = next_steps(
        held(Guard.UNKNOWN_PROVIDER, Guard.UNCONFIRMED, due=NOW + timedelta(hours=1)), mode=Mode.ENFORCE, now=NOW
    )

    assert words[0].startswith("unconfirmed: it is confirmed (and still held by the rest) at 2026-03-01 13:00 UTC")
    assert words[1].startswith("unknown-provider: ask the customer")


@pytest.mark.parametrize("due", [None, NOW, NOW - timedelta(days=1)])
def test_without_a_time_ahead_the_next_pass_is_the_earliest(due: datetime | None) -> None:
    assert "so not before the next pass" in steps(held(Guard.UNCONFIRMED, due=due))


def test_what_no_review_lifts_is_not_offered_for_review() -> None:
    words = steps(held(Guard.PINNED, Guard.UNCONFIRMED))

    assert "pinned: mailswitch unpin NAME lets it go." in words
    assert "A review lifts" not in words


def test_a_name_held_by_its_route_waits_for_the_route() -> None:
    entry = an_entry(finding=a_finding(Route.GATEWAY), decision=a_decision(Verdict.HOLD))

    assert steps(entry).startswith("Nothing happens by itself while the route stays as it is. gateway: a filter relays")


@pytest.mark.parametrize(
    ("switch", "claim", "words"),
    [
        (Switch.ON, Claim.NONE, "Nothing: it stays on"),
        (Switch.OFF, Claim.OURS, "It stays off until a quorum"),
        (Switch.OFF, Claim.NONE, "Nothing: somebody else turned it off"),
    ],
)
def test_a_kept_name_says_what_would_move_it(switch: Switch, claim: Claim, words: str) -> None:
    entry = an_entry(domain=a_domain(switch=switch), decision=a_decision(Verdict.KEEP), history=a_history(claim=claim))

    assert steps(entry).startswith(words)


def test_mode_report_is_not_said_to_turn_anything_on() -> None:
    entry = an_entry(
        domain=a_domain(switch=Switch.OFF), decision=a_decision(Verdict.KEEP), history=a_history(claim=Claim.OURS)
    )

    assert "mode report turns nothing on" in steps(entry, Mode.REPORT)
    assert "turned on at once" not in steps(entry, Mode.REPORT)


@pytest.mark.parametrize("code", [*Guard, *Route])
def test_there_is_advice_for_every_guard_and_route(code: str) -> None:
    assert advice(code)


def test_a_guard_that_a_review_lifts_mentions_the_review_and_no_other_does() -> None:
    assert {guard for guard in Guard if "review" in advice(guard)} == {guard for guard in Guard if guard.is_liftable}


def test_an_unknown_code_asks_for_nothing() -> None:
    assert advice("dissent") == ""
