"""The truth: two servers with their panels, customers with their mail, public DNS and who sees it how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from ipaddress import IPv4Network, ip_network

from mailswitch.core.domain import HostedDomain, Inventory, Platform, ServerAddress, Switch, SwitchTarget
from mailswitch.core.errors import ApplyError, InventoryError
from mailswitch.core.evidence import Deliveries, Evidence, MailLog
from mailswitch.core.mx import (
    MX,
    Addresses,
    HostAnswer,
    Indeterminate,
    MXAnswer,
    NoMX,
    NoSuchDomain,
    NoSuchHost,
    NullMX,
    Observation,
    Published,
    Vantage,
    VantageCount,
    address,
)
from mailswitch.core.names import DomainName, NamePattern
from mailswitch.core.providers import KnownExchange, ProviderKind, ProviderTable
from tests.months.story import VANTAGES, Act, Event, Hosted, Place, Story
from tests.support.builders import NOW, a_domain

__all__ = ["AWAY", "LIVING", "PROVIDERS", "ROUTED_HERE", "Customer", "Panel", "Server", "View", "World"]

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
_ADDRESSES = {"web01": "203.0.113.10", "web02": "203.0.113.20"}
_MAIL_HOSTS = {server: f"mail.{server}.hoster.example" for server in _ADDRESSES}
_OTHER = {"web01": "web02", "web02": "web01"}
_FOREIGN = "198.51.100.26"
_SOURCES: Mapping[Place, IPv4Network] = {
    Place.SCRUBBED: IPv4Network("192.0.2.0/24"),
    Place.GATEWAY: IPv4Network("198.51.100.0/24"),
}


@dataclass
class Customer:
    """One name as it truly is."""

    hosted: Hosted
    place: Place
    since: int = 0
    """The step since which mail is where it is."""
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
        self.servers = {name: Server(name) for name in _ADDRESSES}
        self.customers: dict[str, Customer] = {}
        self.lie: tuple[str, str, str, int] | None = None
        """Which vantage lies, what, about whom, and until which step; never two at a time."""
        self.stale: dict[str, Place] = {}
        self.silences: dict[str, tuple[str, int]] = {}
        self.suspended: dict[str, int] = {}
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

    def jump(self, span: timedelta) -> None:
        self.at += span
        self.elapsed += max(span, timedelta(0))

    # ---- what happens by itself

    def begin(self, step: int) -> None:
        """Let six hours pass."""
        if step:
            self.jump(timedelta(hours=6))
        self.step = step
        if self.lie is not None and self.lie[3] <= step:
            self.lie = None
        self.silences = {name: how for name, how in self.silences.items() if how[1] > step}
        for server in self.servers.values():
            server.trouble = {what: until for what, until in server.trouble.items() if until > step}
            server.unreadable.clear()
        for name in [name for name, until in self.suspended.items() if until <= step]:
            del self.suspended[name]
            self._suspend(name, False)
        for customer in self.customers.values():
            if customer.place is Place.PREPARING and customer.hosted.arrives <= step:
                self.move(customer.name, Place.HERE)
            if customer.before_typo is not None and customer.before_typo[1] <= step:
                self.move(customer.name, customer.before_typo[0])
            self._deliver(customer)

    def _deliver(self, customer: Customer) -> None:
        if customer.place in AWAY or customer.place not in LIVING:
            return
        network = _SOURCES.get(customer.place) or ip_network("192.0.2.0/24")
        assert isinstance(network, IPv4Network)
        day = self.at.date()
        customer.log.append(Deliveries(day=day, network=network, messages=3, last=self.at))
        del customer.log[:-40]

    def move(self, name: str, place: Place) -> None:
        customer = self.customers[name]
        customer.before_typo = None
        if place is not customer.place:
            customer.place, customer.since, customer.was = place, self.step, customer.place

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
                if customer.place is not Place.PREPARING and not is_odd:
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
                self.servers[event.subject].trouble[event.what] = self.step + event.lasts
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


# ---- The panel


class Panel:
    """One open connection to a server's panel; ``turned`` is told of each write before it is tried."""

    kind = "xml-api"

    def __init__(self, world: World, server: Server, turned: Callable[[str, Switch], Callable[[], None]]) -> None:
        self.server = server.name
        self._world, self._server, self._turned = world, server, turned
        if "down" in server.trouble:
            world.met["panel down"] += 1
            raise InventoryError(f"{server.name}: no connection", code="unreachable")
        for name in [name for name in server.late if name in server.domains]:
            server.set(name, server.late.pop(name))

    def inventory(self) -> Inventory:
        trouble = self._server.trouble
        if "cut off" in trouble:
            self._world.met["inventory cut off"] += 1
            raise InventoryError(f"{self.server}: the reply ends early", code="cut-off")
        domains = [self._server.domains[name] for name in sorted(self._server.domains)]
        oddities: tuple[str, ...] = ()
        if "short of names" in trouble:
            self._world.met["inventory short of names"] += 1
            kept = {one.name for one in domains[::2]}
            # What lists a domain lists its aliases: nobody can know one that a panel keeps to itself.
            domains = [one for one in domains if one.name in kept or one.parent in kept]
            oddities = ("half of the reply could not be read",)
        if "unclear" in trouble:
            self._world.met["switches unclear"] += 1
            domains = [replace(one, switch=Switch.UNKNOWN) if at % 3 == 0 else one for at, one in enumerate(domains)]
        return Inventory(
            server=self.server,
            panel=self.kind,
            version="18.0.61",
            platform=Platform.LINUX,
            host_name=DomainName(f"{self.server}.hoster.example"),
            addresses=(ServerAddress(address=address(_ADDRESSES[self.server])),),
            domains=tuple(domains),
            oddities=oddities,
        )

    def read_switch(self, target: SwitchTarget) -> Switch:
        name = target.name.text
        if name in self._server.unreadable:
            self._world.met["switch unreadable"] += 1
            raise InventoryError(f"{self.server}: {name} could not be read", code="unreachable")
        found = self._server.domains.get(name)
        if found is None or found.panel_id != target.panel_id:
            raise InventoryError(f"{self.server}: {name} is not there", code="gone")
        if name in self._server.late:
            self._server.set(name, self._server.late.pop(name))
        return found.switch

    def turn(self, target: SwitchTarget, to: Switch) -> None:
        name = target.name.text
        applied = self._turned(name, to)
        whim = self._server.whims.pop(0) if self._server.whims else ""
        if whim:
            self._world.met[f"write {whim}"] += 1
            self._world.write_faults += 1
        if whim in {"", "reply lost", "unreadable", "late"}:
            applied()
        if whim == "late":
            self._server.late[name] = to
        elif whim in {"", "reply lost", "unreadable"}:
            self._server.set(name, to)
        if whim == "unreadable":
            self._server.unreadable.add(name)
        if whim in {"reply lost", "lost", "late"}:
            raise ApplyError(f"{self.server}: no reply about {name}", code="reply-lost")
        if whim == "refused":
            raise ApplyError(f"{self.server}: refused to turn {name}", code="refused")

    def close(self) -> None:
        """There is nothing to give back."""


# ---- Public DNS

_HOSTS: dict[str, HostAnswer] = {
    **{host: Addresses(addresses=frozenset({address(_ADDRESSES[one])})) for one, host in _MAIL_HOSTS.items()},
    "mial.hoster.example": NoSuchHost(),
}
_ELSEWHERE: HostAnswer = Addresses(addresses=frozenset({address(_FOREIGN)}))


def _mx(ttl: timedelta, *exchanges: tuple[int, str]) -> Published:
    return Published(records=frozenset(MX(preference=at, exchange=DomainName(name)) for at, name in exchanges), ttl=ttl)


def _answer(place: Place, server: str, ttl: timedelta) -> MXAnswer:
    ours, google = _MAIL_HOSTS[server], "aspmx.l.google.com"
    exchanges: dict[Place, tuple[tuple[int, str], ...]] = {
        Place.HERE: ((10, ours),),
        Place.SPLIT: ((10, ours), (10, google)),
        Place.BACKUP: ((10, google), (20, ours)),
        Place.GATEWAY: ((10, "in.filter.example"),),
        Place.SCRUBBED: ((10, "mx.scrub.example"),),
        Place.PREPARING: ((10, google),),
        Place.TYPO: ((10, "mial.hoster.example"),),
        Place.WRONG_HOST: ((10, "mail.hostre.example"),),
        Place.MOVED: ((10, google),),
        Place.SMALL: ((10, "mx.small.example"),),
        Place.SISTER: ((10, _MAIL_HOSTS[_OTHER[server]]),),
        Place.PARKED: ((10, "mx.parking.example"),),
        Place.FORWARDED: ((10, "mx.forward.example"),),
    }
    match place:
        case Place.IMPLICIT:
            return NoMX(ttl=ttl)
        case Place.EXPIRED:
            return NoSuchDomain(ttl=ttl)
        case Place.NO_MAIL:
            return NullMX(ttl=ttl)
        case _:
            return _mx(ttl, *exchanges[place])


class View:
    """Public DNS through three vantages of three operators."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.vantages = tuple(Vantage(name=name, operator=f"operator {name}") for name in VANTAGES)
        self._asked = dict.fromkeys(VANTAGES, 0)
        self._failed = dict.fromkeys(VANTAGES, 0)

    @contextmanager
    def sweep(
        self, *, rotation: int, progress: Callable[[int], None] | None = None, is_kept: bool = False
    ) -> Iterator[View]:
        del progress, is_kept
        self._rotation = rotation
        self._asked, self._failed = dict.fromkeys(VANTAGES, 0), dict.fromkeys(VANTAGES, 0)
        yield self

    def first_opinions(
        self, names: Iterable[DomainName], *, remembered: Collection[DomainName] = frozenset()
    ) -> Mapping[DomainName, Observation]:
        del remembered
        return {
            name: self._observation(self.vantages[(self._rotation + at) % len(self.vantages)], name)
            for at, name in enumerate(names)
        }

    def all_opinions(self, names: Iterable[DomainName]) -> Mapping[DomainName, tuple[Observation, ...]]:
        return {name: tuple(self._observation(vantage, name) for vantage in self.vantages) for name in names}

    def host_answers(self, names: Iterable[DomainName]) -> Mapping[DomainName, tuple[HostAnswer, ...]]:
        return {name: tuple(_HOSTS.get(name.text, _ELSEWHERE) for _ in self.vantages) for name in names}

    def counts(self) -> tuple[VantageCount, ...]:
        return tuple(
            VantageCount(vantage=one, queries=self._asked[one.name], failures=self._failed[one.name])
            for one in self.vantages
        )

    def unmatched(self) -> int | None:
        return None

    def _observation(self, vantage: Vantage, name: DomainName) -> Observation:
        world = self._world
        customer = world.customers[name.text]
        self._asked[vantage.name] += 1
        how = world.silences.get(vantage.name, ("", 0))[0]
        mx: MXAnswer
        hosts: tuple[tuple[DomainName, HostAnswer], ...] = ()
        if how == "dead" or (how == "rate-limited" and self._asked[vantage.name] % 3):
            world.met[f"vantage {how}"] += 1
            self._failed[vantage.name] += 1
            mx = Indeterminate("no answer")
        else:
            mx, hosts = self._said(vantage, customer)
        return Observation(name=name, vantage=vantage, at=world.at, mx=mx, hosts=hosts)

    def _said(self, vantage: Vantage, customer: Customer) -> tuple[MXAnswer, tuple[tuple[DomainName, HostAnswer], ...]]:
        lie = self._world.lie
        place, hosts = customer.place, _HOSTS
        is_lying = lie is not None and lie[0] == vantage.name and lie[2] in {"all", customer.name}
        if is_lying and lie is not None:
            self._world.met[f"vantage lies: {lie[1]}"] += 1
            match lie[1]:
                case "moved":
                    place = Place.MOVED
                case "here" if place is not Place.PREPARING:  # a name seen here is no longer arriving, by design
                    place = Place.HERE
                case "nothing":
                    place = Place.EXPIRED
                case "stale":
                    place = self._world.stale.get(customer.name, place)
                case "address":
                    hosts = {}
        ttl = timedelta(hours=customer.hosted.ttl_hours)
        answer = _answer(place, customer.hosted.server, ttl)
        match answer:
            case Published(records=records):
                asked = [record.exchange for record in records]
                return answer, tuple((host, hosts.get(host.text, _ELSEWHERE)) for host in asked)
            case NoMX():
                ours = hosts.get(_MAIL_HOSTS[customer.hosted.server], _ELSEWHERE)
                return answer, ((DomainName(customer.name), ours),)
            case _:
                return answer, ()
