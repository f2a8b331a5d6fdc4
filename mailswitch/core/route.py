"""Where public mail for one name goes, as one vantage sees it: the pure heart of mailswitch.

Facts:

- Senders try the best preference first and every exchange of it; a worse one is reached when those fail
  (RFC 5321 §5.1).
- Without MX records the name's own addresses are the exchange, with preference 0 (RFC 5321 §5.1).
- A null MX stands alone; among other records it means nothing (RFC 7505 §3).
- An exchange must not be a CNAME (RFC 2181 §10.3); many are, and senders follow them.

Whether a host is ours is told by address alone (design.md section 4); names only classify, and only towards caution.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import assert_never

from mailswitch.core.domain import ServerIdentity
from mailswitch.core.mx import (
    Address,
    Addresses,
    HostAnswer,
    Indeterminate,
    NoAddress,
    NoMX,
    NoSuchDomain,
    NoSuchHost,
    NullMX,
    Observation,
    Published,
    Vantage,
    is_routable,
    plain,
)
from mailswitch.core.names import DomainName
from mailswitch.core.policy import HERE_ROUTES, Route
from mailswitch.core.providers import ProviderKind, ProviderTable

__all__ = ["ExchangeSeen", "Opinion", "Reason", "opinion_of"]

_NO_HOST = NoSuchHost()
"""What the root exchange leads to."""
_NULL_MX = "a null MX says that the domain takes no mail"
_CAUTIOUS_KINDS = (
    (ProviderKind.FORWARDER, Route.FORWARDER, "a forwarding service ({})"),
    (ProviderKind.GATEWAY, Route.GATEWAY, "an inbound filter that relays back ({})"),
    (ProviderKind.PARKING, Route.PARKED, "a parking or placeholder exchange ({})"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One stable code with its sentence for people."""

    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSeen:
    """One MX record with the addresses its exchange was seen at."""

    preference: int
    exchange: DomainName
    addresses: tuple[Address, ...]
    """Sorted by version and value; empty where none are known."""

    @property
    def order(self) -> tuple[int, DomainName]:
        """What exchanges are sorted by: addresses of two versions cannot be compared."""
        return self.preference, self.exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """The route by one vantage."""

    vantage: Vantage
    route: Route
    because: str
    """One sentence that names the exchange or answer that settled it."""
    provider: str | None = None
    """The mailbox provider, if every exchange that counts is a known mailbox host of one."""
    exchanges: tuple[ExchangeSeen, ...] = ()
    """By preference, then name; the root exchange of an ignored null MX included."""
    ttl: timedelta = timedelta(0)
    notes: tuple[Reason, ...] = ()
    is_remembered: bool = False
    has_ours: bool = False
    """Some exchange is ours, even where an unanswered question about another one leaves the route unknown."""

    @property
    def is_here(self) -> bool:
        """Whether this vantage sees mail come to this server in any way."""
        return self.has_ours or self.route in HERE_ROUTES


@dataclass(frozen=True, slots=True)
class _Host:
    """One exchange that senders could use, with what is known of it."""

    seen: ExchangeSeen
    answer: HostAnswer
    identity: ServerIdentity

    @property
    def names(self) -> tuple[DomainName, ...]:
        return (self.seen.exchange, *_canonical(self.answer))

    @property
    def is_ours(self) -> bool:
        by_address = any(self.identity.has(found) for found in self.seen.addresses)
        return by_address or any(pattern.matches(name) for pattern in self.identity.hosts for name in self.names)

    @property
    def doubt(self) -> str | None:
        """Why this exchange could still be ours though nothing shows it."""
        match self.answer:
            case Indeterminate(reason=reason):
                return f"the addresses of {self.seen.exchange} are not known: {reason}"
            case Addresses(unanswered=str(reason)):
                return f"some addresses of {self.seen.exchange} are not known: {reason}"
            case Addresses() if self.identity.host_name in self.names:
                return (
                    f"{self.seen.exchange} is the panel's own host name but has a foreign address "
                    f"({_listed(self.seen.addresses)}): add it to local.addresses if it is this server's"
                )
        return None

    @property
    def is_missing(self) -> bool:
        """Whether the exchange definitely does not exist."""
        return isinstance(self.answer, NoSuchHost)

    @property
    def defect(self) -> str | None:
        """Why nobody can deliver to this exchange, where that is certain."""
        match self.answer:
            case NoSuchHost():
                return f"{self.seen.exchange} does not exist"
            case NoAddress():
                return f"{self.seen.exchange} has no address"
            case Addresses() if not any(is_routable(found) for found in self.seen.addresses):
                return f"{self.seen.exchange} has only addresses nobody can reach ({_listed(self.seen.addresses)})"
        return None


def opinion_of(observation: Observation, identity: ServerIdentity, providers: ProviderTable) -> Opinion:
    """Return the route of one observation, seen from the server that ``identity`` describes. First match wins."""
    where = observation.vantage.address
    if where is not None and identity.has(where):
        because = f"vantage {observation.vantage.name} is at an address of this server, so it is no public view"
        return _plain(observation, Route.UNKNOWN, because)
    match observation.mx:
        case Indeterminate(reason=reason):
            return _plain(observation, Route.UNKNOWN, f"no answer about MX: {reason}")
        case NoSuchDomain(ttl=ttl):
            return _plain(observation, Route.NO_DOMAIN, f"{observation.name} does not exist in public DNS", ttl)
        case NullMX(ttl=ttl):
            return _plain(observation, Route.NO_MAIL, _NULL_MX, ttl)
        case NoMX(ttl=ttl):
            return _implicit(observation, identity, ttl)
        case Published() as published:
            return _published(observation, published, identity, providers)
        case _ as never:
            assert_never(never)


def _plain(observation: Observation, route: Route, because: str, ttl: timedelta = timedelta(0)) -> Opinion:
    return Opinion(
        vantage=observation.vantage, route=route, because=because, ttl=ttl, is_remembered=observation.is_remembered
    )


def _implicit(observation: Observation, identity: ServerIdentity, ttl: timedelta) -> Opinion:
    """Judge a name without MX by its own addresses, as if it were its only exchange (RFC 5321 §5.1)."""
    answer = observation.host(observation.name)
    addresses = _sorted(answer)
    itself = ExchangeSeen(preference=0, exchange=observation.name, addresses=addresses)
    host = _Host(itself, answer, identity)
    if host.is_ours:
        return _plain(observation, Route.IMPLICIT_HERE, f"no MX, and its own address {_listed(addresses)} is ours", ttl)
    if host.doubt is not None:
        return _plain(observation, Route.UNKNOWN, f"no MX, and {host.doubt}", ttl)
    if host.defect is not None:
        return _plain(observation, Route.DANGLING, f"no MX, and {host.defect}", ttl)
    return _plain(
        observation, Route.IMPLICIT_ELSEWHERE, f"no MX, and its own address {_listed(addresses)} is not ours", ttl
    )


def _published(
    observation: Observation, published: Published, identity: ServerIdentity, providers: ProviderTable
) -> Opinion:
    hosts: list[_Host] = []
    seen: list[ExchangeSeen] = []
    for record in sorted(published.records) if len(published.records) > 1 else published.records:
        answer = _NO_HOST if record.exchange.is_root else observation.host(record.exchange)
        entry = ExchangeSeen(preference=record.preference, exchange=record.exchange, addresses=_sorted(answer))
        seen.append(entry)
        if answer is not _NO_HOST:
            hosts.append(_Host(entry, answer, identity))
    if not hosts:
        return _plain(observation, Route.NO_MAIL, _NULL_MX, published.ttl)
    notes: tuple[Reason, ...] = ()
    if len(hosts) < len(seen):
        notes = (Reason(code="null-mx-ignored", text="a null MX among other MX records means nothing"),)
    best = [host for host in hosts if host.seen.preference == hosts[0].seen.preference]
    route, because = _explicit(best, hosts[len(best) :], providers)
    provider = None
    if route is Route.ELSEWHERE:
        notes += tuple(
            Reason(code="exchange-ignored", text=f"{host.defect}: no mail goes there, ignored")
            for host in hosts
            if host.is_missing
        )
        provider = _provider([host for host in hosts if not host.is_missing], providers)
    return Opinion(
        vantage=observation.vantage,
        route=route,
        because=because if provider is None else f"{because}, {provider}",
        provider=provider,
        exchanges=tuple(seen),
        ttl=published.ttl,
        notes=notes,
        is_remembered=observation.is_remembered,
        has_ours=route in HERE_ROUTES or any(host.is_ours for host in hosts),
    )


def _explicit(best: list[_Host], worse: list[_Host], providers: ProviderTable) -> tuple[Route, str]:
    ours = next((host for host in best if host.is_ours), None)
    if ours is not None:
        return Route.HERE, f"MX {ours.seen.exchange} is this server"
    doubt = next((host.doubt for host in best if host.doubt is not None), None)
    if doubt is not None:
        return Route.UNKNOWN, doubt
    backup = next((host for host in worse if host.is_ours), None)
    if backup is not None:
        return (
            Route.BACKUP_HERE,
            f"MX {backup.seen.exchange} with preference {backup.seen.preference} is this server",
        )
    doubt = next((host.doubt for host in worse if host.doubt is not None), None)
    if doubt is not None:
        return Route.UNKNOWN, doubt
    for kind, route, text in _CAUTIOUS_KINDS:
        for host in (*best, *worse):
            provider = _classified(host, kind, providers)
            if provider is not None:
                return route, f"MX {host.seen.exchange} is {text.format(provider)}"
    defect = next((host.defect for host in best if host.defect is not None), None)
    if defect is not None:
        return Route.DANGLING, f"MX {defect}"
    return Route.ELSEWHERE, "MX " + ", ".join(str(host.seen.exchange) for host in best)


def _classified(host: _Host, kind: ProviderKind, providers: ProviderTable) -> str | None:
    for name in host.names:
        known = providers.classify(name)
        if known is not None and known.kind is kind:
            return known.provider
    return None


def _provider(hosts: list[_Host], providers: ProviderTable) -> str | None:
    """Name the mailbox provider if every exchange that counts is certainly known as one."""
    named = []
    for host in hosts:
        known = providers.classify(host.seen.exchange)
        if known is None or known.kind is not ProviderKind.MAILBOX or not known.is_certain:
            return None
        named.append(known.provider)
    return " + ".join(dict.fromkeys(named))


def _canonical(answer: HostAnswer) -> tuple[DomainName, ...]:
    match answer:
        case Addresses(canonical=names) | NoAddress(canonical=names) | NoSuchHost(canonical=names):
            return names
        case Indeterminate():
            return ()
        case _ as never:
            assert_never(never)


def _sorted(answer: HostAnswer) -> tuple[Address, ...]:
    """Return the addresses in order, an IPv4-mapped one as the IPv4 address that is compared with ours."""
    if not isinstance(answer, Addresses):
        return ()
    return tuple(sorted(set(map(plain, answer.addresses)), key=lambda found: (found.version, int(found))))


def _listed(addresses: tuple[Address, ...]) -> str:
    shown = ", ".join(str(found) for found in addresses[:3])
    return shown if len(addresses) <= 3 else f"{shown} and {len(addresses) - 3} more"
