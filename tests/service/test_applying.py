"""Turning switches: intent, call, read-back, outcome; what panels and people do in between."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mailswitch.core.domain import Switch
from mailswitch.core.errors import LedgerError
from mailswitch.core.ledger import Actor, Change, Claim, Outcome, Pin
from mailswitch.core.names import DomainName, NamePattern
from mailswitch.core.policy import Route
from mailswitch.service.apply import perform
from mailswitch.service.ports import Ledger
from tests.support.builders import NOW, a_change
from tests.support.ports import HERE, HOUR, FakePanel, Scene, Whim, entries_of, outcomes_of, stands_for

MANY = tuple(f"d{number}.example" for number in range(6))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, "moved.example")


def an_intent(scene: Scene) -> Change:
    domain = scene.plesk.domains["moved.example"]
    return a_change(id=None, outcome=None, finished_at=None, run_id=None, panel_id=domain.panel_id)


class LoggedLedger:
    """A real ledger that writes into the panel's own diary, so that the order of both can be told."""

    def __init__(self, ledger: Ledger, diary: list[tuple[str, ...]]) -> None:
        self._ledger, self._diary = ledger, diary

    def intend(self, change: Change) -> int:
        self._diary.append(("intend", change.name.text))
        return self._ledger.intend(change)

    def settle(self, change_id: int, **outcome: object) -> None:
        self._diary.append(("settle", str(outcome["outcome"])))
        self._ledger.settle(change_id, **outcome)  # type: ignore[arg-type]  # handed on as it came


def test_a_change_is_intended_made_read_back_and_settled_in_this_order(scene: Scene) -> None:
    with scene.place.locked() as ledger:
        logged = LoggedLedger(ledger, scene.plesk.calls)

        attempt = perform(logged, FakePanel(scene.plesk), an_intent(scene), scene.clock)  # type: ignore[arg-type]

        assert scene.plesk.calls == [
            ("intend", "moved.example"),
            ("turn", "moved.example", "off"),
            ("read", "moved.example"),
            ("settle", "done"),
        ]
        assert attempt.is_done
        assert ledger.changes()[0] == attempt.change


def test_the_intent_is_on_the_disk_before_the_panel_is_called(scene: Scene) -> None:
    """Seen by a second connection, at the moment of the call."""
    seen: list[list[tuple[str, str, str | None]]] = []

    class Watched(FakePanel):
        def turn(self, target: object, to: Switch) -> None:
            seen.append(stands_for(scene.changes()))
            super().turn(target, to)  # type: ignore[arg-type]  # handed on as it came

    with scene.place.locked() as ledger:
        perform(ledger, Watched(scene.plesk), an_intent(scene), scene.clock)

    assert seen == [[("moved.example", "off", None)]]


def test_without_a_durable_intent_the_panel_is_not_called(scene: Scene) -> None:
    with scene.place.locked() as ledger:
        ledger.close()

        with pytest.raises(LedgerError):
            perform(ledger, FakePanel(scene.plesk), an_intent(scene), scene.clock)

    assert scene.plesk.writes == []


def test_a_change_keeps_its_evidence(scene: Scene) -> None:
    scene.once()

    (change,) = scene.changes()
    evidence = json.loads(change.evidence)
    assert (change.actor, change.by, change.run_id) == (Actor.MAILSWITCH, "alice", "run-1")
    assert (change.switch_from, change.switch_to, change.route) == (Switch.ON, Switch.OFF, Route.ELSEWHERE)
    assert change.exchanges == (DomainName("aspmx.l.google.com"),)
    assert [one["vantage"] for one in evidence["vantages"]] == ["a", "b", "c"]
    assert evidence["mx"] == [
        {"preference": 10, "exchange": "aspmx.l.google.com", "addresses": ["198.51.100.26"]},
    ]
    assert "aspmx.l.google.com" in change.reason
    assert scene.history().claim_route is Route.ELSEWHERE


# ---- what panels do


def test_a_write_applied_though_the_reply_was_lost_is_done(scene: Scene) -> None:
    scene.plesk.whims["moved.example"] = [Whim.REPLY_LOST]

    report = scene.once()

    assert outcomes_of(report) == {"moved.example": "done"}
    assert stands_for(scene.changes()) == [("moved.example", "off", "done")]
    assert scene.history().claim is Claim.OURS


def test_a_write_accepted_but_not_applied_has_failed_with_a_message(scene: Scene) -> None:
    scene.plesk.whims["moved.example"] = [Whim.NOT_APPLIED]

    report = scene.once()

    entry = entries_of(report)["moved.example"]
    assert (entry.outcome, entry.error) == ("failed", "the write did not take effect; read back, the switch is on")
    assert stands_for(scene.changes()) == [("moved.example", "off", "failed")]
    assert scene.history().claim is Claim.NONE
    assert scene.plesk.writes == [("moved.example", "off")]


def test_a_refused_write_has_failed_and_is_not_tried_again_in_this_pass(scene: Scene) -> None:
    scene.plesk.whims["*"] = [Whim.REFUSED]

    report = scene.once()

    assert outcomes_of(report) == {"moved.example": "failed"}
    assert scene.plesk.writes == [("moved.example", "off")]
    with scene.reading() as reader:
        (done,) = reader.last_passes()
    assert (done.error_code, done.error_text) == ("failed", "1 change failed, see mailswitch history")


def test_a_failed_write_is_tried_anew_by_the_next_pass_after_a_look(scene: Scene) -> None:
    scene.plesk.whims["moved.example"] = [Whim.REFUSED]
    scene.once()

    scene.once()

    assert stands_for(scene.changes()) == [("moved.example", "off", "failed"), ("moved.example", "off", "done")]
    assert scene.plesk.writes_without_a_look() == []


def test_a_lost_reply_with_the_switch_unmoved_stays_open_for_the_panel_may_still_be_at_it(scene: Scene) -> None:
    scene.plesk.whims["moved.example"] = [Whim.LOST]

    report = scene.once()

    entry = entries_of(report)["moved.example"]
    assert entry.outcome == "failed"
    assert "the next pass looks whether it was done after all" in (entry.error or "")
    assert stands_for(scene.changes()) == [("moved.example", "off", None)]


def test_a_lost_write_that_took_effect_late_is_ours_and_undone_when_the_mail_comes_back(scene: Scene) -> None:
    scene.plesk.whims["moved.example"] = [Whim.LOST]
    scene.once()
    scene.plesk.toggle("moved.example", Switch.OFF)
    scene.comes_back("moved.example")

    scene.once()

    assert scene.plesk.switch("moved.example") is Switch.ON
    assert stands_for(scene.changes()) == [("moved.example", "off", "done"), ("moved.example", "on", "done")]


def test_a_lost_write_that_never_took_effect_is_settled_as_failed_and_made_anew(scene: Scene) -> None:
    scene.plesk.whims["moved.example"] = [Whim.LOST]
    scene.once()

    scene.once()

    assert stands_for(scene.changes()) == [("moved.example", "off", "failed"), ("moved.example", "off", "done")]
    assert scene.plesk.writes_without_a_look() == []


@pytest.mark.parametrize(("whim", "ending"), [(Whim.UNREADABLE, ["done"]), (Whim.LOST_UNREADABLE, ["failed", "done"])])
def test_what_cannot_be_read_back_is_left_open_and_settled_by_reading(
    scene: Scene, whim: Whim, ending: list[str]
) -> None:
    scene.plesk.whims["moved.example"] = [whim]
    first = scene.once()
    scene.once()
    while_unreadable = stands_for(scene.changes())
    scene.plesk.unreadable.clear()

    scene.once()

    assert "settled by the next pass" in (entries_of(first)["moved.example"].error or "")
    assert while_unreadable == [("moved.example", "off", None)]
    assert [outcome for _, _, outcome in stands_for(scene.changes())] == ending
    assert scene.plesk.writes_without_a_look() == []
    assert scene.history().claim is Claim.OURS


def test_a_name_removed_under_our_hands_has_failed(scene: Scene) -> None:
    scene.plesk.whims["moved.example"] = [Whim.GONE]

    report = scene.once()

    assert outcomes_of(report) == {"moved.example": "failed"}
    (change,) = scene.changes()
    assert change.outcome is Outcome.FAILED
    assert change.error is not None
    assert "no longer there" in change.error


def test_three_failures_in_a_row_end_the_applying_on_that_server(tmp_path: Path) -> None:
    scene = Scene(tmp_path, *MANY)
    other = scene.add_server("web02")
    other.host("moved.example")
    scene.moves("moved.example")
    scene.plesk.whims["*"] = [Whim.REFUSED]
    plan = scene.dry_run().plan

    report = scene.once(reviewed=plan.digest)

    assert list(outcomes_of(report).values()) == ["failed"] * 3 + ["refused"] * 3
    assert "three changes in a row failed" in (entries_of(report)[MANY[-1]].error or "")
    assert len(scene.plesk.writes) == 3
    assert outcomes_of(report, "web02") == {"moved.example": "done"}


def test_failures_that_are_not_in_a_row_end_nothing(tmp_path: Path) -> None:
    scene = Scene(tmp_path, *MANY)
    scene.plesk.whims = {name: [Whim.REFUSED] for name in MANY if name != MANY[2]}

    report = scene.once(reviewed=scene.dry_run().plan.digest)

    assert list(outcomes_of(report).values()) == ["failed", "failed", "done", "failed", "failed", "failed"]


def test_turn_ons_come_before_turn_offs(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "moved.example", "zz-back.example")
    scene.comes_back("moved.example")
    scene.once()
    scene.moves("moved.example")
    scene.comes_back("zz-back.example")
    scene.plesk.calls.clear()

    scene.once()

    assert scene.plesk.writes == [("zz-back.example", "on"), ("moved.example", "off")]


# ---- what people do meanwhile


def pin(scene: Scene, pattern: str) -> None:
    with scene.place.writer(wait=NOW - NOW) as ledger:
        ledger.add_pin(Pin(pattern=NamePattern(pattern), reason="asked", by="bob", at=NOW))


@pytest.mark.parametrize(
    ("act", "said"),
    [(lambda scene: scene.pause(), "paused meanwhile"), (lambda scene: pin(scene, "*.example"), "pinned meanwhile")],
)
def test_what_an_operator_wants_at_the_last_moment_stops_a_change(
    scene: Scene, act: Callable[[Scene], None], said: str
) -> None:
    scene.plesk.between["moved.example"] = lambda: act(scene)

    report = scene.once()

    entry = entries_of(report)["moved.example"]
    assert entry.outcome == "refused"
    assert said in (entry.error or "")
    assert scene.plesk.writes == []
    assert scene.changes() == []


def test_a_pause_in_the_middle_ends_the_applying_without_asking_for_each_name(tmp_path: Path) -> None:
    scene = Scene(tmp_path, *MANY[:3])
    scene.plesk.between[MANY[0]] = scene.pause

    report = scene.once()

    assert list(outcomes_of(report).values()) == ["refused"] * 3
    assert [call for call in scene.plesk.calls if call[0] == "read"] == [("read", MANY[0])]


def test_a_pass_that_lasts_for_many_hours_turns_nothing_off_any_more(tmp_path: Path) -> None:
    """A slow panel: meanwhile mail may have come back."""
    scene = Scene(tmp_path, *MANY[:2])
    scene.plesk.on_write = lambda *_: scene.clock.move(7 * HOUR)

    report = scene.once()

    assert list(outcomes_of(report).values()) == ["done", "refused"]
    assert "the pass began 7 h ago" in (entries_of(report)[MANY[1]].error or "")
    assert scene.plesk.writes == [(MANY[0], "off")]


def test_however_long_a_pass_lasts_mail_that_is_refused_is_turned_on(scene: Scene) -> None:
    scene.once()
    scene.comes_back("moved.example")
    scene.plesk.between["moved.example"] = lambda: scene.clock.move(7 * HOUR)

    assert outcomes_of(scene.once()) == {"moved.example": "done"}


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda scene: scene.plesk.toggle("moved.example", Switch.OFF), "the switch is off now"),
        (lambda scene: scene.plesk.toggle("moved.example", Switch.NOT_CONFIGURED), "the switch is not-configured now"),
        (lambda scene: scene.plesk.domains.pop("moved.example"), "no longer there"),
    ],
)
def test_what_somebody_did_at_the_panel_meanwhile_stops_a_change(
    scene: Scene, act: Callable[[Scene], None], said: str
) -> None:
    scene.plesk.meanwhile = lambda: act(scene)

    report = scene.once()

    entry = entries_of(report)["moved.example"]
    assert entry.outcome == "refused"
    assert said in (entry.error or "")
    assert scene.plesk.writes == []


def test_a_switch_that_cannot_be_read_first_is_not_turned(scene: Scene) -> None:
    scene.plesk.unreadable.add("moved.example")

    report = scene.once()

    assert outcomes_of(report) == {"moved.example": "failed"}
    assert scene.plesk.writes == []
    assert scene.changes() == []


def test_a_pin_placed_meanwhile_does_not_stop_a_turn_on_and_a_pause_does(scene: Scene) -> None:
    scene.once()
    scene.comes_back("moved.example")
    scene.plesk.between["moved.example"] = scene.pause
    paused = scene.once()
    scene.resume()
    scene.plesk.between["moved.example"] = lambda: pin(scene, "moved.example")

    pinned = scene.once()

    assert outcomes_of(paused) == {"moved.example": "refused"}
    assert outcomes_of(pinned) == {"moved.example": "done"}


def test_somebody_toggles_between_our_look_and_our_write_and_the_read_back_tells_the_truth(scene: Scene) -> None:
    """Nobody can close this gap; what stands at the end is what is recorded."""
    scene.plesk.between["moved.example"] = lambda: scene.plesk.toggle("moved.example", Switch.OFF)

    report = scene.once()

    assert outcomes_of(report) == {"moved.example": "done"}
    assert scene.plesk.switch("moved.example") is Switch.OFF


def test_a_ledger_that_fails_between_write_and_outcome_leaves_an_intent_to_settle(scene: Scene) -> None:
    class Broken(FakePanel):
        def read_switch(self, target: object) -> Switch:
            ledger.close()
            return super().read_switch(target)  # type: ignore[arg-type]  # handed on as it came

    with scene.place.locked() as ledger, pytest.raises(LedgerError):
        perform(ledger, Broken(scene.plesk), an_intent(scene), scene.clock)
    scene.view.publish(HERE, "moved.example")

    scene.once()

    assert stands_for(scene.changes()) == [("moved.example", "off", "done"), ("moved.example", "on", "done")]
