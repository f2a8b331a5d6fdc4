"""What a check-up finds about vantages: what each of them is worth, and what they show of this machine's clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import assert_never

from mailswitch.core.domain import Inventory, Kind, Switch
from mailswitch.core.mx import AUTHORITATIVE, Vantage
from mailswitch.core.names import DomainName
from mailswitch.core.words import counted, duration
from mailswitch.report.doctor import Grade, Symptom
from mailswitch.service.setup import ManagedServer

__all__ = [
    "RootState",
    "Validation",
    "VantageState",
    "clock_by_signatures",
    "hosted_sample",
    "own_vantages",
    "root_symptoms",
    "vantage_symptoms",
]

_SLOW = timedelta(seconds=1)
_SAMPLE = 8


class Validation(Enum):
    """Whether a vantage checks signatures (DNSSEC)."""

    DONE = "done"
    NOT_DONE = "not-done"
    PRETENDED = "pretended"


@dataclass(frozen=True, slots=True, kw_only=True)
class VantageState:
    """How a vantage did when it was tried."""

    vantage: Vantage
    round_trip: timedelta | None
    problems: tuple[str, ...]
    """What makes it unfit, each with what to do."""
    validation: Validation = Validation.DONE
    signed: tuple[datetime, datetime] | None = None
    """From when to when the signatures hold that it handed out; None where it hands out none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RootState:
    """How the root's servers did, from which the domains' own are found."""

    asked: int
    answering: int
    reason: str | None
    """Why one of them gave no answer."""
    is_required: bool
    """Nothing is turned off without the word of the domains' own name servers."""


def root_symptoms(state: RootState) -> Iterator[Symptom]:
    """Tell whether the domains' own name servers can be asked for a last opinion."""
    subject = f"vantage {AUTHORITATIVE}"
    if state.answering:
        text = f"{state.answering} of {counted(state.asked, 'root server')} answer: name servers can be asked directly"
        yield Symptom(subject=subject, grade=Grade.OK, text=text)
    elif state.is_required:
        text = (
            f"no root server answers ({state.reason}), so nothing is turned off while dns.authoritative is require: "
            "let port 53 out, UDP and TCP, or name your network's root in dns.root_hints"
        )
        yield Symptom(subject=subject, grade=Grade.PROBLEM, text=text)
    else:
        text = (
            f"no root server answers ({state.reason}): the domains' own name servers give no last opinion, and the "
            'quorum decides; let port 53 out, UDP and TCP, or write dns.authoritative: "off"'
        )
        yield Symptom(subject=subject, grade=Grade.WARNING, text=text)


def vantage_symptoms(state: VantageState) -> Iterator[Symptom]:
    """Tell what one vantage is worth."""
    subject = f"vantage {state.vantage.name}"
    for problem in state.problems:
        yield Symptom(subject=subject, grade=Grade.PROBLEM, text=problem)
    if state.round_trip is None:
        return
    milliseconds = f"{state.round_trip.total_seconds() * 1000:.0f} ms"
    if state.round_trip > _SLOW:
        text = f"answers, but slowly ({milliseconds}): passes take long; use one that is nearer"
        yield Symptom(subject=subject, grade=Grade.WARNING, text=text)
    elif not state.problems:
        text = f"answers, recursive, does not make up names ({milliseconds}; operator {state.vantage.operator})"
        yield Symptom(subject=subject, grade=Grade.OK, text=text)
    yield Symptom(subject=subject, grade=_GRADES[state.validation], text=_validation(state.validation))


_GRADES = {Validation.DONE: Grade.OK, Validation.NOT_DONE: Grade.NOTE, Validation.PRETENDED: Grade.WARNING}


def _validation(found: Validation) -> str:
    match found:
        case Validation.DONE:
            return "validates DNSSEC: what is signed cannot be forged on its way to it"
        case Validation.NOT_DONE:
            return "does not validate DNSSEC: it believes forged answers; prefer a resolver that validates"
        case Validation.PRETENDED:
            return (
                "says that it validates DNSSEC, and yet believes a name whose signatures are broken "
                "(dnssec-failed.org): turn validation on there, or use another resolver"
            )
        case _ as never:
            assert_never(never)


def own_vantages(server: ManagedServer, inventory: Inventory, vantages: Iterable[VantageState]) -> Iterator[Symptom]:
    """Tell which vantages are at an address of a server."""
    ours = {entry.address for entry in inventory.addresses} | server.addresses
    ours |= {entry.public for entry in inventory.addresses if entry.public is not None}
    for state in vantages:
        address = state.vantage.address
        if address is not None and (address in ours or any(address in network for network in server.networks)):
            text = (
                f"vantage {state.vantage.name} is at an address of {server.name}, which serves its own zones: "
                "it is no public view of them, use a resolver of somebody else"
            )
            yield Symptom(subject=f"server {server.name}", grade=Grade.PROBLEM, text=text)


def hosted_sample(inventories: Iterable[Inventory]) -> tuple[DomainName, ...]:
    """Return a few hosted names that have a zone of their own, of as many servers as possible."""
    by_server = [
        [domain.name for domain in each.domains if domain.kind is Kind.DOMAIN and domain.switch is Switch.ON]
        for each in inventories
    ]
    firsts = [names[turn] for turn in range(_SAMPLE) for names in by_server if turn < len(names)]
    return tuple(dict.fromkeys(firsts))[:_SAMPLE]


def clock_by_signatures(now: datetime, vantages: Sequence[VantageState]) -> Iterator[Symptom]:
    """Hold the clock against the signatures that vantages hand out, which are made anew every day."""
    signed = [(state.vantage.name, *state.signed) for state in vantages if state.signed is not None]
    if not signed:
        return
    behind = [(name, begin - now) for name, begin, _ in signed if now < begin]
    ahead = [(name, now - end) for name, _, end in signed if now > end]
    for found, where in ((behind, "behind the beginning"), (ahead, "after the end")):
        for name, by in found:
            text = f"the clock is {duration(by)} {where} of the signatures that vantage {name} hands out: "
            if len(found) == len(signed):
                yield Symptom(subject="clock", grade=Grade.PROBLEM, text=text + "it is wrong; look at the time service")
            else:
                mend = "it hands out what is too new or too old, others do not; replace it"
                yield Symptom(subject=f"vantage {name}", grade=Grade.WARNING, text=text + mend)
    if not behind and not ahead:
        text = f"within what the signatures of {counted(len(signed), 'vantage')} allow"
        yield Symptom(subject="clock", grade=Grade.OK, text=text)
