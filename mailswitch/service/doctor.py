"""A check-up of everything a pass relies on. It reads and never writes.

Where it is not known for sure what Plesk answers (plesk.md section 9), it shows what this server really answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from mailswitch.core.domain import HostedDomain, Inventory, Kind, Switch
from mailswitch.core.errors import InventoryError, LedgerError
from mailswitch.core.guards import Panel, stops_sending
from mailswitch.core.mx import Address, is_routable
from mailswitch.core.names import DomainName
from mailswitch.core.words import counted, duration
from mailswitch.report.doctor import Grade, Symptom
from mailswitch.service.own_resolvers import OwnResolver, own_resolver_symptoms
from mailswitch.service.setup import ManagedServer, Setup
from mailswitch.service.vantage_check import (
    RootState,
    VantageState,
    clock_by_signatures,
    hosted_sample,
    own_vantages,
    root_symptoms,
    vantage_symptoms,
)

__all__ = ["LedgerState", "check_up"]

_CLOCKS_APART = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerState:
    """How the ledger is."""

    place: str
    exists: bool
    problems: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def check_up(
    setup: Setup,
    *,
    probe_vantages: Callable[[Sequence[DomainName]], Iterable[VantageState]],
    inspect_ledger: Callable[[], LedgerState],
    probe_root: Callable[[], RootState | None] = lambda: None,
    probe_own_resolvers: Callable[[str, Sequence[DomainName]], Iterable[OwnResolver]] = lambda *_: (),
    cautions: Iterable[str] = (),
) -> tuple[Symptom, ...]:
    """Look at the ledger, the clock, every vantage and every panel, whatever one of them does.

    ``probe_vantages`` is given a few names that are hosted here, which no vantage should answer for by itself.
    ``probe_root`` gives None where the domains' own name servers are not asked.
    ``probe_own_resolvers`` is given a server's name and a few names hosted there; a server elsewhere has none to try.
    ``cautions`` are what the configuration allows and should not, each in a sentence.
    """
    found = [Symptom(subject="configuration", grade=Grade.WARNING, text=caution) for caution in cautions]
    found += [*_ledger(inspect_ledger()), *_clock(setup)]
    with ThreadPoolExecutor(max_workers=min(setup.most_panels_at_once, len(setup.servers))) as pool:
        answers = tuple(pool.map(_read, setup.servers))
    hosted = hosted_sample(answer for answer in answers if isinstance(answer, Inventory))
    vantages = tuple(probe_vantages(hosted))
    found += clock_by_signatures(setup.now(), vantages)
    for vantage in vantages:
        found += vantage_symptoms(vantage)
    root = probe_root()
    found += () if root is None else root_symptoms(root)
    for server, answer in zip(setup.servers, answers, strict=True):
        subject = f"server {server.name}"
        if isinstance(answer, InventoryError):
            text = f"the panel cannot be read ({answer.code}): {answer}"
            found.append(Symptom(subject=subject, grade=Grade.PROBLEM, text=text))
        else:
            found += [Symptom(subject=subject, grade=grade, text=text) for grade, text in _panel(server, answer)]
            found += own_vantages(server, answer, vantages)
            found += own_resolver_symptoms(server.name, probe_own_resolvers(server.name, hosted_sample([answer])))
    return tuple(found)


def _ledger(state: LedgerState) -> Iterator[Symptom]:
    for problem in state.problems:
        yield Symptom(subject="ledger", grade=Grade.PROBLEM, text=problem)
    for warning in state.warnings:
        yield Symptom(subject="ledger", grade=Grade.WARNING, text=warning)
    if not state.problems:
        text = f"{state.place}: in order" if state.exists else f"{state.place}: not made yet, the first pass makes it"
        yield Symptom(subject="ledger", grade=Grade.OK, text=text)


def _clock(setup: Setup) -> list[Symptom]:
    """Compare the clock with the last thing on record: one that went back starts every confirmation over."""
    now = setup.now()
    try:
        reader = setup.ledger.reader()
        try:
            last = reader.last_run()
        finally:
            reader.close()
    except LedgerError:
        return []  # told as the ledger's problem
    if last is not None and last.started > now:
        text = (
            f"the clock is {duration(last.started - now)} behind the last pass on record: confirmations start over; "
            "look at the time service"
        )
        return [Symptom(subject="clock", grade=Grade.PROBLEM, text=text)]
    return [Symptom(subject="clock", grade=Grade.OK, text=f"{now:%Y-%m-%d %H:%M:%S} UTC, ahead of all on record")]


def _read(server: ManagedServer) -> Inventory | InventoryError:
    try:
        panel = server.opened()
    except InventoryError as error:
        return error
    try:
        return panel.inventory()
    except InventoryError as error:
        return error
    finally:
        panel.close()


def _panel(server: ManagedServer, inventory: Inventory) -> Iterator[tuple[Grade, str]]:
    version = inventory.version or "of unknown version"
    names = counted(len(inventory.domains), "name")
    yield Grade.OK, f"Plesk {version} on {inventory.platform} answers through {inventory.panel}: {names}"
    full_off = stops_sending(Panel(version=inventory.version, platform=inventory.platform), server.policy)
    if full_off is not None:
        yield Grade.WARNING, f"nothing is turned off here: {full_off}"
    yield from _panel_clock(inventory)
    yield from _addresses(server, inventory)
    yield Grade.NOTE, "switches read: " + _tally(domain.switch.value for domain in inventory.domains)
    yield Grade.NOTE, "kinds read: " + _tally(domain.kind.value for domain in inventory.domains)
    yield from _lacking(inventory.domains)
    for oddity in inventory.oddities:
        yield Grade.WARNING, f"not understood: {oddity}"


def _panel_clock(inventory: Inventory) -> Iterator[tuple[Grade, str]]:
    """Compare the panel's clock with this one: logs and confirmations of both are compared all the time."""
    ahead = inventory.clock_ahead
    if ahead is not None and abs(ahead) >= _CLOCKS_APART:
        which = "ahead of" if ahead > timedelta(0) else "behind"
        text = f"the panel's clock is {duration(abs(ahead))} {which} this machine's: look at the time service of both"
        yield Grade.WARNING, text


def _addresses(server: ManagedServer, inventory: Inventory) -> Iterator[tuple[Grade, str]]:
    shown = ", ".join(
        str(entry.address) if entry.public is None else f"{entry.address} (public {entry.public})"
        for entry in inventory.addresses
    )
    yield Grade.NOTE, f"addresses the panel lists: {shown or 'none'}; its host name: {inventory.host_name or 'none'}"
    known: set[Address] = {entry.public or entry.address for entry in inventory.addresses} | server.addresses
    has_public = any(is_routable(address) for address in known) or any(
        is_routable(network.network_address) for network in server.networks
    )
    if not has_public:
        text = "no public address of this server is known: add it to local.addresses, or every name looks elsewhere"
        yield Grade.PROBLEM, text


def _lacking(domains: Iterable[HostedDomain]) -> Iterator[tuple[Grade, str]]:
    """Tell what this panel does not say clearly."""
    listed = list(domains)
    unknown = [domain.name.text for domain in listed if domain.switch is Switch.UNKNOWN]
    if unknown:
        text = f"the switch of {counted(len(unknown), 'name')} is not clear and never touched: {', '.join(unknown[:5])}"
        yield Grade.WARNING, text
    undated = sum(1 for domain in listed if domain.created is None and domain.kind is not Kind.ALIAS)
    if undated:
        yield Grade.NOTE, f"{counted(undated, 'name')} without a date of creation: held as arriving only by the ledger"


def _tally(words: Iterable[str]) -> str:
    return ", ".join(f"{number} {word}" for word, number in sorted(Counter(words).items())) or "none"
