"""What must hold after every step, judged by the truth and not by what the program says.

The letters are those of the invariants:

- (a) Never turned off while the domain's mail lived here within the confirmation window.
- (b) Never turned off where pinned, suspended, not configured, paused, in report mode, unapproved or above the limits,
  nor while a resolver that the server itself asks leads its mail back here or astray, or none of them answers.
- (c) Every write of ours is in the ledger with evidence, exactly once, and with its true outcome.
- (d) What a person switched is never switched back, nothing is turned on without a ground, and a ledger restored from
  an old backup switches nothing.
- (e) Off within the stated time and the calm days at the end; on again within one calm pass, also where the resolver
  that the server itself asks first leads its mail back here.
- (f) After a calm pass nothing is unsettled, whatever happened before.

What nobody can know is not asked: a switch that somebody turned while a change of ours was in the air, or turned to and
fro between two passes, is judged no further until it is clear again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mailswitch.core.domain import Kind, Switch
from mailswitch.core.ledger import Change, Claim, Outcome
from mailswitch.core.policy import Mode
from mailswitch.service.ports import LedgerPlace
from tests.months.leaving import KNOWN_WINDOW, LEADING_ASTRAY, UNKNOWN_WINDOW, Leaving, allowed
from tests.months.story import Place
from tests.months.world import AWAY, LIVING, ROUTED_HERE, Customer, World
from tests.support.builders import NOW

__all__ = ["Command", "Oracle", "Violation"]

_SEEN_LIVING = LIVING - {Place.SCRUBBED, Place.PREPARING}
_LEADING_HERE = ROUTED_HERE | {Place.GATEWAY}
_DAY = timedelta(hours=24)
_PLAIN = ROUTED_HERE | AWAY
"""From anywhere else mail may still come for days, and a move is held while it does."""
_LONGEST_LOOK = timedelta(hours=6)
_LONGEST_PREPARATION = timedelta(days=14)


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """Something that must never be."""

    step: int
    invariant: str
    name: str
    text: str

    def __str__(self) -> str:
        return f"step {self.step} ({self.invariant}) {self.name}: {self.text}"


@dataclass
class Command:
    """What the program is doing just now, and in whose name."""

    what: str
    """``pass``, ``reviewed`` or ``hand``."""
    mode: Mode


@dataclass
class _Write:
    """One write of ours at the panel."""

    name: str
    change: int
    to: Switch
    is_applied: bool = False
    is_muddled: bool = False
    """Somebody turned the same switch before it was settled: what reading it says proves nothing."""


@dataclass
class _Owner:
    """Whose a switch is, as far as anybody could know."""

    is_ours: bool = False
    is_against_us: bool = False
    against_since: int = 0
    is_unnoticed: bool = False
    """No pass has seen yet what somebody did to a switch of ours."""
    is_unclear: bool = False


@dataclass
class Oracle:
    """Holds what is done against the truth, and counts."""

    world: World
    place: LedgerPlace
    command: Command = field(default_factory=lambda: Command(what="pass", mode=Mode.REPORT))
    pinned: dict[str, datetime | None] = field(default_factory=dict)
    """Until when by the machine's clock, or without an end."""
    approved: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    """When a name was approved: step, and the machine's clock."""
    is_paused: bool = False
    is_in_doubt: bool = False
    """The ledger was restored from an old backup, and nobody has taken it yet."""
    violations: list[Violation] = field(default_factory=list)
    writes: int = 0
    turned_off: int = 0
    turned_on: int = 0
    to_on: int = 0
    """The most passes a name that came back waited."""

    def __post_init__(self) -> None:
        self._owners = {name: _Owner() for name in self.world.customers}
        self._away_since: dict[str, timedelta] = {}
        """When a name was first seen elsewhere since it was last seen here."""
        self._waiting: list[_Write] = []
        self._closed: dict[int, Change] = {}
        """Those that the ledger has the outcome of."""
        self._pruned = NOW - timedelta(days=10_000)
        self._open: dict[int, Change] = {}
        self._turn_offs: list[tuple[str, datetime, _Write]] = []
        self._refused_since: dict[str, int] = {}
        self._leaving = Leaving(self.world, self._is_held)

    @property
    def to_off(self) -> timedelta:
        """The longest that a moved name stayed on, in time that passed calmly."""
        return self._leaving.longest

    def wrong(self, invariant: str, name: str, text: str) -> None:
        self.violations.append(Violation(step=self.world.step, invariant=invariant, name=name, text=text))

    # ---- at the moment of a write

    def turned(self, server: str, name: str, to: Switch) -> Callable[[], None]:
        """Judge a write just before it is tried; what is returned is called when it takes effect."""
        self.writes += 1
        self._leaving.tried(server, name)
        write = self._written(server, name, to)
        if to is Switch.OFF and self.command.what != "hand":
            self._judge_turn_off(server, name)
        if to is Switch.ON and self.command.what != "hand":
            self._judge_turn_on(name)

        def applied() -> None:
            write.is_applied = True
            owner = self._owners[name]
            if self.command.what == "hand":
                owner.is_ours, owner.is_against_us = False, to is Switch.ON
                owner.against_since = self.world.step
            else:
                owner.is_ours, owner.is_against_us = to is Switch.OFF, False
                if to is Switch.OFF and self.command.what == "pass" and not self._customer(name).hosted.is_never_local:
                    self._turn_offs.append((server, self.world.at, write))
            owner.is_unnoticed = False
            if to is Switch.OFF:
                self.turned_off += 1
            else:
                self.turned_on += 1

        return applied

    def _written(self, server: str, name: str, to: Switch) -> _Write:
        """Find the intent of a write, which must be in the ledger before it."""
        reader = self.place.reader()
        try:
            intents = [one for one in reader.unsettled(server) if one.name.text == name and one.switch_to is to]
        finally:
            reader.close()
        known = {one.change for one in self._waiting} | self._closed.keys()
        fresh = [one for one in intents if one.id is not None and one.id not in known]
        if len(fresh) != 1:
            self.wrong("c", name, f"written without exactly one fresh intent in the ledger: {len(fresh)}")
            return _Write(name=name, change=0, to=to)
        if self.command.what != "hand" and not json.loads(fresh[0].evidence).get("vantages"):
            self.wrong("c", name, "written without evidence in the ledger")
        write = _Write(name=name, change=fresh[0].id or 0, to=to)
        self._waiting.append(write)
        return write

    def _customer(self, name: str) -> Customer:
        return self.world.customers[name]

    def _judge_turn_off(self, server: str, name: str) -> None:
        customer, owner = self._customer(name), self._owners[name]
        domain = self.world.servers[server].domains[name]
        is_reviewed = self.command.what == "reviewed"
        at, stepped = self.approved.get(name, (-1, self.world.at))
        is_approved = at >= 0 and self.world.at - stepped <= timedelta(days=30)
        if customer.place not in AWAY and not self._is_long_prepared(customer) and not self._is_news(customer):
            self.wrong("a", name, f"turned off while its mail is {customer.place}")
        elif not (is_reviewed or is_approved or customer.hosted.is_never_local):
            window = KNOWN_WINDOW if customer.place is Place.MOVED else UNKNOWN_WINDOW
            waited = self.world.elapsed - self._away_since.get(name, self.world.looked_at)
            if waited < window:
                self.wrong("a", name, f"turned off {waited} after it was first seen elsewhere")
        if self.is_in_doubt:
            self.wrong("d", name, "turned off by a ledger restored from an old backup")
        for alias in self._aliases(name):
            if not customer.hosted.is_never_local:
                self.wrong("a", name, f"turned off while its alias {alias} has its mail here")
        wrong = self._own_fault(name)
        forbidden = {
            "it is pinned": self.is_pinned(name),
            "it is suspended": domain.is_suspended,
            f"its switch is {domain.switch}": domain.switch in {Switch.NOT_CONFIGURED, Switch.UNKNOWN},
            "all changes are paused": self.is_paused,
            "in report mode": self.command.mode is Mode.REPORT,
            f"its server's own resolvers are {wrong}": wrong in LEADING_ASTRAY and not customer.hosted.is_never_local,
            "nobody approved it": self.command.mode is Mode.APPROVE and not (is_reviewed or is_approved),
        }
        for why in (why for why, is_so in forbidden.items() if is_so):
            self.wrong("b", name, f"turned off though {why}")
        if not is_reviewed and not customer.hosted.is_never_local:
            recent = [
                at
                for where, at, write in self._turn_offs
                if where == server and abs(self.world.at - at) < _DAY and not write.is_muddled
            ]
            most = allowed(len(self.world.servers[server].domains))
            if len(recent) + 1 > most:
                self.wrong("b", name, f"turn-off {len(recent) + 1} on {server} in 24 hours, {most} are allowed")
        is_on_purpose = is_reviewed or at > owner.against_since or owner.is_unclear
        if owner.is_against_us and not is_on_purpose and not customer.hosted.is_never_local:
            self.wrong("d", name, "turned off again though somebody turned it on and it was never here since")

    def _is_news(self, customer: Customer) -> bool:
        """Whether a customer came back after public DNS was asked for this pass, which is not long ago."""
        ago = self.world.elapsed - self.world.looked_at
        return customer.moved_at > self.world.looked_at and ago <= _LONGEST_LOOK

    def _is_long_prepared(self, customer: Customer) -> bool:
        """Whether a move in takes longer than any customer's does: by the machine's clock, which may have jumped."""
        age = self.world.at - NOW + timedelta(days=customer.hosted.age_days)
        return customer.place is Place.PREPARING and age >= _LONGEST_PREPARATION

    def _judge_turn_on(self, name: str) -> None:
        owner = self._owners[name]
        if not owner.is_ours and not owner.is_unclear:
            self.wrong("d", name, "turned on though it was not off by mailswitch")
        # An alias that needs it may be turned on later in the same pass.
        using = [one.name for one in self.world.customers.values() if name in {one.name, one.hosted.parent}]
        is_led_here = any(self.world.sight[one] in _LEADING_HERE for one in using)
        if not is_led_here and self._own_fault(name) != "stale":
            self.wrong("d", name, f"turned on though its mail is {self.world.sight[name]} and nothing leads it here")
        if self.is_in_doubt:
            self.wrong("d", name, "turned on by a ledger restored from an old backup")
        if self.is_paused or self.command.mode is Mode.REPORT:
            self.wrong("b", name, "turned on while all changes are stopped")

    def _aliases(self, name: str) -> list[str]:
        """Return the aliases of a name whose mail needs its mailboxes."""
        domains = self.world.server_of(name).domains
        return [
            one.name
            for one in self.world.customers.values()
            if one.hosted.kind is Kind.ALIAS
            and one.hosted.parent == name
            and one.place in _LEADING_HERE
            and one.name in domains
            and domains[one.name].switch is Switch.ON
        ]

    # ---- what others do

    def pruned(self, before: datetime) -> None:
        """Note that what ended before a moment may be forgotten."""
        self._pruned = max(self._pruned, before)

    def somebody_turned(self, name: str, to: Switch) -> None:
        """Note that a person or a plan sync turned a switch at the panel."""
        owner = self._owners[name]
        for write in self._waiting:
            write.is_muddled = write.is_muddled or write.name == name
        if any(change.name.text == name for change in self._open.values()) or any(
            write.name == name for write in self._waiting
        ):
            owner.is_unclear = True
        if to is Switch.ON and owner.is_ours:
            owner.is_ours, owner.is_against_us, owner.is_unnoticed = False, True, True
            owner.against_since = self.world.step
        elif to is Switch.OFF and owner.is_unnoticed:
            owner.is_ours, owner.is_against_us, owner.is_unnoticed, owner.is_unclear = True, False, False, True
        elif to is Switch.OFF:
            owner.is_ours = owner.is_against_us = False

    def is_pinned(self, name: str) -> bool:
        """Whether a person keeps a name as it is now."""
        until = self.pinned.get(name, self.world.at)
        return until is None or until > self.world.at

    def is_wanted_on(self, name: str) -> bool:
        """Whether a person, or a plan sync, turned it on against us."""
        return self._owners[name].is_against_us

    def removed(self, name: str) -> None:
        self._owners[name] = _Owner(is_unclear=True)

    def restored(self) -> None:
        """Forget what the ledger forgot: whose the switches are that it does not know of is unclear."""
        reader = self.place.reader()
        try:
            changes = {one.id or 0: one for one in reader.changes()}
            claims = {
                name.text: one.claim for server in self.world.servers for name, one in reader.histories(server).items()
            }
        finally:
            reader.close()
        self.is_in_doubt = True
        self._leaving.forgot()
        self._waiting = [write for write in self._waiting if write.change in changes]
        self._closed = {number: one for number, one in self._closed.items() if number in changes}
        self._open = {number: one for number, one in changes.items() if one.outcome is None}
        self._turn_offs = []
        half_known = {change.name.text for change in self._open.values()}
        for name, owner in self._owners.items():
            is_known = owner.is_ours is (claims.get(name, Claim.NONE) is Claim.OURS)
            owner.is_unclear = owner.is_unclear or not is_known or name in half_known

    def resumed(self) -> None:
        """Note that all goes on; a ledger that was in doubt confirms everything anew."""
        if self.is_in_doubt:
            self._away_since.clear()
        self.is_paused = self.is_in_doubt = False

    # ---- after each step

    def disturbed(self) -> None:
        """Note that a pass was not calm or did not end, or that the clock was set."""
        self._leaving.disturbed()

    def looked(self) -> None:
        """Note what a pass may have seen and recorded, however it ends."""
        for name, seen in self.world.sight.items():
            if seen not in _SEEN_LIVING:
                self._away_since.setdefault(name, self.world.looked_at)

    def passed(self, servers: Iterable[str], *, is_calm: bool) -> None:
        """Judge a pass that ended, with the servers whose panels answered in it."""
        answering = set(servers)
        if not is_calm:
            self.disturbed()
        for name, customer in self.world.customers.items():
            owner, domains = self._owners[name], self.world.server_of(name).domains
            if customer.hosted.server not in answering or name not in domains:
                continue
            owner.is_unnoticed = False
            seen = self.world.sight[name]
            if seen in ROUTED_HERE and domains[name].switch is Switch.ON:
                owner.is_against_us = False
                owner.is_unclear = owner.is_unclear and not is_calm
            # To DNS a filter nobody knows looks like elsewhere, so leaving it is no news (docs/reliability.md).
            if seen in _SEEN_LIVING and self.world.was_told_true:
                self._away_since.pop(name, None)
            self._leaving.seen(name, seen)
            self._judge_wait(customer, is_calm=is_calm)
        if is_calm:
            self._look()
            for change in self._open.values():
                self.wrong("f", change.name.text, f"change {change.id} is not settled after a calm pass")

    def _judge_wait(self, customer: Customer, *, is_calm: bool) -> None:
        """See to names that are off by us and came back, and to those that moved and are still on."""
        name, owner = customer.name, self._owners[customer.name]
        switch = self.world.server_of(name).domains[name].switch
        is_led_back = self._own_fault(name) == "stale"
        is_failing = customer.place in _LEADING_HERE or is_led_back
        needs = is_failing and not customer.hosted.is_never_local
        if needs and switch is Switch.OFF and owner.is_ours and not owner.is_unclear:
            waited = self._refused_since.setdefault(name, self.world.step)
            if is_calm:
                led = "led back here" if is_led_back else customer.place
                self.wrong("e", name, f"still off after a calm pass though its mail is {led}")
            self.to_on = max(self.to_on, self.world.step - waited + 1)
        else:
            self._refused_since.pop(name, None)
        overdue = self._leaving.overdue(customer, is_calm=is_calm and self.command.mode is Mode.ENFORCE)
        if overdue is not None:
            self.wrong("e", name, overdue)

    def _own_fault(self, name: str) -> str:
        """Return what is wrong with the resolvers that a name's server itself asks; nothing where nothing is."""
        return self.world.server_of(name).own_resolvers[0]

    def _is_held(self, name: str) -> bool:
        """Whether something holds a turn-off that moved away, for as long as people want it."""
        owner = self._owners[name]
        return owner.is_against_us or owner.is_unclear or self.is_pinned(name) or bool(self._aliases(name))

    def stepped(self) -> None:
        """Hold the ledger against the writes that were made."""
        if self._waiting or self._open:
            self._look()

    def _look(self) -> None:
        """Read the ledger, and close the writes whose outcome it has."""
        reader = self.place.reader()
        try:
            changes = {one.id or 0: one for one in reader.changes()}
        finally:
            reader.close()
        self._open = {number: one for number, one in changes.items() if one.outcome is None}
        calls = {write.change for write in self._waiting} | self._closed.keys()
        for number in self._closed.keys() - changes.keys():
            gone = self._closed.pop(number)
            if gone.finished_at is not None and gone.finished_at >= self._pruned:
                self.wrong("c", gone.name.text, f"change {number} was made and is lost from the ledger")
        for write in list(self._waiting):
            change = changes.get(write.change)
            if change is None:
                self.wrong("c", write.name, f"change {write.change} was written and is lost from the ledger")
            elif change.outcome is None:
                continue
            elif (change.outcome is Outcome.DONE) is not write.is_applied and not write.is_muddled:
                was = "took effect" if write.is_applied else "had no effect"
                self.wrong("c", write.name, f"change {write.change} {was} and the ledger says {change.outcome}")
            self._waiting.remove(write)
            if change is not None:
                self._closed[write.change] = change
        for number, change in changes.items():
            if change.outcome is Outcome.DONE and number not in calls:
                self._closed[number] = change
                if not self._owners[change.name.text].is_unclear:
                    self.wrong("c", change.name.text, f"the ledger has change {number}, which was never made")

    def ended(self, calm_since: int) -> None:
        """Judge what must be done when nothing has happened for days."""
        for name, customer in self.world.customers.items():
            domain = self.world.server_of(name).domains.get(name)
            is_due = customer.place is Place.MOVED and customer.since < calm_since and customer.was in _PLAIN
            if domain is None or not is_due or domain.switch is not Switch.ON or domain.is_suspended:
                continue
            if not (self.is_pinned(name) or self.is_wanted_on(name) or self._aliases(name)):
                self.wrong("e", name, "still on at the end, though its mail has moved and everything was calm")
