"""The oracle is able to fail: for each invariant, a program broken on purpose is caught by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from mailswitch.core import decide, table
from mailswitch.core.claims import Settlement
from mailswitch.core.domain import Switch
from mailswitch.core.guards import GUARDS
from mailswitch.core.ledger import Claim, Guard, Outcome
from mailswitch.core.policy import Confirmation, Mode, UnknownProvider
from mailswitch.ledger.marker import MarkerFile
from mailswitch.ledger.store import StoredLedger
from mailswitch.service import apply, carry_out, reconcile
from mailswitch.service.setup import Setup
from tests.months.hoster import Variant, live
from tests.months.run import minimal
from tests.months.story import STEPS_A_DAY, Act, Event, Hosted, Place, Story

Patch = pytest.MonkeyPatch
MONTH = timedelta(days=30)


def a_story(*events: Event, place: Place = Place.MOVED, also: str = "", days: int = 8) -> Story:
    """Some days of one name that moved long ago, or ``also`` of another, and one whose mail is here."""
    names = tuple(
        Hosted(name=name, server="web01", place=where, ttl_hours=1)
        for name, where in (("moved.example", place), (also, Place.MOVED), ("here.example", Place.HERE))
        if name
    )
    return Story(
        seed=1, days=days, mode=Mode.ENFORCE, unknown_provider=UnknownProvider.EVIDENCE, names=names, events=events
    )


def an_event(step: int, act: Act, what: str = "", *, number: int = 0, lasts: int = 1) -> Event:
    subject = "web01" if act in {Act.PANEL, Act.OWN} else "moved.example"
    return Event(step=step, act=act, subject=subject, what=what, number=number, lasts=lasts)


LEAVING = a_story(an_event(3, Act.MOVE, "MOVED"), place=Place.HERE)
SUSPENDED = a_story(an_event(0, Act.SUSPEND, lasts=12))
KILLED = a_story(an_event(2, Act.KILL, "after intend restarted", number=1))
BY_HAND = a_story(an_event(1, Act.HAND, "off"), an_event(3, Act.MOVE, "HERE"))
BACK = a_story(an_event(10, Act.MOVE, "HERE"))
SLOW_TO_LIST = a_story(
    an_event(4, Act.PANEL, "slow to list", number=30), an_event(4, Act.RACE_MOVE, "MOVED"), place=Place.HERE
)
SLOW_TO_TURN = a_story(
    an_event(0, Act.PANEL, "slow to turn", number=9, lasts=20), an_event(4, Act.RACE_MOVE, "HERE"), also="early.example"
)
APPROVED = replace(
    a_story(an_event(9, Act.APPROVE), an_event(33 * STEPS_A_DAY, Act.MODE, "approve"), days=38), mode=Mode.REPORT
)
OWN_RESOLVERS = {
    what: a_story(an_event(0, Act.OWN, what, lasts=12)) for what in ("stale", "lying", "silent", "half silent")
}
MADE_TO_ASK_A_STALE_ZONE = a_story(an_event(9, Act.OWN, "stale", lasts=8), days=12)
SEEN_BACK_BY_ONE = a_story(
    an_event(6, Act.TOGGLE), Event(step=10, act=Act.LIE, subject="c", what="here moved.example", lasts=8)
)
PINNED = a_story(an_event(0, Act.PIN, lasts=8))
PIN_NOT_TAKEN = a_story(an_event(9, Act.TOGGLE), an_event(14, Act.REVIEW), an_event(14, Act.FULL, number=3))
TO_AND_FRO = a_story(an_event(8, Act.MOVE, "HERE"), an_event(12, Act.MOVE, "MOVED"), days=12)


def restored(step: int, *, days: int) -> Story:
    """Turned on and off by persons since the backup of the second day, which is restored; then mail comes back."""
    return a_story(
        an_event(9, Act.TOGGLE),
        an_event(10, Act.TOGGLE),
        an_event(step, Act.RESTORE, number=days, lasts=2),
        an_event(step, Act.MOVE, "HERE"),
        days=8 + days,
    )


RESTORED, RESTORED_AFTER_A_WEEK = restored(11, days=0), restored(37, days=7)
STORIES = [LEAVING, SUSPENDED, KILLED, BY_HAND, BACK, RESTORED, RESTORED_AFTER_A_WEEK, SLOW_TO_LIST, SLOW_TO_TURN]
STORIES += [APPROVED, PINNED, TO_AND_FRO, SEEN_BACK_BY_ONE, PIN_NOT_TAKEN, MADE_TO_ASK_A_STALE_ZONE]
STORIES += OWN_RESOLVERS.values()


def confirming(setup: Setup, *, sightings: int, hours: int) -> Setup:
    window = timedelta(hours=hours)
    confirm = Confirmation(sightings=sightings, window=window, unknown_provider_window=window)
    servers = tuple(replace(one, policy=replace(one.policy, confirm=confirm)) for one in setup.servers)
    return replace(setup, servers=servers)


without_confirmation = partial(confirming, sightings=1, hours=0)
too_patient = partial(confirming, sightings=3, hours=30)


def dating_what_it_saw_back(setup: Setup) -> Setup:
    """As if public DNS had been asked when the pass began, and not when its panels had answered."""
    read: list[datetime] = []

    def now() -> datetime:
        read.append(setup.now())
        return read[0] if len(read) == 2 else read[-1]

    return replace(setup, now=now)


def without(guard: Guard, patch: Patch) -> None:
    patch.setattr(decide, "GUARDS", tuple(one for one in GUARDS if one[0] is not guard))


def forgetting_outcomes(patch: Patch) -> None:
    patch.setattr(apply, "settlement", lambda *_args, **_known: Settlement(outcome=Outcome.FAILED, error="forgotten"))


def writing_before_the_intent(patch: Patch) -> None:
    perform = apply.perform

    def hasty(ledger: object, panel: object, change: object, now: object) -> object:
        panel.turn(apply._target(change), change.switch_to)  # type: ignore[attr-defined, arg-type]
        return perform(ledger, panel, change, now)  # type: ignore[arg-type]

    patch.setattr("mailswitch.service.carry_out.perform", hasty)


def claiming_what_persons_did(patch: Patch) -> None:
    patch.setattr(apply, "claim_after", lambda change, _: Claim.OURS if change.switch_to is Switch.OFF else Claim.NONE)


def never_turning_on(patch: Patch) -> None:
    patch.setattr(table, "is_ground_for_turning_on", lambda *_: False)


def blind_to_its_own_resolvers(patch: Patch) -> None:
    patch.setattr(decide, "_bounced", lambda _: None)


def turning_on_for_nothing(patch: Patch) -> None:
    patch.setattr(decide, "_is_mail_failing", decide._is_off_by_us)


def always_holding(patch: Patch) -> None:
    patch.setattr(decide, "GUARDS", ((Guard.NOT_MANAGED, lambda _: "never"),))


def never_settling(patch: Patch) -> None:
    patch.setattr(reconcile, "settle", lambda *_: None)


def never_minding_how_long_a_pass_lasts(patch: Patch) -> None:
    patch.setattr(carry_out, "_LONGEST_PASS", timedelta(days=1000))


def approving_for_ever(patch: Patch) -> None:
    patch.setattr("mailswitch.service.approve.APPROVAL_LIFE", timedelta(days=1000))


def forgetting_that_a_pin_ends(patch: Patch) -> None:
    add_pin = StoredLedger.add_pin
    patch.setattr(StoredLedger, "add_pin", lambda self, pin: add_pin(self, replace(pin, until=None)))


def forgetting_what_is_young(patch: Patch) -> None:
    prune = StoredLedger.prune
    patch.setattr(StoredLedger, "prune", lambda self, *, before, limit: prune(self, before=before + MONTH, limit=limit))


def trusting_any_ledger(patch: Patch) -> None:
    patch.setattr(MarkerFile, "doubt", lambda *_: None)


@pytest.mark.parametrize("story", STORIES)
def test_the_program_as_it_is_passes_these_stories(story: Story, tmp_path: Path) -> None:
    assert live(story, tmp_path).violations == []


@pytest.mark.parametrize(
    ("variant", "story", "invariant"),
    [
        (without_confirmation, LEAVING, "a"),
        (dating_what_it_saw_back, SLOW_TO_LIST, "a"),
        (too_patient, LEAVING, "e"),
        (too_patient, a_story(), "e"),
    ],
)
def test_a_program_that_waits_too_little_or_too_long_is_caught(
    variant: Variant, story: Story, invariant: str, tmp_path: Path
) -> None:
    (found,) = live(story, tmp_path, variant).violations

    assert (found.invariant, found.name) == (invariant, "moved.example")


@pytest.mark.parametrize(
    ("broken", "story", "invariant"),
    [
        (never_minding_how_long_a_pass_lasts, SLOW_TO_TURN, "a"),
        (partial(without, Guard.SUSPENDED), SUSPENDED, "b"),
        (partial(without, Guard.OWN_RESOLVER), OWN_RESOLVERS["stale"], "b"),
        (partial(without, Guard.OWN_RESOLVER), OWN_RESOLVERS["lying"], "b"),
        (partial(without, Guard.OWN_RESOLVER), OWN_RESOLVERS["silent"], "b"),
        (forgetting_outcomes, a_story(), "c"),
        (writing_before_the_intent, a_story(), "c"),
        (claiming_what_persons_did, BY_HAND, "d"),
        (trusting_any_ledger, RESTORED, "d"),
        (trusting_any_ledger, RESTORED_AFTER_A_WEEK, "d"),
        (approving_for_ever, APPROVED, "b"),
        (forgetting_what_is_young, TO_AND_FRO, "c"),
        (forgetting_that_a_pin_ends, PINNED, "e"),
        (never_turning_on, BACK, "e"),
        (blind_to_its_own_resolvers, MADE_TO_ASK_A_STALE_ZONE, "e"),
        (turning_on_for_nothing, a_story(), "d"),
        (always_holding, a_story(), "e"),
        (never_settling, KILLED, "f"),
    ],
)
def test_a_broken_program_is_caught(
    broken: Callable[[Patch], None], story: Story, invariant: str, tmp_path: Path, monkeypatch: Patch
) -> None:
    broken(monkeypatch)

    found = live(story, tmp_path).violations

    assert [(one.invariant, one.name) for one in found[:1]] == [(invariant, "moved.example")]


def test_a_ledger_of_last_week_is_what_is_restored(tmp_path: Path) -> None:
    assert live(RESTORED_AFTER_A_WEEK, tmp_path).faults == {"ledger restored, a week old": 1}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "port",
    [
        "histories", "inventory", "first_opinions", "all_opinions", "observations", "evidence", "begin_run",
        "record_pass", "intend", "read_switch", "turn", "settle", "finish_run",
    ],
)  # fmt: skip
def test_the_process_is_killed_at_any_port_of_a_pass(port: str, when: str, tmp_path: Path) -> None:
    result = live(a_story(an_event(4, Act.KILL, f"{when} {port} restarted", number=1)), tmp_path)

    assert (result.crashes, result.violations) == (1, [])


def test_a_failing_story_is_made_short_and_still_fails() -> None:
    chatter = (
        Event(step=1, act=Act.PANEL, subject="web02", what="down"),
        Event(step=2, act=Act.PIN, subject="here.example"),
    )
    story = replace(LEAVING, events=(*LEAVING.events, *chatter))

    shortest, result = minimal(story, without_confirmation)

    assert [str(event) for event in shortest.events] == ["day   0 18:00  moved.example customer's mail is now MOVED"]
    assert [one.name for one in shortest.names] == ["moved.example"]
    assert [one.invariant for one in result.violations] == ["a"]
