"""Fakes at the ports of the service: a panel, public DNS and a clock; the ledger is a real one in a folder.

A `Scene` is a hoster with one server (or more), a few names, and the truth about their mail. Unless told otherwise
``here.example`` is on and routed here, every other name moved to Google, one sighting is enough and the mode enforces.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from pathlib import Path

from mailswitch.core.domain import HostedDomain, Inventory, Kind, Platform, ServerAddress, Switch, SwitchTarget
from mailswitch.core.errors import ApplyError, InventoryError
from mailswitch.core.ledger import Change, DomainHistory, Pause
from mailswitch.core.mx import (
    MX,
    Addresses,
    HostAnswer,
    Indeterminate,
    MXAnswer,
    NoMX,
    NoSuchDomain,
    Observation,
    Published,
    Vantage,
    VantageCount,
    address,
)
from mailswitch.core.names import DomainName, NamePattern
from mailswitch.core.policy import Confirmation, Mode, Policy
from mailswitch.core.providers import KnownExchange, ProviderKind, ProviderTable
from mailswitch.core.reports import DomainReport, PassReport
from mailswitch.core.zone import ZoneAnswer
from mailswitch.ledger.place import open_place
from mailswitch.service.observe import Scope
from mailswitch.service.ports import LedgerPlace, LedgerReader
from mailswitch.service.reconcile import PassRequest, Reviewed, dry_run, once
from mailswitch.service.setup import ManagedServer, Setup
from tests.support.builders import NOW, a_domain, a_vantage

__all__ = [
    "AT_ONCE",
    "ELSEWHERE",
    "HERE",
    "SILENT",
    "Clock",
    "FakePanel",
    "FakeView",
    "FakeZones",
    "Plesk",
    "Scene",
    "Whim",
    "keep_ledger_at",
    "mx",
]

HOUR = timedelta(hours=1)
_LEDGER_URL = "ledger-url"
AT_ONCE = Confirmation(sightings=1, window=timedelta(0), unknown_provider_window=timedelta(0))
PROVIDERS = ProviderTable(
    KnownExchange(pattern=NamePattern(pattern), kind=kind, provider=provider, is_certain=True)
    for pattern, kind, provider in (
        ("*.google.com", ProviderKind.MAILBOX, "Google"),
        ("*.filter.example", ProviderKind.GATEWAY, "Filter"),
    )
)


def mx(*exchanges: str, ttl: timedelta = HOUR) -> Published:
    """Return an MX RRset with the exchanges in order of preference."""
    records = (MX(preference=10 * (at + 1), exchange=DomainName(name)) for at, name in enumerate(exchanges))
    return Published(records=frozenset(records), ttl=ttl)


HERE = mx("mail.hoster.example")
ELSEWHERE = mx("aspmx.l.google.com")
SILENT = Indeterminate("SERVFAIL")


class Clock:
    """A clock that stands until it is moved; each reading is a moment later than the one before."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        self.at += timedelta(microseconds=1)
        return self.at

    def move(self, span: timedelta) -> None:
        self.at += span


# ---- The panel


class Whim(Enum):
    """What a panel does with a write instead of doing it and saying so."""

    REPLY_LOST = auto()
    """Does it and says nothing."""
    LOST = auto()
    """Says nothing and has not done it; nobody can know whether it will."""
    NOT_APPLIED = auto()
    """Says that it did it, and did not."""
    REFUSED = auto()
    UNREADABLE = auto()
    """Does it, and cannot be read afterwards until `Plesk.readable` says so."""
    LOST_UNREADABLE = auto()
    """Loses the reply, does not do it, and cannot be read afterwards."""
    GONE = auto()
    """The name has just been removed."""


@dataclass
class Plesk:
    """One server as it is, whoever looks at it; what is asked of it is in ``calls``, in order."""

    name: str = "web01"
    domains: dict[str, HostedDomain] = field(default_factory=dict)
    addresses: tuple[ServerAddress, ...] = (ServerAddress(address=address("203.0.113.10")),)
    version: str | None = "18.0.61"
    calls: list[tuple[str, ...]] = field(default_factory=list)
    whims: dict[str, list[Whim]] = field(default_factory=dict)
    """By name, what happens to its next writes; ``*`` is every name, always."""
    unreadable: set[str] = field(default_factory=set)
    failure: InventoryError | None = None
    """Why the panel cannot be opened at all."""
    meanwhile: Callable[[], None] | None = None
    """What somebody does right after the inventory was read; once."""
    between: dict[str, Callable[[], None]] = field(default_factory=dict)
    """What somebody does right after a switch was read, by name; once."""
    oddities: tuple[str, ...] = ()
    clock_ahead: timedelta | None = None
    opened: int = 0
    on_write: Callable[[str, Switch], None] | None = None
    """Told of each write before anything comes of it."""
    applied: list[tuple[str, str]] = field(default_factory=list)
    """The writes that took effect."""

    def host(self, *names: str, **known: object) -> None:
        for name in names:
            self.domains[name] = a_domain(name, panel_id=str(len(self.domains) + 1), **known)  # type: ignore[arg-type]

    def switch(self, name: str) -> Switch:
        return self.domains[name].switch

    def toggle(self, name: str, to: Switch) -> None:
        """Turn a switch as somebody at the panel does."""
        self.domains[name] = replace(self.domains[name], switch=to)

    def open(self) -> FakePanel:
        self.opened += 1
        if self.failure is not None:
            raise self.failure
        return FakePanel(self)

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [(call[1], call[2]) for call in self.calls if call[0] == "turn"]

    def writes_without_a_look(self) -> list[tuple[str, ...]]:
        """Return the writes before which the name had not been read since its last write."""
        unseen: set[str] = set()
        found = []
        for call in self.calls:
            if call[0] == "turn":
                if call[1] in unseen:
                    found.append(call)
                unseen.add(call[1])
            elif call[0] == "read":
                unseen.discard(call[1])
        return found


class FakePanel:
    """One open connection to a `Plesk`."""

    kind = "xml-api"

    def __init__(self, plesk: Plesk) -> None:
        self.server = plesk.name
        self.is_open = True
        self._plesk = plesk

    def inventory(self) -> Inventory:
        self._ask("inventory")
        found = Inventory(
            server=self.server,
            panel=self.kind,
            version=self._plesk.version,
            platform=Platform.LINUX,
            host_name=DomainName("web01.hoster.example"),
            addresses=self._plesk.addresses,
            domains=tuple(self._plesk.domains.values()),
            oddities=self._plesk.oddities,
            clock_ahead=self._plesk.clock_ahead,
        )
        if self._plesk.meanwhile is not None:
            self._plesk.meanwhile()
            self._plesk.meanwhile = None
        return found

    def read_switch(self, target: SwitchTarget) -> Switch:
        name = target.name.text
        self._ask("read", name)
        if name in self._plesk.unreadable:
            raise InventoryError(f"{self.server}: could not read {name}", code="unreachable")
        found = self._plesk.domains.get(name)
        if found is None or found.panel_id != target.panel_id:
            raise InventoryError(f"{self.server}: {name} is not there", code="gone")
        self._plesk.between.pop(name, lambda: None)()
        return found.switch

    def turn(self, target: SwitchTarget, to: Switch) -> None:
        name = target.name.text
        self._ask("turn", name, to.value)
        if self._plesk.on_write is not None:
            self._plesk.on_write(name, to)
        waiting = self._plesk.whims.get(name, [])
        whims = [waiting.pop(0)] if waiting else self._plesk.whims.get("*", [])
        whim = whims[0] if whims else None
        if whim in {None, Whim.REPLY_LOST, Whim.UNREADABLE}:
            self._plesk.toggle(name, to)
            self._plesk.applied.append((name, to.value))
        if whim is Whim.GONE:
            del self._plesk.domains[name]
        if whim in {Whim.UNREADABLE, Whim.LOST_UNREADABLE}:
            self._plesk.unreadable.add(name)
        if whim in {Whim.REPLY_LOST, Whim.LOST, Whim.LOST_UNREADABLE}:
            raise ApplyError(f"{self.server}: no reply about {name}", code="reply-lost")
        if whim in {Whim.REFUSED, Whim.GONE}:
            raise ApplyError(f"{self.server}: refused to turn {name}", code="refused")

    def close(self) -> None:
        self.is_open = False

    def _ask(self, *call: str) -> None:
        assert self.is_open
        self._plesk.calls.append(call)


# ---- Public DNS


@dataclass
class FakeView:
    """Public DNS: the truth, and what single vantages say instead. What is asked of it is written down."""

    vantages: tuple[Vantage, ...] = (a_vantage("a"), a_vantage("b"), a_vantage("c"))
    truth: dict[str, MXAnswer] = field(default_factory=dict)
    hosts: dict[str, HostAnswer] = field(default_factory=dict)
    otherwise: dict[tuple[str, str], MXAnswer] = field(default_factory=dict)
    """By vantage and name."""
    is_remembering: bool = False
    failures: int = 0
    """Of 100 questions to each vantage."""
    first: list[str] = field(default_factory=list)
    every: list[str] = field(default_factory=list)
    rotations: list[int] = field(default_factory=list)
    remembered: list[frozenset[str]] = field(default_factory=list)
    """The names that might have been answered from memory, by each call for first opinions."""
    kept: list[bool] = field(default_factory=list)
    """Whether later sweeps might remember, by sweep."""
    unmatched: int | None = None

    def publish(self, answer: MXAnswer, *names: str) -> None:
        self.truth.update(dict.fromkeys(names, answer))

    def says(self, vantage: str, name: str, answer: MXAnswer) -> None:
        self.otherwise[vantage, name] = answer

    @contextmanager
    def sweep(
        self, *, rotation: int, progress: Callable[[int], None] | None = None, is_kept: bool = False
    ) -> Iterator[FakeSweep]:
        self.kept.append(is_kept)
        self.rotations.append(rotation)
        yield FakeSweep(self, rotation, progress)

    def host(self, name: DomainName) -> HostAnswer:
        where = "203.0.113.10" if name.text.endswith("hoster.example") else "198.51.100.26"
        return self.hosts.get(name.text, Addresses(addresses=frozenset({address(where)})))

    def observation(self, vantage: Vantage, name: DomainName) -> Observation:
        answer = self.truth.get(name.text, NoSuchDomain(ttl=HOUR))
        answer = self.otherwise.get((vantage.name, name.text), answer)
        asked = tuple(record.exchange for record in answer.records) if isinstance(answer, Published) else ()
        asked = (name,) if isinstance(answer, NoMX) else asked
        return Observation(
            name=name,
            vantage=vantage,
            at=NOW,
            mx=answer,
            hosts=tuple((host, self.host(host)) for host in asked),
            is_remembered=self.is_remembering,
        )


class FakeSweep:
    """One pass's lookups."""

    def __init__(self, view: FakeView, rotation: int, progress: Callable[[int], None] | None) -> None:
        self._view, self._rotation, self._progress = view, rotation, progress

    def first_opinions(
        self, names: Iterable[DomainName], *, remembered: Collection[DomainName] = frozenset()
    ) -> Mapping[DomainName, Observation]:
        self._view.remembered.append(frozenset(name.text for name in remembered))
        found = {}
        for at, name in enumerate(names, start=1):
            self._view.first.append(name.text)
            vantage = self._view.vantages[self._rotation % len(self._view.vantages)]
            found[name] = self._view.observation(vantage, name)
            if self._progress is not None:
                self._progress(at)
        return found

    def all_opinions(self, names: Iterable[DomainName]) -> Mapping[DomainName, tuple[Observation, ...]]:
        wanted = list(names)
        self._view.every += [name.text for name in wanted]
        return {name: tuple(self._view.observation(one, name) for one in self._view.vantages) for name in wanted}

    def host_answers(self, names: Iterable[DomainName]) -> Mapping[DomainName, tuple[HostAnswer, ...]]:
        return {name: tuple(self._view.host(name) for _ in self._view.vantages) for name in names}

    def counts(self) -> tuple[VantageCount, ...]:
        return tuple(
            VantageCount(vantage=vantage, queries=100, failures=self._view.failures) for vantage in self._view.vantages
        )

    def unmatched(self) -> int | None:
        return self._view.unmatched


@dataclass
class FakeZones:
    """Who serves the zones of names, as far as that is told. What is asked of it is written down."""

    told: dict[str, ZoneAnswer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def name_servers(self, name: DomainName) -> ZoneAnswer:
        self.asked.append(name.text)
        return self.told.get(name.text, Indeterminate("a: SERVFAIL"))


# ---- All together


def keep_ledger_at(folder: Path, url: str) -> None:
    """Let the scenes in a folder keep their ledger elsewhere than in it."""
    (folder / _LEDGER_URL).write_text(url)


class Scene:
    """A hoster: panels, public DNS, a clock and a ledger in ``folder``, with what a pass works with."""

    def __init__(
        self, folder: Path, *names: str, mode: Mode = Mode.ENFORCE, policy: Policy | None = None, **server: object
    ) -> None:
        self.folder = folder
        self.clock = Clock()
        self.view = FakeView()
        self.zones = FakeZones()
        self.mode = mode
        self.policy = policy or Policy(confirm=AT_ONCE)
        self.plesks: dict[str, Plesk] = {}
        self._servers: dict[str, dict[str, object]] = {}
        self._runs = 0
        self.plesk = self.add_server("web01", **server)
        self.plesk.host("here.example", *names)
        self.view.publish(ELSEWHERE, *names)
        self.view.publish(HERE, "here.example")

    def add_server(self, name: str, **server: object) -> Plesk:
        self.plesks[name] = Plesk(name=name)
        self._servers[name] = server
        return self.plesks[name]

    def configure(self, name: str, **server: object) -> None:
        """Change what is configured of one server."""
        self._servers[name] |= server

    @property
    def place(self) -> LedgerPlace:
        elsewhere = self.folder / _LEDGER_URL
        url = elsewhere.read_text() if elsewhere.exists() else f"sqlite:///{self.folder / 'ledger.db'}"
        return open_place(url, marker=self.folder / "ledger.db.marker")

    @property
    def setup(self) -> Setup:
        return Setup(
            mode=self.mode,
            servers=tuple(self._server(name) for name in self.plesks),
            public_view=self.view,
            zone_view=self.zones,
            providers=PROVIDERS,
            ledger=self.place,
            now=self.clock,
            new_run_id=self._run_id,
        )

    def _server(self, name: str) -> ManagedServer:
        usual = ManagedServer(
            name=name, panel_kind="xml-api", open_panel=self.plesks[name].open, policy=self.policy, is_confirmed=True
        )
        return replace(usual, **self._servers[name])  # type: ignore[arg-type]  # the fields are as many as their types

    def _run_id(self) -> str:
        self._runs += 1
        return f"run-{self._runs}"

    # ---- what happens

    def once(
        self, *, reviewed: str | Reviewed | None = None, is_enforcing: bool = False, scope: Scope | None = None
    ) -> PassReport:
        plan = Reviewed(digest=reviewed) if isinstance(reviewed, str) else reviewed
        request = PassRequest(by="alice", is_enforcing=is_enforcing, reviewed=plan, scope=scope or Scope())
        return once(self.setup, request)

    def dry_run(self, *, scope: Scope | None = None) -> PassReport:
        return dry_run(self.setup, PassRequest(by="alice", scope=scope or Scope()))

    def passes(self, number: int, *, every: timedelta = HOUR) -> PassReport:
        """Make a number of passes, the first now, and return the last; the clock is left at it."""
        report = self.once()
        for _ in range(number - 1):
            self.clock.move(every)
            report = self.once()
        return report

    def comes_back(self, *names: str) -> None:
        self.view.publish(HERE, *names)

    def moves(self, *names: str) -> None:
        self.view.publish(ELSEWHERE, *names)

    def pause(self) -> None:
        with self.place.writer(wait=timedelta(seconds=10)) as ledger:
            ledger.set_pause(Pause(by="alice", at=self.clock(), reason="migration"))

    def resume(self) -> None:
        with self.place.writer(wait=timedelta(seconds=10)) as ledger:
            ledger.set_pause(None)

    # ---- what is on record

    @contextmanager
    def reading(self) -> Iterator[LedgerReader]:
        reader = self.place.reader()
        try:
            yield reader
        finally:
            reader.close()

    def changes(self, name: str | None = None) -> list[Change]:
        """Return what the ledger has, oldest first."""
        with self.reading() as reader:
            found = reader.changes(name=None if name is None else DomainName(name))
        return list(reversed(found))

    def history(self, name: str = "moved.example", server: str = "web01") -> DomainHistory:
        with self.reading() as reader:
            return reader.histories(server)[DomainName(name)]


def entries_of(report: PassReport, server: str = "web01") -> dict[str, DomainReport]:
    """Return one server's names by their texts."""
    (found,) = [one for one in report.servers if one.name == server]
    return {entry.domain.name.text: entry for entry in found.domains}


def outcomes_of(report: PassReport, server: str = "web01") -> dict[str, str]:
    """Return how the names fared for which anything was tried."""
    return {name: entry.outcome.value for name, entry in entries_of(report, server).items() if entry.outcome}


def an_alias(plesk: Plesk, name: str, of: str, *, switch: Switch = Switch.ON) -> None:
    """Host an alias."""
    plesk.host(name, kind=Kind.ALIAS, parent=of, switch=switch)


def stands_for(changes: Sequence[Change]) -> list[tuple[str, str, str | None]]:
    """Return changes as name, aim and outcome."""
    return [(one.name.text, one.switch_to.value, one.outcome and one.outcome.value) for one in changes]
