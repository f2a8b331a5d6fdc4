"""The real program in the simulated world: its ports, its administrators, and its life from a story's first step."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import cast

from mailswitch.core.domain import Switch
from mailswitch.core.errors import AlreadyRunning, MailswitchError
from mailswitch.core.ledger import Guard, Pause, Pin
from mailswitch.core.names import DomainName, NamePattern
from mailswitch.core.policy import Mode, Policy
from mailswitch.ledger.place import open_place
from mailswitch.service.approve import approve
from mailswitch.service.by_hand import Everything, OneDomain, revert, switch_by_hand
from mailswitch.service.ports import Ledger, LedgerPlace, PublicView
from mailswitch.service.ports import Panel as PanelPort
from mailswitch.service.reconcile import PassRequest, Reviewed, dry_run, once
from mailswitch.service.setup import ManagedServer, Setup
from tests.months.dying import call_and_die
from tests.months.oracle import Command, Oracle, Violation
from tests.months.panel import Panel
from tests.months.ports import Calls, CountedPlace, CountedView, Killed, QuickPlace, counted
from tests.months.public_dns import OwnResolvers, View
from tests.months.story import BACKUP_STEPS, EPILOGUE_DAYS, STEPS_A_DAY, Act, Event, Story
from tests.months.world import AWAY, PROVIDERS, Server, World
from tests.support.ports import FakeZones

__all__ = ["Life", "Result", "live"]

_WAIT = timedelta(seconds=5)
_BY = "alice"
_MOST_BACKUPS = 10
_KEEP = timedelta(days=30)
"""The least that ``schedule.keep`` may be."""
Variant = Callable[[Setup], Setup]


@dataclass
class Result:
    """How one life went."""

    domain_days: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    crashes: int = 0
    passes: int = 0
    failed_passes: int = 0
    writes: int = 0
    turned_off: int = 0
    turned_on: int = 0
    to_off: timedelta = timedelta(0)
    to_on: int = 0
    violations: list[Violation] = field(default_factory=list)

    def add(self, other: Result) -> None:
        """Take over another life's figures."""
        for name in ("domain_days", "crashes", "passes", "failed_passes", "writes", "turned_off", "turned_on"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.faults += other.faults
        self.to_off, self.to_on = max(self.to_off, other.to_off), max(self.to_on, other.to_on)
        self.violations += other.violations


class Life:
    """One story with the program in it."""

    def __init__(self, story: Story, folder: Path, variant: Variant | None = None) -> None:
        self.story = story
        self.world = World(story)
        self.view = View(self.world)
        self.mode = story.mode
        self.calls = Calls()
        self._ledger = path = folder / f"ledger-{story.seed}.db"
        marker = folder / f"marker-{story.seed}"
        self._dying = partial(call_and_die, path, marker)
        # Every tenth life opens its ledger anew each time, as processes do; the others spare the compiling.
        place = open_place(f"sqlite:///{path}", marker=marker) if story.seed % 10 == 0 else QuickPlace(path, marker)
        self.place = cast("LedgerPlace", place)
        self.oracle = Oracle(world=self.world, place=self.place)
        self.result = Result()
        self._variant = variant
        self._runs = 0
        self._paused_until = 0
        self._races: dict[str, list[Event]] = {}
        self._raced = 0
        self._is_back_at_once = True
        self._backups: deque[tuple[int, bytes]] = deque(maxlen=_MOST_BACKUPS)
        """With their steps, the oldest first."""

    # ---- the program

    def setup(self) -> Setup:
        """Put the program together, as a process does that has just started."""
        never_local = frozenset(DomainName(one.name) for one in self.story.names if one.is_never_local)
        policy = Policy(mode=self.mode, never_local=never_local, unknown_provider=self.story.unknown_provider)
        setup = Setup(
            mode=self.mode,
            servers=tuple(
                ManagedServer(
                    name=name,
                    panel_kind="xml-api",
                    open_panel=self._opening(server),
                    policy=policy,
                    is_confirmed=True,
                    evidence=counted(self.world, self.calls),
                    own_view=counted(OwnResolvers(self.world, server), self.calls),
                )
                for name, server in self.world.servers.items()
            ),
            public_view=cast("PublicView", CountedView(self.view, self.calls)),
            zone_view=FakeZones(),
            providers=PROVIDERS,
            ledger=cast("LedgerPlace", CountedPlace(self.place, self.calls, self._dying)),
            now=self.world.now,
            new_run_id=self._run_id,
            most_panels_at_once=1,  # so that calls come in the same order every time
        )
        return setup if self._variant is None else self._variant(setup)

    def _opening(self, server: Server) -> Callable[[], PanelPort]:
        def opened() -> PanelPort:
            panel = Panel(self.world, server, lambda name, to: self.oracle.turned(server.name, name, to))
            return cast("PanelPort", _Racing(counted(panel, self.calls), lambda: self._race(server)))

        return opened

    def _run_id(self) -> str:
        self._runs += 1
        return f"run-{self._runs}"

    # ---- one step after another

    def live(self, until: int | None = None) -> Result:
        """Live the story, as a whole or until a step, and return how it went; what must never be ends it at once."""
        by_step: dict[int, list[Event]] = {}
        for event in self.story.events:
            by_step.setdefault(event.step, []).append(event)
        calm_since = self.story.steps - EPILOGUE_DAYS * STEPS_A_DAY
        last = self.story.steps - 1
        for step in range(last + 1 if until is None else until + 1):
            self._step(step, by_step.get(step, []), is_epilogue=step >= calm_since)
            if self.oracle.violations:
                break
        else:
            if self.world.step == last:
                self.oracle.ended(calm_since)
        return self._counted()

    def _counted(self) -> Result:
        found, oracle = self.result, self.oracle
        found.domain_days = len(self.story.names) * (self.world.step + 1) // STEPS_A_DAY
        found.faults = self.world.met
        found.writes, found.turned_off, found.turned_on = oracle.writes, oracle.turned_off, oracle.turned_on
        found.to_off, found.to_on = oracle.to_off, oracle.to_on
        found.violations = list(oracle.violations)
        return found

    def _step(self, step: int, events: list[Event], *, is_epilogue: bool) -> None:
        self.world.begin(step)
        self._races = {}
        self.calls.rest()
        if step % BACKUP_STEPS == 0 and self._ledger.exists():
            self._backups.append((step, self._ledger.read_bytes()))
        if is_epilogue:
            self.mode = Mode.ENFORCE
            self.calls.arm()
            self.world.calm_down()
        if (self.oracle.is_paused or self.oracle.is_in_doubt) and (is_epilogue or self._paused_until <= step):
            self._resume()
        strikes = [event for event in events if event.act in {Act.KILL, Act.FULL}]
        for event in (event for event in events if event not in strikes):
            self.world.happen(event)
            if event.act is Act.CLOCK:
                self.oracle.disturbed()
        for event in strikes[:1]:
            self._arm(event)
        for event in events:
            self._administer(event)
        self._sweep()
        if step % STEPS_A_DAY == 0:
            self._does("hand", self.mode, self._prune)
        for event in self.world.moving:
            self.world.happen(replace(event, act=Act.MOVE))
        self.world.moving = []
        self.oracle.stepped()

    def _arm(self, event: Event) -> None:
        """Arm a strike; one at a certain call waits until there is such a call."""
        if event.act is Act.FULL:
            self.calls.arm(full_from=event.number)
            return
        when, port, back, *instructions = event.what.split()
        self._is_back_at_once = back == "restarted"
        within = int(instructions[0]) if when == "within" else None
        port = "" if port == "any" else port
        self.calls.arm(kill_at=event.number, port=port, is_after=when == "after", within=within)

    def _sweep(self) -> None:
        """Make the pass that is due; killed, the program is started again, at once or by the next pass."""
        if self._does("pass", self.mode, self._pass) == "killed" and self._is_back_at_once:
            self._does("pass", self.mode, self._pass)

    def _prune(self) -> None:
        """Forget what is old, as the daemon does each day."""
        before = self.world.now() - _KEEP
        self.oracle.pruned(before)
        with self.setup().ledger.writer(wait=_WAIT) as ledger:
            ledger.prune(before=before, limit=10_000)

    def _pass(self) -> None:
        self.result.passes += 1
        raced, met = self._raced, self.world.write_faults
        try:
            report = once(self.setup(), PassRequest(by="daemon"))
        except MailswitchError:
            self.result.failed_passes += 1
            raise
        answering = [one.name for one in report.servers if one.error is None]
        clear = [name for name in answering if not self.world.servers[name].trouble]
        is_undisturbed = self._raced == raced and self.world.write_faults == met
        self.oracle.passed(clear, is_calm=is_undisturbed and self._is_calm)

    @property
    def _is_calm(self) -> bool:
        troubles = any(server.trouble or server.unreadable for server in self.world.servers.values())
        return self.world.is_dns_calm and not (
            troubles or self.oracle.is_paused or self.oracle.is_in_doubt or self.mode is Mode.REPORT
        )

    def _does(self, what: str, mode: Mode, act: Callable[[], object]) -> str:
        """Let the program do something, and return how that ended."""
        self.oracle.command = Command(what=what, mode=mode)
        self.calls.is_dead = False
        try:
            act()
        except Killed:
            self.result.crashes += 1
            self.world.met["killed" if self.calls.within is None else "killed by SIGKILL in a write"] += 1
            self.oracle.disturbed()
            self.oracle.stepped()
            return "killed"
        except MailswitchError:
            if self.calls.full_from and self.calls.has_struck:
                self.world.met["ledger full"] += 1
            self.oracle.disturbed()
            self.oracle.stepped()
            return "failed"
        finally:
            if what != "hand":
                self.oracle.looked()
        self.oracle.stepped()
        return "done"

    # ---- administrators

    def _administer(self, event: Event) -> None:
        match event.act:
            case Act.PIN | Act.UNPIN | Act.PAUSE:
                self._does("hand", self.mode, lambda: self._write(event))
            case Act.MODE:
                self.mode = Mode(event.what)
            case Act.HAND:
                self._does("hand", self.mode, lambda: self._hand(event))
            case Act.REVERT:
                name = DomainName(event.subject)
                self._does("hand", self.mode, lambda: revert(self.setup(), OneDomain(name), reason="wrong", by=_BY))
            case Act.REVERT_ALL:
                self._does("hand", self.mode, lambda: revert(self.setup(), Everything(), reason="wrong", by=_BY))
            case Act.APPROVE if self._is_right(event.subject):
                self._does("hand", self.mode, lambda: self._approve(event.subject))
            case Act.REVIEW:
                self._review()
            case Act.TOGGLE:
                self._toggle(event.subject)
            case Act.SYNC:
                self._sync(self.world.servers[event.subject])
            case Act.REMOVE:
                self.world.server_of(event.subject).domains.pop(event.subject, None)
                self.oracle.removed(event.subject)
            case Act.RACE_PIN | Act.RACE_TOGGLE:
                server = self.world.server_of(event.subject).name
                self._races.setdefault(server, []).append(event)
            case Act.RESTORE:
                self._restore(event)
            case Act.RACE_PAUSE | Act.BESIDE:
                self._races.setdefault("web01", []).append(event)

    def _write(self, event: Event) -> None:
        """Write an operator's word; what was written counts from that moment, also when the command dies then."""
        setup, at = self.setup(), self.world.now()
        with setup.ledger.writer(wait=_WAIT) as ledger:
            if event.act is Act.UNPIN:
                self.oracle.pinned.pop(event.subject, None)
                ledger.remove_pin(NamePattern(event.subject))
            elif event.act in {Act.PIN, Act.RACE_PIN}:
                until = at + timedelta(hours=6) * event.lasts if event.lasts > 1 else None
                ledger.add_pin(Pin(pattern=NamePattern(event.subject), reason="wanted", by=_BY, at=at, until=until))
                self.oracle.pinned[event.subject] = until
            else:
                ledger.set_pause(Pause(by=_BY, at=at))
                self.oracle.is_paused = True
                self._paused_until = self.world.step + event.lasts

    def _resume(self) -> None:
        with self.place.writer(wait=_WAIT) as ledger:
            if self.oracle.is_in_doubt:
                self._put_right(ledger)
            ledger.set_pause(None)
        self.oracle.resumed()

    def _put_right(self, ledger: Ledger) -> None:
        """Tell a restored ledger what it missed of what persons want, as docs/operations.md says."""
        self.oracle.pinned |= {name: None for name in self.world.customers if self.oracle.is_wanted_on(name)}
        for pin in ledger.pins():
            ledger.remove_pin(pin.pattern)
        for name, until in sorted(self.oracle.pinned.items()):
            pattern = NamePattern(name)
            ledger.add_pin(Pin(pattern=pattern, reason="wanted", by=_BY, at=self.world.now(), until=until))

    def _restore(self, event: Event) -> None:
        """Put an old backup in the ledger's place: in doubt, where anything was recorded since."""
        before, latest = self._last_records(), event.step - event.number * STEPS_A_DAY
        old = [backup for backup in self._backups if backup[0] <= latest] or [self._backups[0]]
        step, backup = old[-1]
        self._ledger.write_bytes(backup)
        if self._last_records() != before:
            is_week_old = event.step - step >= 7 * STEPS_A_DAY
            self.world.met["ledger restored, a week old" if is_week_old else "ledger restored"] += 1
            self.oracle.restored()
            self._paused_until = max(self._paused_until, self.world.step + event.lasts)

    def _last_records(self) -> tuple[object, object]:
        reader = self.place.reader()
        try:
            return reader.last_run(), reader.changes(limit=1)
        finally:
            reader.close()

    def _hand(self, event: Event) -> None:
        to = Switch(event.what)
        switch_by_hand(self.setup(), DomainName(event.subject), to, reason="by hand", by=_BY)

    def _is_right(self, name: str) -> bool:
        return self.world.customers[name].place in AWAY

    def _approve(self, name: str) -> None:
        despite = frozenset(guard for guard in Guard if guard.is_liftable)
        self.oracle.approved[name] = (self.world.step, self.world.at)
        approve(self.setup(), (DomainName(name),), despite, by=_BY)

    def _review(self) -> None:
        """Read the plan, pin what people want on, and apply it when every entry is right."""
        reports = []
        if self._does("hand", self.mode, lambda: reports.append(dry_run(self.setup(), PassRequest(by=_BY)))) != "done":
            return None
        plan = reports[0].plan
        entries = [one for one in (*plan.changes, *plan.on_review) if one.switch_to is Switch.OFF]
        names = [one.name.text for one in entries]
        wanted = [name for name in names if self.oracle.is_wanted_on(name) or not self._is_right(name)]
        for name in wanted:
            pin = Event(step=self.world.step, act=Act.PIN, subject=name)
            if self._does("hand", self.mode, lambda pin=pin: self._write(pin)) != "done":  # type: ignore[misc]
                return None  # the ledger takes no pin now: another day
        if wanted:
            return self._review()
        if entries:
            mode = Mode.ENFORCE if self.mode is Mode.REPORT else self.mode
            request = PassRequest(by=_BY, is_enforcing=True, reviewed=Reviewed(digest=plan.digest))
            self._does("reviewed", mode, lambda: once(self.setup(), request))
        return None

    def _toggle(self, name: str) -> None:
        """Let a person turn a switch at the panel."""
        server = self.world.server_of(name)
        turned = {Switch.ON: Switch.OFF, Switch.OFF: Switch.ON}
        domain = server.domains.get(name)
        if domain is not None and domain.switch in turned:
            server.set(name, turned[domain.switch])
            self.oracle.somebody_turned(name, turned[domain.switch])

    def _sync(self, server: Server) -> None:
        for name in [name for name, domain in server.domains.items() if domain.switch is Switch.OFF]:
            self._toggle(name)

    def _race(self, server: Server) -> None:
        """Let others act right after a panel's inventory was read."""
        for event in self._races.pop(server.name, []):
            self._raced += 1
            match event.act:
                case Act.RACE_TOGGLE:
                    self._toggle(event.subject)
                case Act.BESIDE:
                    self._beside()
                case _:
                    self._write(event)

    def _beside(self) -> None:
        """Start another pass beside; a look that takes no lock does not mind one."""
        if self.oracle.command.what == "hand":
            return
        try:
            once(replace(self.setup(), ledger=self.place), PassRequest(by="bob"))
        except AlreadyRunning:
            return
        self.oracle.wrong("c", "", "two passes at once on one ledger")


class _Racing:
    """A panel after whose inventory others act."""

    def __init__(self, panel: Panel, act: Callable[[], None]) -> None:
        self._panel, self._act = panel, act

    def inventory(self) -> object:
        found = self._panel.inventory()
        self._act()
        return found

    def __getattr__(self, name: str) -> object:
        return getattr(self._panel, name)


def live(story: Story, folder: Path, variant: Variant | None = None, *, until: int | None = None) -> Result:
    """Live a story with a fresh ledger in a folder, as a whole or until a step."""
    return Life(story, folder, variant).live(until)
