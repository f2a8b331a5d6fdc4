"""DNS: through three vantages, of which one may lie and any may be silent, and as the servers themselves see it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import cache

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
from mailswitch.core.names import DomainName
from tests.months.story import VANTAGES, Place
from tests.months.world import ADDRESSES, Customer, Server, World

__all__ = ["OwnResolvers", "View"]

_MAIL_HOSTS = {server: f"mail.{server}.hoster.example" for server in ADDRESSES}
_OTHER = {"web01": "web02", "web02": "web01"}
_FOREIGN = "198.51.100.26"
_HOSTS: dict[str, HostAnswer] = {
    **{host: Addresses(addresses=frozenset({address(ADDRESSES[one])})) for one, host in _MAIL_HOSTS.items()},
    "mial.hoster.example": NoSuchHost(),
}
_Hosts = tuple[tuple[DomainName, HostAnswer], ...]
_NO_ANSWER: tuple[MXAnswer, _Hosts] = (Indeterminate("no answer"), ())
_OWN = tuple(Vantage(name=f"192.0.2.{number}", operator="own") for number in (53, 54))
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


@cache
def _heard(vantage: str, place: Place, server: str, ttl_hours: int, *, is_ours: bool) -> tuple[MXAnswer, _Hosts]:
    """Return one value for equal answers of a vantage, as a sweep does, so that the program makes one opinion of them.

    Args:
        vantage: Which one answers.
        place: Where mail is, as it says.
        server: On which server the name is hosted.
        ttl_hours: How long the answer may be kept.
        is_ours: Whether the addresses of our hosts are told rightly.
    """
    del vantage
    answer = _answer(place, server, timedelta(hours=ttl_hours))
    asked = [record.exchange for record in answer.records] if isinstance(answer, Published) else []
    return answer, tuple((host, _hosts(is_ours).get(host.text, _ELSEWHERE)) for host in asked)


def _hosts(is_ours: bool) -> Mapping[str, HostAnswer]:
    return _HOSTS if is_ours else {}


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
        self._world.look()
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
        if how == "dead" or (how == "rate-limited" and self._asked[vantage.name] % 3):
            world.met[f"vantage {how}"] += 1
            self._failed[vantage.name] += 1
            mx, hosts = _NO_ANSWER
        else:
            mx, hosts = self._said(vantage, customer)
        return Observation(name=name, vantage=vantage, at=world.at, mx=mx, hosts=hosts)

    def _said(self, vantage: Vantage, customer: Customer) -> tuple[MXAnswer, _Hosts]:
        lie = self._world.lie
        place, is_ours = customer.place, True
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
                    is_ours = False
        return _told(vantage, customer, place, is_ours=is_ours)


def _told(vantage: Vantage, customer: Customer, place: Place, *, is_ours: bool = True) -> tuple[MXAnswer, _Hosts]:
    answer, found = _heard(vantage.name, place, customer.hosted.server, customer.hosted.ttl_hours, is_ours=is_ours)
    if isinstance(answer, NoMX):
        ours = _hosts(is_ours).get(_MAIL_HOSTS[customer.hosted.server], _ELSEWHERE)
        found = ((DomainName(customer.name), ours),)
    return answer, found


class OwnResolvers:
    """The two resolvers that a server itself asks; its name server may serve a zone from before the move."""

    def __init__(self, world: World, server: Server) -> None:
        self._world, self._server = world, server

    def observations(self, names: Iterable[DomainName]) -> Mapping[DomainName, tuple[Observation, ...]]:
        return {name: tuple(self._observation(vantage, name) for vantage in _OWN) for name in names}

    def _observation(self, vantage: Vantage, name: DomainName) -> Observation:
        customer, (wrong, _) = self._world.customers[name.text], self._server.own_resolvers
        is_first = vantage is _OWN[0]
        if wrong == "silent" or (wrong == "half silent" and is_first):
            mx, hosts = _NO_ANSWER
        elif wrong in {"stale", "lying"} and is_first:
            mx, hosts = _told(vantage, customer, Place.HERE if wrong == "stale" else Place.PARKED)
        else:
            wrong, (mx, hosts) = "", _told(vantage, customer, customer.place)
        if wrong:
            self._world.met[f"own resolver {wrong}"] += 1
        return Observation(name=name, vantage=vantage, at=self._world.at, mx=mx, hosts=hosts)
