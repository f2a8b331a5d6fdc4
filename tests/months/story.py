"""What happens in one simulated life, told in advance from one seed: events that each stand for themselves.

Everything is an event with its own duration, and none depends on what the program does. So any of them can be left out
and the rest is still a story, which is how a failing one is made short.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from mailswitch.core.domain import Kind
from mailswitch.core.policy import Mode, UnknownProvider

__all__ = [
    "BACKUP_STEPS",
    "EPILOGUE_DAYS",
    "FAULTS",
    "LIES",
    "OWN_RESOLVERS",
    "PANELS",
    "SLOW_PANELS",
    "STEPS_A_DAY",
    "VANTAGES",
    "WRITES",
    "Act",
    "Event",
    "Hosted",
    "Place",
    "Story",
    "story_of",
]

STEPS_A_DAY = 4
EPILOGUE_DAYS = 4
"""At the end nothing happens any more but a daily review, so that everything due must have been done."""
VANTAGES = ("a", "b", "c")
BACKUP_STEPS = 2 * STEPS_A_DAY
"""From one backup of the ledger to the next."""
_SHARE_OF_QUIET_SEEDS = 0.1
_SHARE_OF_RESTORED_SEEDS = 0.25


class Place(StrEnum):
    """Where a customer's mail truly is."""

    HERE = "here"
    SPLIT = "here and elsewhere alike"
    BACKUP = "elsewhere, here as backup"
    IMPLICIT = "here, without MX"
    GATEWAY = "behind a known filter"
    SCRUBBED = "behind a filter nobody knows"
    PREPARING = "elsewhere, moving in soon"
    TYPO = "here, but MX names no host"
    WRONG_HOST = "here, but MX names a stranger"
    MOVED = "at a known provider"
    SMALL = "at an unknown provider"
    SISTER = "on the hoster's other server"
    PARKED = "parked"
    EXPIRED = "expired"
    NO_MAIL = "nowhere by null MX"
    FORWARDED = "at a forwarder"


class Act(StrEnum):
    """Everything that can happen."""

    # Customers
    MOVE = "customer's mail is now"
    TYPO = "customer mistypes MX"
    SUSPEND = "subscription is suspended"
    REMOVE = "customer removes the domain"
    # Administrators
    PIN = "pinned"
    UNPIN = "unpinned"
    APPROVE = "approved, whatever guard, if right"
    HAND = "switched by hand through mailswitch"
    TOGGLE = "switched at the panel by a person"
    REVERT = "last change reverted"
    REVERT_ALL = "everything reverted"
    PAUSE = "all changes paused"
    REVIEW = "plan reviewed, applied if right"
    MODE = "mode set"
    RACE_PIN = "pinned while a pass looks"
    RACE_PAUSE = "paused while a pass looks"
    RACE_TOGGLE = "switched at the panel while a pass looks"
    RACE_MOVE = "customer's mail, while a slow panel answers, is now"
    BESIDE = "another pass started beside"
    SYNC = "plan sync turns everything on"
    # Faults
    LIE = "vantage lies"
    SILENCE = "vantage silent"
    PANEL = "panel is"
    OWN = "server's own resolvers are"
    WRITE = "panel's next write is"
    KILL = "killed at port call"
    FULL = "ledger full from its call"
    CLOCK = "clock jumps by hours"
    RESTORE = "ledger restored from a backup, days old at least:"


FAULTS = frozenset({Act.LIE, Act.SILENCE, Act.PANEL, Act.OWN, Act.WRITE, Act.KILL, Act.FULL, Act.CLOCK, Act.RESTORE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happens."""

    step: int
    act: Act
    subject: str = ""
    """A name, a server or a vantage."""
    what: str = ""
    number: int = 0
    lasts: int = 1
    """Steps."""

    def __str__(self) -> str:
        day, quarter = divmod(self.step, STEPS_A_DAY)
        parts = [self.subject, f"{self.act}", self.what, str(self.number) if self.number else ""]
        lasting = f" (for {self.lasts * 6} hours)" if self.lasts > 1 else ""
        return f"day {day:>3} {quarter * 6:02}:00  " + " ".join(part for part in parts if part) + lasting


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosted:
    """One name at the beginning."""

    name: str
    server: str
    place: Place
    ttl_hours: int
    kind: Kind = Kind.DOMAIN
    parent: str | None = None
    is_not_configured: bool = False
    is_never_local: bool = False
    arrives: int = 0
    """The step at which a name that is `Place.PREPARING` has moved in."""
    age_days: int = 1000

    def __str__(self) -> str:
        more = [f"{self.kind} of {self.parent}" if self.parent else "", f"TTL {self.ttl_hours} h"]
        more += ["not configured"] * self.is_not_configured + ["never local"] * self.is_never_local
        return f"{self.server} {self.name}: mail {self.place} ({', '.join(part for part in more if part)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One life."""

    seed: int
    days: int
    mode: Mode
    unknown_provider: UnknownProvider
    names: tuple[Hosted, ...]
    events: tuple[Event, ...]

    @property
    def steps(self) -> int:
        return self.days * STEPS_A_DAY

    def told(self) -> str:
        """Return the story for people."""
        head = f"seed {self.seed}, mode {self.mode}, unknown providers: {self.unknown_provider}"
        return "\n".join([head, *map(str, self.names), *map(str, self.events)])


_SERVERS = ("web01", "web02")
_LIVING = (Place.HERE, Place.HERE, Place.HERE, Place.SPLIT, Place.BACKUP, Place.IMPLICIT, Place.GATEWAY)
_AWAY = (Place.MOVED, Place.MOVED, Place.MOVED, Place.SMALL, Place.SISTER)
_NEITHER = (Place.PARKED, Place.EXPIRED, Place.NO_MAIL, Place.FORWARDED)
_LONGEST = 5 * STEPS_A_DAY


_SHAPES = ((9, 60), (11, 48), (24, 22), (90, 6))
"""Days and names: short lives with many customers, long ones with few, in which approvals expire and rows grow old."""
_WEIGHTS = (3, 3, 3, 1)
_RESTLESS_STEPS, _SETTLED_STEPS = 60, 240
"""The longest that customers stay where they are, in lives of weeks and of months."""


def story_of(seed: int, *, days: int = 0, names: int = 0) -> Story:
    """Return the story of a seed: always the same one. Where they are not given, the seed chooses days and names."""
    chance = Random(seed)  # noqa: S311 - a story, not a secret
    shape = chance.choices(_SHAPES, _WEIGHTS)[0]
    days, names = days or shape[0], names or shape[1]
    unknown = chance.choice((UnknownProvider.EVIDENCE, UnknownProvider.EVIDENCE, UnknownProvider.WINDOW))
    hosted = tuple(_names(chance, names, unknown))
    busy = (days - EPILOGUE_DAYS) * STEPS_A_DAY
    happening = (*_events(chance, hosted, busy, unknown), *_restores(seed, busy), *_deaths(seed, busy))
    events = sorted(happening, key=lambda event: event.step)
    reviews = [
        Event(step=(days - EPILOGUE_DAYS + day) * STEPS_A_DAY, act=Act.REVIEW) for day in range(2, EPILOGUE_DAYS)
    ]
    return Story(
        seed=seed,
        days=days,
        mode=chance.choice((Mode.ENFORCE, Mode.ENFORCE, Mode.ENFORCE, Mode.APPROVE, Mode.REPORT)),
        unknown_provider=unknown,
        names=hosted,
        events=(*events, *reviews),
    )


def _restores(seed: int, steps: int) -> Iterator[Event]:
    """Restore the ledger from an old backup in some lives, and let somebody take it a while later."""
    chance = Random(f"restored {seed}")  # noqa: S311 - a story, not a secret
    if chance.random() < _SHARE_OF_RESTORED_SEEDS and steps > BACKUP_STEPS:
        days = chance.choice((0, 2, 7)) if steps > 7 * STEPS_A_DAY else 0
        step = chance.randrange(max(BACKUP_STEPS, days * STEPS_A_DAY), steps)
        yield Event(step=step, act=Act.RESTORE, number=days, lasts=chance.randint(1, 2 * STEPS_A_DAY))


def _deaths(seed: int, steps: int) -> Iterator[Event]:
    """Kill a real process on its way through a write to the ledger, in some lives."""
    chance = Random(f"died {seed}")  # noqa: S311 - a story, not a secret
    for _ in range(chance.choice((0, 0, 1, 2))):
        words = ("within", chance.choice(_LEDGER_WRITES), chance.choice(_BACK), str(chance.randint(0, _INSTRUCTIONS)))
        yield Event(step=chance.randrange(steps), act=Act.KILL, what=" ".join(words), number=chance.randint(1, 2))


def _names(chance: Random, count: int, unknown: UnknownProvider) -> Iterator[Hosted]:
    living = [*_LIVING, Place.SCRUBBED] if unknown is UnknownProvider.EVIDENCE else [*_LIVING]
    mains: list[Hosted] = []
    for number in range(count):
        place = chance.choices((chance.choice(living), chance.choice(_AWAY), chance.choice(_NEITHER)), (7, 2, 1))[0]
        hosted = Hosted(
            name=f"d{number:02}.example",
            server=_SERVERS[number % 2],
            place=place,
            ttl_hours=chance.choice((1, 1, 12, 48)),
        )
        kind = chance.random()
        if kind < 0.06:
            hosted = _changed(hosted, is_not_configured=True)
        elif kind < 0.10:
            hosted = _changed(hosted, place=Place.MOVED, is_never_local=True)
        elif kind < 0.18:
            hosted = _changed(
                hosted, place=Place.PREPARING, arrives=chance.randint(1, 8 * STEPS_A_DAY), age_days=chance.randint(0, 2)
            )
        elif kind < 0.32 and (parents := [main for main in mains if main.server == hosted.server]):
            hosted = _changed(hosted, kind=Kind.ALIAS, parent=chance.choice(parents).name)
        else:
            mains.append(hosted)
        yield hosted


def _changed(hosted: Hosted, **fields: object) -> Hosted:
    known = {name: getattr(hosted, name) for name in Hosted.__slots__}
    return Hosted(**{**known, **fields})


def _events(chance: Random, names: tuple[Hosted, ...], steps: int, unknown: UnknownProvider) -> Iterator[Event]:
    for hosted in names:
        yield from _customer(chance, hosted, steps, unknown)
    texts = [hosted.name for hosted in names]
    if chance.random() >= _SHARE_OF_QUIET_SEEDS:
        yield from _people(chance, texts, steps)
        yield from _faults(chance, texts, steps)


def _customer(chance: Random, hosted: Hosted, steps: int, unknown: UnknownProvider) -> Iterator[Event]:
    if hosted.is_never_local:
        return
    living = [*_LIVING, Place.SCRUBBED] if unknown is UnknownProvider.EVIDENCE else [*_LIVING]
    at = chance.randint(1, steps) if hosted.arrives == 0 else hosted.arrives + chance.randint(8, steps)
    while at < steps:
        place = chance.choices((chance.choice(_AWAY), chance.choice(living), chance.choice(_NEITHER)), (5, 4, 1))[0]
        yield Event(step=at, act=Act.MOVE, subject=hosted.name, what=place.name)
        if chance.random() < 0.2:
            what = chance.choice((Place.TYPO, Place.WRONG_HOST))
            yield Event(step=at + 3, act=Act.TYPO, subject=hosted.name, what=what.name, lasts=chance.randint(1, 3))
        at += chance.randint(9, _SETTLED_STEPS if steps > _SETTLED_STEPS else _RESTLESS_STEPS)
    if chance.random() < 0.08:
        lasts = chance.randint(1, _LONGEST)
        yield Event(step=chance.randrange(steps), act=Act.SUSPEND, subject=hosted.name, lasts=lasts)
    if chance.random() < 0.03:
        yield Event(step=chance.randrange(steps), act=Act.REMOVE, subject=hosted.name)


def _people(chance: Random, names: list[str], steps: int) -> Iterator[Event]:
    acts = {
        Act.PIN: 3, Act.UNPIN: 3, Act.APPROVE: 4, Act.HAND: 3, Act.TOGGLE: 6, Act.REVERT: 2, Act.REVERT_ALL: 1,
        Act.PAUSE: 1, Act.REVIEW: 6, Act.MODE: 1, Act.RACE_PIN: 2, Act.RACE_PAUSE: 1, Act.RACE_TOGGLE: 3, Act.BESIDE: 1,
        Act.SYNC: 1,
    }  # fmt: skip
    for _ in range(chance.randint(0, steps // 2)):
        act = chance.choices(list(acts), list(acts.values()))[0]
        yield Event(
            step=chance.randrange(steps),
            act=act,
            subject=chance.choice(_SERVERS)
            if act is Act.SYNC
            else ""
            if act in _WITHOUT_NAME
            else chance.choice(names),
            what=_word(chance, act),
            lasts=chance.randint(1, _LASTING.get(act, 1)),
        )


_LASTING = {Act.PAUSE: 8, Act.RACE_PAUSE: 8, Act.PIN: 60}
"""The longest that what people do lasts; a pin of one step is one without an end."""
_WITHOUT_NAME = frozenset({Act.REVERT_ALL, Act.PAUSE, Act.REVIEW, Act.MODE, Act.RACE_PAUSE, Act.BESIDE})


def _word(chance: Random, act: Act) -> str:
    if act is Act.HAND:
        return chance.choice(("on", "off"))
    return chance.choice([mode.value for mode in Mode]) if act is Act.MODE else ""


LIES = ("moved", "here", "nothing", "stale", "address")
PANELS = ("down", "cut off", "short of names", "unclear")
OWN_RESOLVERS = ("stale", "stale", "lying", "half silent", "silent")
SLOW_PANELS = ("slow to list", "slow to turn")
_SLOW_HOURS = (1, 2, 5, 9, 30)
_BACK = ("restarted", "dead-till-next")
_LEDGER_WRITES = ("begin_run", "record_pass", "intend", "intend", "settle", "settle", "finish_run")
_INSTRUCTIONS = 400
"""Of SQLite; most writes take fewer, and are then killed right after."""
_PORTS = ("inventory", "all_opinions", "evidence", "observations", "intend", "turn", "read_switch", "settle")
WRITES = ("reply lost", "lost", "late", "not applied", "refused", "unreadable")


def _panel(chance: Random, names: list[str], at: int) -> Iterator[Event]:
    """Let something be wrong with a panel; while a slow one answers, customers go on moving."""
    server, what = chance.choice(_SERVERS), chance.choice((*PANELS, *SLOW_PANELS))
    hours = chance.choice(_SLOW_HOURS) if what in SLOW_PANELS else 0
    lasts = chance.randint(4, 12) if what == "slow to turn" else chance.randint(1, 4)
    yield Event(step=at, act=Act.PANEL, subject=server, what=what, number=hours, lasts=lasts)
    for name in chance.sample(names, min(len(names), chance.randint(0, 3))) if hours else ():
        place = chance.choice((*_AWAY, *_LIVING))
        yield Event(step=at, act=Act.RACE_MOVE, subject=name, what=place.name)


def _faults(chance: Random, names: list[str], steps: int) -> Iterator[Event]:
    acts = {
        Act.LIE: 5,
        Act.SILENCE: 3,
        Act.PANEL: 4,
        Act.OWN: 2,
        Act.WRITE: 10,
        Act.KILL: 12,
        Act.FULL: 2,
        Act.CLOCK: 1,
    }
    for _ in range(chance.randint(0, steps)):
        act = chance.choices(list(acts), list(acts.values()))[0]
        at = chance.randrange(steps)
        match act:
            case Act.LIE:
                yield Event(
                    step=at,
                    act=act,
                    subject=chance.choice(VANTAGES),
                    what=" ".join((chance.choice(LIES), chance.choice((*names, "all")))),
                    lasts=chance.randint(1, _LONGEST),
                )
            case Act.SILENCE:
                what = chance.choice(("dead", "rate-limited"))
                which = chance.choice((*VANTAGES, "all"))
                lasts = chance.randint(1, 4 if which == "all" else _LONGEST)
                yield Event(step=at, act=act, subject=which, what=what, lasts=lasts)
            case Act.PANEL:
                yield from _panel(chance, names, at)
            case Act.OWN:
                server, what = chance.choice(_SERVERS), chance.choice(OWN_RESOLVERS)
                yield Event(step=at, act=act, subject=server, what=what, lasts=chance.randint(1, _LONGEST))
            case Act.WRITE:
                yield Event(
                    step=at,
                    act=act,
                    subject=chance.choice(_SERVERS),
                    what=chance.choice(WRITES),
                    number=chance.choice((1, 1, 2, 4)),
                )
            case Act.CLOCK:
                yield Event(step=at, act=act, number=chance.choice((-400, -30, -7, -1, 1, 9, 13, 50, 200, 1000)))
            case Act.FULL:
                yield Event(step=at, act=act, number=chance.randint(1, 60))
            case _:
                port = chance.choice(("any", "any", *_PORTS))
                words = (chance.choice(("before", "after")), port, chance.choice(_BACK))
                number = chance.randint(1, 60 if port == "any" else 2)
                yield Event(step=at, act=act, what=" ".join(words), number=number)
