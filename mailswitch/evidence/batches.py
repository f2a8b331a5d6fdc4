"""What the collector hands over to the daemon, and what the daemon asks of it: JSON that is read strictly.

The collector reads the log for a daemon that may not; each believes no more of the other's file than it must. A batch
can only count names that the reader knows, on days around those it tells of, and a wish can only name names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from ipaddress import ip_network
from typing import Any

from mailswitch.core.domain import Network
from mailswitch.core.errors import InvalidName
from mailswitch.core.evidence import LoginCount, LogReading, MailCount, Traffic
from mailswitch.core.names import DomainName

__all__ = ["Batch", "Wish", "decoded_batch", "decoded_wish", "encoded_batch", "encoded_wish"]

_VERSION = 1
_MOST_MESSAGES = 2**53
_LONGEST_PROBLEM = 500
_NARROWEST = {4: 24, 6: 48}


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one look of the collector brought, with everything it needs to go on from there."""

    spool: str
    """Which series of batches it belongs to; a collector that lost its own begins another."""
    number: int
    """From 1 on without a gap."""
    after: datetime | None
    """Up to when the log was read before; None at the very beginning."""
    reading: LogReading | None
    """How far it is read now; None while nothing was."""
    counts: tuple[MailCount, ...] = ()
    logins: tuple[LoginCount, ...] = ()
    problem: str | None = None
    """Why the log does not speak for today."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the daemon wants to be counted, and how far it has merged batches."""

    server: str
    hosted: frozenset[DomainName]
    own: frozenset[Network]
    spool: str = ""
    merged: int = 0
    until: datetime | None = None
    """Up to when its ledger has counts: a new series of batches begins after that."""


def encoded_batch(batch: Batch) -> str:
    """Return a batch as JSON."""
    reading = batch.reading
    return json.dumps(
        {
            "version": _VERSION,
            "spool": batch.spool,
            "number": batch.number,
            "after": _moment_text(batch.after),
            "reading": None
            if reading is None
            else [_moment_text(reading.since), _moment_text(reading.until), reading.bookmark],
            "counts": [
                [one.name.text, one.day.isoformat(), one.traffic, one.network and str(one.network), one.messages,
                 _moment_text(one.last)]
                for one in batch.counts
            ],
            "logins": [
                [one.name.text, one.mailbox, one.day.isoformat(), one.logins, _moment_text(one.last)]
                for one in batch.logins
            ],
            "problem": batch.problem,
        }
    )  # fmt: skip


def decoded_batch(text: str, hosted: Iterable[DomainName] | None) -> Batch:
    """Return a batch; counts of names that are not ``hosted`` are left out (None: all are taken).

    Raises:
        ValueError: it is none.
    """
    names = None if hosted is None else {name.text: name for name in hosted}
    try:
        found = _document(text)
        reading = found["reading"]
        return Batch(
            spool=_spool(found["spool"]),
            number=_number(found["number"]),
            after=_moment(found["after"]),
            reading=None if reading is None else _reading(*reading),
            counts=tuple(_count(names, *one) for one in found["counts"] if names is None or one[0] in names),
            logins=tuple(_login(names, *one) for one in found["logins"] if names is None or one[0] in names),
            problem=None if found["problem"] is None else str(found["problem"])[:_LONGEST_PROBLEM],
        )
    except (LookupError, TypeError, AttributeError, InvalidName, OverflowError, RecursionError) as error:
        raise ValueError(f"it is no batch of counts ({type(error).__name__})") from error


def encoded_wish(wish: Wish) -> str:
    """Return a wish as JSON."""
    return json.dumps(
        {
            "version": _VERSION,
            "server": wish.server,
            "hosted": sorted(name.text for name in wish.hosted),
            "own": sorted(str(network) for network in wish.own),
            "spool": wish.spool,
            "merged": wish.merged,
            "until": _moment_text(wish.until),
        }
    )


def decoded_wish(text: str) -> Wish:
    """Return a wish.

    Raises:
        ValueError: it is none.
    """
    try:
        found = _document(text)
        return Wish(
            server=str(found["server"]),
            hosted=frozenset(DomainName(name) for name in found["hosted"]),
            own=frozenset(ip_network(network) for network in found["own"]),
            spool=_spool(found["spool"]) if found["spool"] else "",
            merged=_number(found["merged"], least=0),
            until=_moment(found["until"]),
        )
    except (LookupError, TypeError, AttributeError, InvalidName, OverflowError, RecursionError) as error:
        raise ValueError(f"it does not tell what is hosted ({type(error).__name__})") from error


def _document(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict) or found.get("version") != _VERSION:
        raise ValueError(f"it is not of version {_VERSION}")
    return found


def _spool(value: Any) -> str:
    if not isinstance(value, str) or len(value) != 16 or set(value) - set("0123456789abcdef"):
        raise ValueError("its series has no proper name")
    return value


def _number(value: Any, *, least: int = 1) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _MOST_MESSAGES:
        raise ValueError("a number in it is none")
    return value


def _moment(value: Any) -> datetime | None:
    if value is None:
        return None
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError("a moment in it has no time zone")
    return found.astimezone(UTC)


def _known_moment(value: Any) -> datetime:
    found = _moment(value)
    if found is None:
        raise ValueError("a moment is missing in it")
    return found


def _moment_text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()


def _reading(since: Any, until: Any, bookmark: Any) -> LogReading:
    return LogReading(since=_known_moment(since), until=_known_moment(until), bookmark=str(bookmark))


def _name(names: Mapping[str, DomainName] | None, text: Any) -> DomainName:
    return DomainName(text) if names is None else names[text]


def _count(names: Mapping[str, DomainName] | None, *parts: Any) -> MailCount:
    name, day, traffic, network, messages, last = parts
    found = None if network is None else ip_network(network)
    if found is not None and found.prefixlen != _NARROWEST[found.version]:
        raise ValueError("a network in it is neither a /24 nor a /48")
    return MailCount(
        name=_name(names, name),
        day=date.fromisoformat(day),
        traffic=Traffic(traffic),
        network=found,
        messages=_number(messages),
        last=_known_moment(last),
    )


def _login(names: Mapping[str, DomainName] | None, *parts: Any) -> LoginCount:
    name, mailbox, day, logins, last = parts
    if not isinstance(mailbox, str) or len(mailbox) > 64 or not mailbox.isprintable():
        raise ValueError("a mailbox in it is none")
    return LoginCount(
        name=_name(names, name),
        mailbox=mailbox,
        day=date.fromisoformat(day),
        logins=_number(logins),
        last=_known_moment(last),
    )
