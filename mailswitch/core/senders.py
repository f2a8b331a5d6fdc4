"""Who outside still sends a name's mail to this server, in numbers that are no stray spam (design.md section 5)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from mailswitch.core.domain import Network
from mailswitch.core.evidence import Deliveries, Evidence, MailLog, NoEvidence
from mailswitch.core.history import caching_time
from mailswitch.core.ledger import DomainHistory
from mailswitch.core.words import counted, duration

__all__ = ["LOG_SPAN", "RefusedHere", "Sender", "recent_outside", "refused_here", "steady_senders"]

LOG_SPAN = timedelta(days=7)
"""How far back a mail log has to reach to say anything, and is looked into."""
_STEADY_MESSAGES = 3
_STEADY_DAYS = 2
_RESUMING_DAYS = 3
_RESUMED_WITHIN = timedelta(days=1)
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """One network outside, and what it sent within 7 days."""

    network: Network | None
    """None for all those together that were too many to be kept apart."""
    messages: int
    refused: int
    """How many of them were refused."""
    days: int
    last: datetime
    is_gateway: bool

    @property
    def is_steady(self) -> bool:
        """Whether this is more than stray numbers; what a known filter sends is no spam of its own, on any day."""
        return self.messages >= _STEADY_MESSAGES and (self.days >= _STEADY_DAYS or self.is_gateway)

    @property
    def words(self) -> str:
        """The network, for people."""
        return "more networks than are kept apart" if self.network is None else str(self.network)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedHere:
    """Outside hosts are refused for a name that we turned off, in more than stray numbers."""

    senders: tuple[Sender, ...]
    """The networks, the one that was refused most first."""
    is_ground_for_turning_on: bool
    """One of them is a known filter's, or comes again day after day."""
    text: str


def steady_senders(evidence: Evidence, history: DomainHistory, now: datetime) -> tuple[Sender, ...]:
    """Return who sent more than stray numbers within 7 days, accepted and refused messages together.

    What was refused counts too: a name that was turned on again because it is still sent mail must not be turned off
    before that was accepted for a while.
    """
    log = _log(evidence)
    accepted, refused = (_since_it_left(history, which, now) for which in (log.outside, log.refused))
    return tuple(one for one in _senders(accepted, refused) if one.is_steady)


def refused_here(
    evidence: Evidence, history: DomainHistory, now: datetime, *, turned_off: datetime | None
) -> RefusedHere | None:
    """Return who is refused for a name that we turned off; None where there are but stray numbers.

    Args:
        evidence: What the mail log shows of the name.
        history: What is remembered of it.
        now: The moment of the pass.
        turned_off: When it was turned off; what was refused before then was another turn's doing.
    """
    begin = None if turned_off is None else turned_off.replace(microsecond=0)  # a log's moments are whole seconds
    since = [one for one in _log(evidence).refused if begin is None or one.last >= begin]
    kept_apart = [one for one in _since_it_left(history, since, now) if one.network is not None]
    senders = tuple(one for one in _senders((), kept_apart) if one.is_steady)
    if not senders:
        return None
    gateways = [one for one in senders if one.is_gateway]
    resuming = [one for one in senders if one.days >= _RESUMING_DAYS and now - one.last <= _RESUMED_WITHIN]
    text = _refused_in_words(senders, now)
    if gateways:
        text += f"; {gateways[0].words} is a known filter's, which relays back to this server"
    elif resuming:
        text += f"; {resuming[0].words} comes again day after day, so the world still delivers here"
    return RefusedHere(senders=senders, is_ground_for_turning_on=bool(gateways or resuming), text=text)


def recent_outside(log: MailLog, now: datetime) -> tuple[Deliveries, ...]:
    """Return the accepted deliveries of the last 7 days."""
    return _recent(log.outside, now)


def _log(evidence: Evidence) -> MailLog:
    match evidence:
        case NoEvidence():
            return MailLog(covers=timedelta(0))
        case MailLog():
            return evidence
        case _ as never:
            assert_never(never)


def _recent(deliveries: Iterable[Deliveries], now: datetime) -> tuple[Deliveries, ...]:
    return tuple(delivery for delivery in deliveries if delivery.last >= now - LOG_SPAN)


def _since_it_left(history: DomainHistory, deliveries: Iterable[Deliveries], now: datetime) -> tuple[Deliveries, ...]:
    """Leave out what came before senders can have known: last seen here + TTL + 1 day (never seen here: all count).

    The TTL is the customer's to write, so it is capped: an enormous one must not hide every delivery. A moment that is
    still to come tells of a clock that was wrong, and then all count too.
    """
    found = _recent(deliveries, now)
    last_seen = history.last_seen_here
    if last_seen is None or last_seen > now:
        return found
    since = last_seen + caching_time(history) + timedelta(days=1)
    return tuple(delivery for delivery in found if delivery.last >= since)


def _senders(accepted: Iterable[Deliveries], refused: Iterable[Deliveries]) -> list[Sender]:
    """Return each network with what it sent, the one that sent most first."""
    by_network: dict[str, list[tuple[Deliveries, bool]]] = {}
    for deliveries, is_refused in ((accepted, False), (refused, True)):
        for delivery in deliveries:
            by_network.setdefault(str(delivery.network), []).append((delivery, is_refused))
    found = [
        Sender(
            network=group[0][0].network,
            messages=sum(one.messages for one, _ in group),
            refused=sum(one.messages for one, is_refused in group if is_refused),
            days=len({one.day for one, _ in group}),
            last=max(one.last for one, _ in group),
            is_gateway=any(one.is_gateway for one, _ in group),
        )
        for _, group in sorted(by_network.items())
    ]
    return sorted(found, key=lambda one: -one.messages)


def _refused_in_words(senders: tuple[Sender, ...], now: datetime) -> str:
    named = [f"{one.words} ({one.messages} on {counted(one.days, 'day')})" for one in senders[:_MOST_NAMED]]
    if len(senders) > _MOST_NAMED:
        named.append(f"{len(senders) - _MOST_NAMED} more")
    ago = duration(now - max(one.last for one in senders))
    total = counted(sum(one.messages for one in senders), "message")
    whence = counted(len(senders), "network")
    return f"{total} refused here in 7 days from {whence}, the last {ago} ago: {', '.join(named)}"
