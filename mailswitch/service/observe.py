"""The half of a pass that only looks: inventories from the panels, opinions from public DNS."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

from mailswitch.core.asked_anew import is_asked_anew, is_news
from mailswitch.core.decide import is_asked_about
from mailswitch.core.domain import HostedDomain, Inventory, Kind, ServerIdentity, Switch
from mailswitch.core.errors import InventoryError
from mailswitch.core.judge import needs_every_opinion, tendency
from mailswitch.core.ledger import DomainHistory
from mailswitch.core.limits import Refusal, VantageFailures
from mailswitch.core.mx import Address, Addresses, Observation, Published
from mailswitch.core.names import DomainName
from mailswitch.core.providers import ProviderTable
from mailswitch.core.quorum import Finding, finding_of, unasked
from mailswitch.core.reports import ServerError
from mailswitch.core.route import Opinion, opinion_of
from mailswitch.service.ports import Panel, PublicView, Sweep, VantageCount
from mailswitch.service.setup import ManagedServer

__all__ = ["Answered", "Progress", "Scope", "Sighted", "look", "read_inventories"]

Progress = Callable[[int, int], None]
"""Told of the names finished and of the names there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which names a pass is about; empty means every name."""

    names: frozenset[DomainName] = frozenset()
    servers: frozenset[str] = frozenset()
    is_thorough: bool = False
    """Ask every vantage about each name, whether or not it could change anything."""
    is_fresh: bool = False
    """Ask about each name anew, whatever is remembered."""

    @property
    def has_memory(self) -> bool:
        """Whether names nothing hangs on may be told from memory: not where somebody asks about some of them."""
        return not (self.is_fresh or self.is_thorough or self.names)

    @property
    def is_partial(self) -> bool:
        """Whether names or servers are left out."""
        return bool(self.names or self.servers)

    def chosen(self, inventory: Inventory) -> list[HostedDomain]:
        """Return what is looked at: the names asked for, their aliases, and the domains whose aliases they are."""
        if not self.names:
            return list(inventory.domains)
        aliases = [domain for domain in inventory.domains if domain.kind is Kind.ALIAS]
        wanted = set(self.names)
        wanted |= {alias.name for alias in aliases if alias.parent in self.names}
        wanted |= {alias.parent for alias in aliases if alias.name in self.names and alias.parent is not None}
        return [domain for domain in inventory.domains if domain.name in wanted]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A server whose panel answered, with what the ledger remembers of its names."""

    server: ManagedServer
    panel: Panel
    inventory: Inventory
    histories: Mapping[DomainName, DomainHistory]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighted:
    """What public DNS says of one server's names."""

    identity: ServerIdentity
    doubt: Refusal | None
    findings: Mapping[DomainName, Finding]
    vantages: tuple[VantageFailures, ...]
    unmatched: int | None
    """Datagrams that found no socket of this host while the sweep lasted; None: not known."""


def read_inventories(
    servers: Iterable[ManagedServer], stack: ExitStack, *, at_once: int
) -> dict[str, tuple[Panel, Inventory] | ServerError]:
    """Read every panel side by side; one that fails is an error of its own and stops nobody else.

    Panels stay open and are closed with ``stack``.
    """

    def read(server: ManagedServer) -> tuple[Panel, Inventory] | ServerError:
        try:
            panel = server.opened()
        except InventoryError as error:
            return ServerError(code=error.code, text=str(error))
        stack.callback(panel.close)
        try:
            return panel, panel.inventory()
        except InventoryError as error:
            return ServerError(code=error.code, text=str(error))

    chosen = list(servers)
    if not chosen:
        return {}
    with ThreadPoolExecutor(max_workers=min(at_once, len(chosen)), thread_name_prefix="panel") as pool:
        return dict(zip((server.name for server in chosen), pool.map(read, chosen), strict=True))


def look(
    answered: list[Answered],
    view: PublicView,
    providers: ProviderTable,
    scope: Scope,
    *,
    rotation: int,
    progress: Progress | None = None,
    is_kept: bool = False,
) -> dict[str, Sighted]:
    """Ask public DNS about the names of all servers in one sweep, each question once.

    With ``is_kept`` later passes may remember what is heard.
    """
    wanted = [(one, scope.chosen(one.inventory)) for one in answered]
    names = {domain.name for _, domains in wanted for domain in domains if is_asked_about(domain)}
    total = len(names)
    told = None if progress is None else lambda done: progress(min(done, total), total)
    with view.sweep(rotation=rotation, progress=told, is_kept=is_kept) as sweep:
        subjects = [_Subject(one, domains, *_identity(one, sweep)) for one, domains in wanted]
        first = _first_opinions(sweep, names, subjects, scope, providers)
        doubtful = (
            set(first)
            if scope.is_thorough
            else {name for subject in subjects for name in subject.doubtful(first, providers)}
        )
        every = sweep.all_opinions(sorted(doubtful))
        observations = {name: tuple(every.get(name) or (first[name],)) for name in first}
        counts = tuple(_failures(count) for count in sweep.counts())
        unmatched = sweep.unmatched()
    return {
        subject.answered.server.name: Sighted(
            identity=subject.identity,
            doubt=subject.doubt,
            findings={domain.name: subject.finding(domain, observations, providers) for domain in subject.domains},
            vantages=counts,
            unmatched=unmatched,
        )
        for subject in subjects
    }


def _failures(count: VantageCount) -> VantageFailures:
    return VantageFailures(
        name=count.vantage.name,
        queries=count.queries,
        failures=count.failures,
        is_authoritative=count.vantage.is_authoritative,
        traffic=count.traffic,
    )


def _first_opinions(
    sweep: Sweep, names: set[DomainName], subjects: list[_Subject], scope: Scope, providers: ProviderTable
) -> Mapping[DomainName, Observation]:
    """Ask one vantage about each name; memory speaks for those that nothing hangs on, and only if it tells no news."""
    in_order = sorted(names, key=lambda name: name.text)
    if not scope.has_memory:
        return sweep.first_opinions(in_order)
    remembered = names.difference(*(subject.asked_anew() for subject in subjects))
    first = sweep.first_opinions(in_order, remembered=remembered)
    news = {name for subject in subjects for name in subject.news(first, providers)}
    if not news:
        return first
    return {**first, **sweep.first_opinions(sorted(news))}


@dataclass(frozen=True, slots=True)
class _Subject:
    """One server's names with what counts as its own."""

    answered: Answered
    domains: list[HostedDomain]
    identity: ServerIdentity
    doubt: Refusal | None
    opinions: dict[DomainName, tuple[Observation, Opinion]] = field(default_factory=dict)
    """The last opinion of each name with what it was made of: first opinions are asked for again and again."""
    shared: dict[tuple[int, int, bool], tuple[Observation, Opinion]] = field(default_factory=dict)
    """Opinions about records that several names publish, with one of the observations that they are made of."""

    def opinion(self, seen: Observation, providers: ProviderTable) -> Opinion:
        """Return the route of one observation, as this server sees it."""
        known = self.opinions.get(seen.name)
        if known is None or known[0] is not seen:
            known = self.opinions[seen.name] = seen, self._made(seen, providers)
        return known[1]

    def _made(self, seen: Observation, providers: ProviderTable) -> Opinion:
        """Make an opinion; names with the very same answers have the same, which never speaks of the name then."""
        if not isinstance(seen.mx, Published):
            return opinion_of(seen, self.identity, providers)
        key = id(seen.mx), id(seen.hosts), seen.is_remembered
        known = self.shared.get(key)
        if known is None or known[0].vantage is not seen.vantage:
            known = self.shared[key] = seen, opinion_of(seen, self.identity, providers)
        return known[1]

    def asked_anew(self) -> Iterable[DomainName]:
        """Return the names about which nothing is told from memory."""
        policy, histories = self.answered.server.policy, self.answered.histories
        return [domain.name for domain in self.domains if is_asked_anew(domain, policy, histories)]

    def news(self, first: Mapping[DomainName, Observation], providers: ProviderTable) -> Iterable[DomainName]:
        """Return the names whose remembered opinion says something else than the ledger."""
        for domain in self.domains:
            seen = first.get(domain.name)
            if seen is not None and seen.is_remembered:
                route = self.opinion(seen, providers).route
                if is_news(route, self.answered.histories.get(domain.name)):
                    yield domain.name

    def doubtful(self, first: Mapping[DomainName, Observation], providers: ProviderTable) -> Iterable[DomainName]:
        """Return the names whose first opinion could lead to a change here, of themselves or of their domain."""
        policy, histories = self.answered.server.policy, self.answered.histories
        leaving: set[DomainName] = set()
        for domain in self.domains:
            if domain.name in first:
                opinion = self.opinion(first[domain.name], providers)
                if needs_every_opinion(domain, opinion, policy, histories):
                    yield domain.name
                    if domain.switch is Switch.ON:
                        leaving.add(domain.name)
        # That an alias is not routed here lets its domain be turned off, so one vantage's word for it is not enough.
        for domain in self.domains:
            is_counting = domain.kind is Kind.ALIAS and domain.switch in {Switch.ON, Switch.UNKNOWN}
            if is_counting and domain.parent in leaving and domain.name in first:
                yield domain.name

    def finding(
        self,
        domain: HostedDomain,
        observations: Mapping[DomainName, tuple[Observation, ...]],
        providers: ProviderTable,
    ) -> Finding:
        """Combine what the vantages said about one name, as this server sees it."""
        if domain.name not in observations:
            return unasked()
        policy, history = self.answered.server.policy, self.answered.histories.get(domain.name)
        return finding_of(
            [self.opinion(one, providers) for one in observations[domain.name]],
            tendency=lambda route: tendency(domain, route, policy, history),
            quorum=policy.quorum,
        )


def _identity(one: Answered, sweep: Sweep) -> tuple[ServerIdentity, Refusal | None]:
    """Put *ours* together: what the panel lists, what NAT maps, what the administrator adds (design.md section 4)."""
    listed = {entry.address for entry in one.inventory.addresses}
    mapped = {entry.public for entry in one.inventory.addresses if entry.public is not None}
    exact = [DomainName(pattern.text) for pattern in one.server.hosts if pattern.is_exact]
    added: set[Address] = set()
    failed = []
    for host, answers in sweep.host_answers(exact).items() if exact else ():
        added.update(address for answer in answers if isinstance(answer, Addresses) for address in answer.addresses)
        if not any(isinstance(answer, Addresses) and answer.unanswered is None for answer in answers):
            failed.append(str(host))
    doubt = None
    if failed:
        text = (
            f"local.hosts cannot be resolved now ({', '.join(failed)}), so it is not known what else is ours: correct "
            "local.hosts, or look at the vantages with mailswitch doctor"
        )
        doubt = Refusal(server=one.server.name, code="ours-incomplete", text=text)
    identity = ServerIdentity(
        addresses=frozenset(listed | mapped | added | one.server.addresses),
        networks=one.server.networks,
        hosts=one.server.hosts,
        host_name=one.inventory.host_name,
        is_confirmed=one.server.is_confirmed,
    )
    return identity, doubt
