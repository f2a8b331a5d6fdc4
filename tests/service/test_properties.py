"""Whatever customers, people, panels and power cuts do, in any order: what holds all the same."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mailswitch.core.domain import Kind, Switch
from mailswitch.core.ledger import Claim, Outcome, Pin
from mailswitch.core.mx import MXAnswer
from mailswitch.core.names import DomainName, NamePattern
from mailswitch.core.policy import Limits, Mode, Policy
from mailswitch.service.by_hand import HandOutcome, switch_by_hand
from mailswitch.service.reconcile import PassRequest, once
from tests.support.builders import NOW
from tests.support.pass_child import doomed
from tests.support.ports import AT_ONCE, ELSEWHERE, HERE, SILENT, Scene, Whim, mx

NAMES = ("one.example", "two.example", "three.example")
ALIAS = "alias.example"
ANSWERS: dict[str, MXAnswer] = {
    "away": ELSEWHERE,
    "home": HERE,
    "silent": SILENT,
    "filter": mx("in.filter.example"),
}
FORBIDDEN = {Switch.NOT_CONFIGURED, Switch.UNKNOWN}


class Killed(BaseException):
    """The power went out; not an Exception, so that nobody carries on."""


class Story:
    """A scene in which things happen, watched at every write."""

    def __init__(self, folder: Path) -> None:
        policy = Policy(confirm=AT_ONCE, limits=Limits(changes=9, share=1.0, unknown_share=1.0))
        self.scene = Scene(folder, *NAMES, policy=policy)
        self.scene.plesk.host(ALIAS, kind=Kind.ALIAS, parent=NAMES[0])
        self.scene.view.publish(ELSEWHERE, ALIAS)
        self.scene.plesk.on_write = self._watch
        self.pinned: set[str] = set()
        self.is_a_person = False
        self.complaints: list[str] = []
        self.excused: Counter[tuple[str, str]] = Counter()
        """What took effect and was turned back by somebody before anybody could look: it reads as failed."""

    # ---- what happens

    def publish(self, name: str, what: str) -> None:
        answers: dict[str, MXAnswer] = {
            "away": ELSEWHERE,
            "home": HERE,
            "silent": SILENT,
            "filter": mx("in.filter.example"),
        }
        self.scene.view.publish(answers[what], name)

    def toggle(self, name: str, to: Switch) -> None:
        with self.scene.reading() as reader:
            self.excused += Counter((one.name.text, one.switch_to.value) for one in reader.unsettled())
        self.scene.plesk.toggle(name, to)

    def suspend(self, name: str, *, is_suspended: bool) -> None:
        self.scene.plesk.domains[name] = replace(self.scene.plesk.domains[name], is_suspended=is_suspended)

    def pin(self, name: str) -> None:
        with self.scene.place.writer(wait=timedelta(seconds=10)) as ledger:
            if name in self.pinned:
                ledger.remove_pin(NamePattern(name))
            else:
                ledger.add_pin(Pin(pattern=NamePattern(name), reason="asked", by="bob", at=NOW))
        self.pinned ^= {name}

    def misbehave(self, name: str, whim: Whim) -> None:
        self.scene.plesk.whims.setdefault(name, []).append(whim)

    def heal(self) -> None:
        self.scene.plesk.whims.clear()
        self.scene.plesk.unreadable.clear()

    def pause(self, *, is_paused: bool) -> None:
        self.scene.pause() if is_paused else self.scene.resume()

    def change_mode(self, mode: Mode) -> None:
        self.scene.mode = mode

    def make_a_pass(self) -> None:
        self.scene.once()

    def look(self) -> None:
        before = len(self.scene.plesk.writes)
        self.scene.dry_run()
        if len(self.scene.plesk.writes) != before:
            self.complaints.append("a dry run wrote")

    def be_killed(self, at: int) -> None:
        def end() -> None:
            raise Killed

        with suppress(Killed):
            once(doomed(self.scene.setup, at, end), PassRequest(by="alice"))

    def switch_by_hand(self, name: str, to: Switch) -> None:
        with self.scene.reading() as reader:
            is_paused = reader.pause() is not None
        if self.scene.plesk.switch(name) is Switch.NOT_CONFIGURED or is_paused:
            return
        self.is_a_person = True
        result = switch_by_hand(self.scene.setup, DomainName(name), to, reason="asked", by="bob")
        self.is_a_person = False
        assert result.outcome in HandOutcome

    def time_goes_by(self, hours: int) -> None:
        self.scene.clock.move(timedelta(hours=hours))

    # ---- what must hold

    def _watch(self, name: str, to: Switch) -> None:
        domain = self.scene.plesk.domains[name]
        if domain.switch in FORBIDDEN:
            self.complaints.append(f"{name} was written while {domain.switch}")
        if self.is_a_person:
            return
        if to is Switch.OFF and (name in self.pinned or domain.is_suspended):
            self.complaints.append(f"{name} was turned off though pinned or suspended")
        if to is Switch.OFF and self.scene.view.truth[name] != ELSEWHERE:
            self.complaints.append(f"{name} was turned off though it is not elsewhere")
        if to is Switch.ON and (name, "off") not in self.scene.plesk.applied:
            self.complaints.append(f"{name} was turned on though it was never turned off by us")

    def check(self) -> None:
        assert self.complaints == []
        plesk, changes = self.scene.plesk, self.scene.changes()
        recorded = Counter((change.name.text, change.switch_to.value) for change in changes)
        assert Counter(plesk.writes) <= recorded, "a write is not in the ledger"
        ended = Counter(
            (change.name.text, change.switch_to.value) for change in changes if change.outcome is not Outcome.FAILED
        )
        assert Counter(plesk.applied) <= ended + self.excused, "a write took effect and is called failed"
        assert plesk.writes_without_a_look() == []
        assert len([change for change in changes if change.outcome is None]) <= len(NAMES) + 1
        assert len({change.id for change in changes}) == len(changes)

    def check_the_end(self) -> None:
        """Once all is well again, a pass settles everything, and another one has nothing to do."""
        self.heal()
        self.scene.resume()
        self.scene.mode = Mode.ENFORCE
        self.scene.once()
        self.scene.once()

        last = self.scene.once()

        self.check()
        assert last.plan.changes == ()
        waiting = {change.name.text for change in self.scene.changes() if change.outcome is None}
        assert {self.scene.plesk.switch(name) for name in waiting} <= {Switch.UNKNOWN}  # which tells nothing
        with self.scene.reading() as reader:
            histories = reader.histories("web01")
        for name, domain in self.scene.plesk.domains.items():
            is_ours = histories[DomainName(name)].claim is Claim.OURS
            assert not (is_ours and domain.switch is Switch.ON)
            assert not (is_ours and domain.switch is Switch.OFF and self.scene.view.truth[name] == HERE)


names = st.sampled_from((*NAMES, ALIAS))
switches = st.sampled_from([Switch.ON, Switch.OFF])


@dataclass(frozen=True)
class Event:
    """One of a story's methods with its arguments, readable in Hypothesis' reports."""

    what: str
    words: dict[str, object] = field(default_factory=dict)

    def __call__(self, story: Story) -> None:
        getattr(story, self.what)(**self.words)


def does(method: Callable[..., None], **drawn: st.SearchStrategy[object]) -> st.SearchStrategy[Event]:
    """Draw the arguments of one of the things that can happen."""
    return st.builds(Event, st.just(method.__name__), st.fixed_dictionaries(drawn))


events = st.one_of(
    does(Story.publish, name=names, what=st.sampled_from(list(ANSWERS))),
    does(Story.publish, name=names, what=st.sampled_from(["away", "home"])),
    does(Story.toggle, name=names, to=switches),
    does(Story.toggle, name=st.sampled_from(NAMES), to=st.sampled_from([*Switch])),
    does(Story.suspend, name=names, is_suspended=st.booleans()),
    does(Story.pin, name=names),
    does(Story.misbehave, name=names, whim=st.sampled_from([whim for whim in Whim if whim is not Whim.GONE])),
    does(Story.heal),
    does(Story.pause, is_paused=st.booleans()),
    does(Story.change_mode, mode=st.sampled_from([*Mode])),
    does(Story.make_a_pass),
    does(Story.look),
    does(Story.be_killed, at=st.integers(1, 20)),
    does(Story.switch_by_hand, name=names, to=switches),
    does(Story.time_goes_by, hours=st.sampled_from([1, 12, 24 * 8])),
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(events, max_size=14))
@example(
    [
        Event("be_killed", {"at": 7}),
        Event("publish", {"name": NAMES[0], "what": "home"}),
        Event("make_a_pass"),
    ]
)
def test_whatever_happens_every_write_is_on_record_and_nothing_protected_is_turned_off(happening: list[Event]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder))
        for event in happening:
            event(story)
            story.check()
        story.check_the_end()
