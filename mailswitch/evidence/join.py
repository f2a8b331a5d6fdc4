"""What the log's lines say together: joined by queue id, from a message's arrival to its mailboxes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_network
from typing import Any, assert_never

from mailswitch.core.evidence import LoginCount, MailCount, Traffic
from mailswitch.core.names import DomainName
from mailswitch.evidence.lines import Arrival, Delivery, Event, Inside, LogIn, Odd, Refusal, Removal
from mailswitch.evidence.places import Places
from mailswitch.evidence.tally import Tally

__all__ = ["Join"]

_MOST_OPEN = 100_000
_LONGEST_IN_QUEUE = 6 * 86_400
"""Postfix gives up after five days (``maximal_queue_lifetime``)."""
_GRACE = 120
"""Seconds in which a filter's answer may still tell that a message it gave back is one already counted."""
_LONGEST_ARRIVAL = 900
"""Seconds from a client's line to its message's id; so long after the log's beginning a missing client tells."""


class _Origin(StrEnum):
    OUTSIDE = "outside"
    CO_TENANT = "co-tenant"
    OWN_SMTP = "own-smtp"
    """By SMTP from this server: a co-tenant's, or a filter's that gives back what it was handed."""
    GIVEN_BACK = "given-back"
    """Given back by a filter, and counted when it was handed over."""
    UNTOLD = "untold"


# Looked up once: an enum's member costs more than all else that is done with a line.
_OUTSIDE, _CO_TENANT, _OWN_SMTP = _Origin.OUTSIDE, _Origin.CO_TENANT, _Origin.OWN_SMTP
_FROM_OUTSIDE, _FROM_CO_TENANT = Traffic.OUTSIDE, Traffic.CO_TENANT


@dataclass(slots=True)
class _Message:
    """One message in the queue; changes as its lines come."""

    origin: _Origin
    network: str | None
    since: int
    counted: tuple[str, ...] = ()
    """Names it was counted for; mostly one, and tuples cost nothing to begin with."""
    waiting: tuple[tuple[str, int], ...] = ()
    """What is counted when it is certain that the message was not given back by a filter."""
    removed: int | None = None


class Join:
    """Counts by name, day, kind and network. Lines come in the log's order; what is still open can be saved."""

    def __init__(self, hosted: Iterable[DomainName], places: Places) -> None:
        """Count for ``hosted`` names only: anybody may write any name into a log."""
        self.odd = 0
        """Lines that should have told something and could not be trusted."""
        self._names = {name.text: name for name in hosted}
        self._hosted = {text.encode("ascii"): text for text in self._names}
        self._places = places
        self._open: dict[bytes, _Message] = {}
        self._leaving: set[bytes] = set()
        self._tally = Tally()
        self._began: int | None = None

    def begin(self, at: int) -> None:
        """Forget what is open: the log begins here, or begins again after a gap."""
        self._open.clear()
        self._leaving.clear()
        self._began = at

    def pass_time(self, at: int) -> None:
        """Close what waited long enough; called once for each minute of the log."""
        for queue_id in [one for one in self._leaving if at - (self._open[one].removed or 0) > _GRACE]:
            self._close(queue_id)

    def take(self, event: Event, at: int) -> None:
        """Add one line; ``at`` is its second since 1970."""
        match event:
            case Arrival():
                self._arrive(event, at)
            case Delivery():
                self._deliver(event, at)
            case Removal():
                self._remove(event.queue_id, at)
            case Inside():
                if event.is_certain or self._is_made_here(event.queue_id, at):
                    self._add(event.queue_id, _Message(_CO_TENANT, None, at))
            case LogIn():
                self._log_in(event, at)
            case Refusal():
                self._refuse(event, at)
            case Odd():
                self.odd += 1
                if event.queue_id is not None:
                    self._add(event.queue_id, _Message(_Origin.UNTOLD, None, at))
            case _ as never:
                assert_never(never)

    def saved(self) -> dict[str, Any]:
        """Return what is still open, for `restore` of a later reader; what was too long in the queue is left out."""
        newest = max((message.since for message in self._open.values()), default=0)
        return {
            "began": self._began,
            "open": [
                [queue_id.decode("ascii"), *_saved(message)]
                for queue_id, message in self._open.items()
                if newest - message.since <= _LONGEST_IN_QUEUE
            ],
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take up what another reader left open.

        Raises:
            ValueError, LookupError, TypeError, InvalidName: it was not saved by this program.
        """
        self._began = None if saved["began"] is None else int(saved["began"])
        self._open = {str(queue_id).encode("ascii"): _restored(*parts) for queue_id, *parts in saved["open"]}
        self._leaving = {queue_id for queue_id, message in self._open.items() if message.removed is not None}

    def counts(self) -> tuple[MailCount, ...]:
        """Return what was counted since it was asked last."""
        # One that was waited for may be hosted no more.
        return self._tally.counts(self._names)

    def logins(self) -> tuple[LoginCount, ...]:
        """Return the log-ins since it was asked last."""
        return self._tally.logins(self._names)

    def _arrive(self, event: Arrival, at: int) -> None:
        if event.is_authenticated:
            self._add(event.queue_id, _Message(_CO_TENANT, None, at))
            return
        network = None
        try:
            network = self._places.outside(event.address)
            if network is None and event.original is not None:
                network = self._places.outside(event.original)
            origin = _OWN_SMTP if network is None else _OUTSIDE
        except ValueError:
            origin = _Origin.UNTOLD
        if event.handed_as in self._open:
            origin = _Origin.GIVEN_BACK
        self._add(event.queue_id, _Message(origin, network, at))

    def _is_made_here(self, queue_id: bytes, at: int) -> bool:
        """Whether a message without a client is a bounce or forwarded; at the log's beginning a client may lack."""
        return queue_id not in self._open and self._began is not None and at - self._began > _LONGEST_ARRIVAL

    def _deliver(self, event: Delivery, at: int) -> None:
        if event.is_remote and not self._places.is_ours(event.address):
            return
        given = None if event.queued_as is None else self._open.get(event.queued_as)
        if given is not None and given.origin is _OWN_SMTP:
            given.origin = _Origin.GIVEN_BACK
            given.waiting = ()
        message = self._open.get(event.queue_id)
        if message is None:
            return
        name = self._name(event, message.origin)
        if name is None or name in message.counted:
            return
        message.counted += (name,)
        origin = message.origin  # of a message that was given back, or is not told, nothing is counted
        if origin is _OUTSIDE:
            self._tally.add(name, at, _FROM_OUTSIDE, message.network)
        elif origin is _CO_TENANT:
            self._tally.add(name, at, _FROM_CO_TENANT, None)
        elif origin is _OWN_SMTP:
            message.waiting += ((name, at),)

    def _name(self, event: Delivery, origin: _Origin) -> str | None:
        """Return whose mail it is: the name that was written to, before aliases.

        What a co-tenant wrote to a bare user of the machine (root) lands in the mailbox that the alias names.
        """
        written = event.to if event.original is None else event.original
        name = self._hosted.get(_domain(written))
        if name is None and origin is not _OUTSIDE and event.original is not None:
            name = self._hosted.get(_domain(event.to))
        return name

    def _remove(self, queue_id: bytes, at: int) -> None:
        message = self._open.get(queue_id)
        if message is None:
            return
        if message.origin is _OWN_SMTP:
            message.removed = at
            self._leaving.add(queue_id)
        else:
            del self._open[queue_id]

    def _refuse(self, event: Refusal, at: int) -> None:
        name = self._hosted.get(_domain(event.recipient))
        if name is None:
            return
        try:
            network = self._places.outside(event.address)
        except ValueError:
            self.odd += 1
            return
        if network is not None:
            is_gateway = self._places.is_gateway(event.name)
            self._tally.add(name, at, Traffic.REFUSED_GATEWAY if is_gateway else Traffic.REFUSED, network)

    def _log_in(self, event: LogIn, at: int) -> None:
        name = self._hosted.get(event.domain.lower())
        if name is None:
            return
        try:
            mailbox = event.local_part.decode("utf-8").lower()
        except UnicodeDecodeError:
            self.odd += 1
            return
        self._tally.add_login(name, mailbox, at)

    def _add(self, queue_id: bytes, message: _Message) -> None:
        self._close(queue_id)
        self._open[queue_id] = message
        if len(self._open) > _MOST_OPEN:
            self._close(next(iter(self._open)))

    def _close(self, queue_id: bytes) -> None:
        message = self._open.pop(queue_id, None)
        self._leaving.discard(queue_id)
        if message is not None:
            for name, at in message.waiting:
                self._tally.add(name, at, _FROM_CO_TENANT, None)


def _domain(address: bytes) -> bytes:
    return address.rpartition(b"@")[2].lower().removesuffix(b".")


def _saved(message: _Message) -> list[Any]:
    return [
        message.origin.value,
        message.network,
        message.since,
        sorted(message.counted),
        [[name, at] for name, at in message.waiting],
        message.removed,
    ]


def _restored(*parts: Any) -> _Message:
    origin, network, since, counted, waiting, removed = parts
    return _Message(
        origin=_Origin(origin),
        network=None if network is None else str(ip_network(network)),
        since=int(since),
        counted=tuple(DomainName(name).text for name in counted),
        waiting=tuple((DomainName(name).text, int(at)) for name, at in waiting),
        removed=None if removed is None else int(removed),
    )
