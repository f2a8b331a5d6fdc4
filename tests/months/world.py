"""The truth: two servers, customers with their mail, and what is wrong with whom just now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from ipaddress import IPv4Network

from mailswitch.core.domain import HostedDomain, Switch
from mailswitch.core.evidence import Deliveries, Evidence, MailLog
from mailswitch.core.names import NamePattern
from mailswitch.core.providers import KnownExchange, ProviderKind, ProviderTable
from tests.months.story import VANTAGES, Act, Event, Hosted, Place, Story
from tests.support.builders import NOW, a_domain

__all__ = ["ADDRESSES", "AWAY", "LIVING", "PROVIDERS", "ROUTED_HERE", "Customer", "Server", "World"]

AWAY = frozenset({Place.MOVED, Place.SMALL, Place.SISTER})
"""Nobody's mail is here: only these may be turned off."""
ROUTED_HERE = frozenset({Place.HERE, Place.SPLIT, Place.BACKUP, Place.IMPLICIT})
"""Public DNS leads here."""
LIVING = ROUTED_HERE | {Place.GATEWAY, Place.SCRUBBED, Place.PREPARING, Place.TYPO, Place.WRONG_HOST}
"""The customer's mail lives here, whatever DNS says."""
PROVIDERS = ProviderTable(
    KnownExchange(pattern=NamePattern(pattern), kind=kind, provider=provider, is_certain=True)
    for pattern, kind, provider in (
        ("*.google.com", ProviderKind.MAILBOX, "Google"),
        ("*.filter.example", ProviderKind.GATEWAY, "Filter"),
        ("*.forward.example", ProviderKind.FORWARDER, "Forward"),
        ("*.parking.example", ProviderKind.PARKING, "Parking"),
    )
)
ADDRESSES = {"web01": "203.0.113.10", "web02": "203.0.113.20"}
_HOUR, _GAP = timedelta(hours=1), timedelta(hours=6)
_ANYBODY = IPv4Network("192.0.2.0/24")
_SOURCES: Mapping[Place, IPv4Network] = {Place.GATEWAY: IPv4Network("198.51.100.0/24")}


@dataclass
class Customer:
    """One name as it truly is."""

    hosted: Hosted
    place: Place
    since: int = 0
    """The step since which mail is where it is."""
    moved_at: timedelta = timedelta(0)
    """The same by `World.elapsed`."""
    was: Place = Place.MOVED
    """Where it was before."""
    before_typo: tuple[Place, int] | None = None
    """Where mail is meant to be, and until which step MX is mistyped."""
    log: list[Deliveries] = field(default_factory=list)
    """What the mail log shows from outside, the latest days only."""

    @property
    def name(self) -> str:
        return self.hosted.name


class Server:
    """One panel as it truly is."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.domains: dict[str, HostedDomain] = {}
        self.trouble: dict[str, int] = {}
        """What is wrong with the panel, and until which step."""
        self.whims: list[str] = []
        """What it does with its next writes, whenever they come."""
        self.slow_hours = 0
        """How long a slow panel takes for each call."""
        self.own_resolvers: tuple[str, int] = ("", 0)
        """What is wrong with the resolvers that the server itself asks, and until which step."""
        self.late: dict[str, Switch] = {}
        """Writes that take effect once they have been looked for."""
        self.unreadable: set[str] = set()

    def set(self, name: str, to: Switch) -> None:
        self.domains[name] = replace(self.domains[name], switch=to)


class World:
    """All of it at one step."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.step = 0
        self.at = NOW
        self.elapsed = timedelta(0)
        """By the machine's clock, its jumps forward included and its jumps backward not."""
        self.servers = {name: Server(name) for name in ADDRESSES}
        self.customers: dict[str, Customer] = {}
        self.lie: tuple[str, str, str, int] | None = None
        """Which vantage lies, what, about whom, and until which step; never two at a time."""
        self.stale: dict[str, Place] = {}
        self.silences: dict[str, tuple[str, int]] = {}
        self.suspended: dict[str, int] = {}
        self.looked_at, self.looked_on = timedelta(0), NOW
        """When public DNS was last asked, by ``elapsed`` and by the machine's clock, and where mail truly was then."""
        self.sight: Mapping[str, Place] = {}
        self.was_told_true = False
        """Whether a vantage answered truthfully then."""
        self.moving: list[Event] = []
        """Who moves, one after another, while a slow panel answers."""
        self._waited = timedelta(0)
        self.met: Counter[str] = Counter()
        """Faults that were truly met, by kind."""
        self.write_faults = 0
        for number, hosted in enumerate(story.names, start=1):
            self.customers[hosted.name] = Customer(hosted=hosted, place=hosted.place)
            switch = Switch.NOT_CONFIGURED if hosted.is_not_configured else Switch.ON
            self.servers[hosted.server].domains[hosted.name] = a_domain(
                hosted.name,
                panel_id=str(number),
                switch=switch,
                kind=hosted.kind,
                parent=hosted.parent,
                created=NOW - timedelta(days=hosted.age_days),
            )

    def now(self) -> datetime:
        """Return the machine's clock, a moment later at each reading."""
        self.at += timedelta(microseconds=1)
        return self.at

    def look(self) -> None:
        """Note what public DNS is truly like at the moment at which it is asked."""
        self.looked_at, self.looked_on = self.elapsed, self.at
        self.sight = {name: one.place for name, one in self.customers.items()}
        self.was_told_true = self.has_truthful_vantage

    def dawdle(self, server: Server, what: str) -> None:
        """Let hours go by until a slow panel answers; customers and their mail do not wait for it."""
        if what not in server.trouble:
            return
        self.met[f"panel {what}"] += 1
        for _ in range(server.slow_hours):
            self.jump(_HOUR)
            self._waited += _HOUR
            if self._waited % _GAP == timedelta(0):
                self._deliver_all()
        if self.moving:
            self.happen(replace(self.moving.pop(0), act=Act.MOVE))

    def jump(self, span: timedelta) -> None:
        self.at += span
        self.elapsed += max(span, timedelta(0))

    # ---- what happens by itself

    def begin(self, step: int) -> None:
        """Let six hours pass since the last pass began, or none where it took longer."""
        if step:
            self.jump(max(_GAP - self._waited, timedelta(0)))
        self.step, self._waited = step, timedelta(0)
        if self.lie is not None and self.lie[3] <= step:
            self.lie = None
        self.silences = {name: how for name, how in self.silences.items() if how[1] > step}
        for server in self.servers.values():
            server.trouble = {what: until for what, until in server.trouble.items() if until > step}
            server.unreadable.clear()
            if server.own_resolvers[1] <= step:
                server.own_resolvers = ("", 0)
        for name in [name for name, until in self.suspended.items() if until <= step]:
            del self.suspended[name]
            self._suspend(name, False)
        for customer in self.customers.values():
            if customer.place is Place.PREPARING and customer.hosted.arrives <= step:
                self.move(customer.name, Place.HERE)
            if customer.before_typo is not None and customer.before_typo[1] <= step:
                self.move(customer.name, customer.before_typo[0])
        self._deliver_all()

    def calm_down(self) -> None:
        """Let every fault be over."""
        self.lie, self.silences = None, {}
        for server in self.servers.values():
            server.trouble.clear()
            server.own_resolvers = ("", 0)
            server.whims.clear()

    def _deliver_all(self) -> None:
        for customer in self.customers.values():
            self._deliver(customer)

    def _deliver(self, customer: Customer) -> None:
        if customer.place in AWAY or customer.place not in LIVING:
            return
        network = _SOURCES.get(customer.place, _ANYBODY)
        customer.log.append(Deliveries(day=self.at.date(), network=network, messages=3, last=self.at))
        del customer.log[:-40]

    def move(self, name: str, place: Place) -> None:
        customer = self.customers[name]
        customer.before_typo = None
        if place is not customer.place:
            customer.place, customer.since, customer.was = place, self.step, customer.place
            customer.moved_at = self.elapsed

    def _suspend(self, name: str, is_suspended: bool) -> None:
        server = self.server_of(name)
        if name in server.domains:
            server.domains[name] = replace(server.domains[name], is_suspended=is_suspended)

    def server_of(self, name: str) -> Server:
        return self.servers[self.customers[name].hosted.server]

    # ---- what the story makes happen

    def happen(self, event: Event) -> None:
        """Let one event of a customer, a panel or DNS happen."""
        match event.act:
            case Act.MOVE:
                customer = self.customers[event.subject]
                place = Place[event.what]
                # Whoever puts a filter in front of their mail has it here: nobody can know one that relays to an off.
                is_odd = place is Place.SCRUBBED and customer.place not in ROUTED_HERE
                is_fixed = customer.place is Place.PREPARING or customer.hosted.is_never_local
                is_fixed = is_fixed or customer.before_typo is not None
                if not is_fixed and not is_odd:
                    self.move(event.subject, place)
            case Act.TYPO:
                customer = self.customers[event.subject]
                if customer.place in ROUTED_HERE:
                    meant = customer.place
                    self.move(event.subject, Place[event.what])
                    customer.before_typo = (meant, self.step + event.lasts)
            case Act.SUSPEND:
                self.suspended[event.subject] = self.step + event.lasts
                self._suspend(event.subject, True)
            case Act.LIE:
                if self.lie is None:
                    what, _, about = event.what.partition(" ")
                    self.lie = (event.subject, what, about, self.step + event.lasts)
                    self.stale = {name: one.place for name, one in self.customers.items()}
            case Act.SILENCE:
                for vantage in VANTAGES if event.subject == "all" else (event.subject,):
                    self.silences[vantage] = (event.what, self.step + event.lasts)
            case Act.PANEL:
                server = self.servers[event.subject]
                server.trouble[event.what] = self.step + event.lasts
                server.slow_hours = event.number or server.slow_hours
            case Act.OWN:
                self.servers[event.subject].own_resolvers = (event.what, self.step + event.lasts)
            case Act.RACE_MOVE:
                self.moving.append(event)
            case Act.WRITE:
                self.servers[event.subject].whims = [event.what] * event.number
            case Act.CLOCK:
                self.met["clock jumps"] += 1
                self.jump(timedelta(hours=event.number))

    @property
    def is_dns_calm(self) -> bool:
        return self.lie is None and not self.silences

    @property
    def has_truthful_vantage(self) -> bool:
        liar = None if self.lie is None else self.lie[0]
        return any(vantage not in self.silences for vantage in VANTAGES if vantage != liar)

    def evidence(self, domain: HostedDomain) -> Evidence:
        """Return what the mail log shows."""
        customer = self.customers[domain.name.text]
        return MailLog(covers=timedelta(days=10), outside=tuple(customer.log))
