"""Questions while they are open at a vantage, and the tries of each of them that wait for an answer."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import dns.rdatatype

from mailswitch.core.names import DomainName
from mailswitch.core.traffic import Stray
from mailswitch.lookup.ports import PORTS

__all__ = ["STREAMS", "Inquiry", "Tries"]

STREAMS = PORTS
"""Where tries over TCP and TLS are pending: a port of their own, whatever connection they are on."""
_KEYS = PORTS << 16
"""Ports and ids over UDP, in one number."""


@dataclass(eq=False)
class Inquiry:
    """One question until it is answered or given up, and the last try of it.

    There is one for each question of a sweep: what is not given stays the class's until it changes.
    """

    name: DomainName
    rdtype: dns.rdatatype.RdataType
    wire: bytes
    """The name in wire form."""
    is_follow_up: bool = False
    """Asked for the end of other names' chains only."""
    has_edns: bool = field(default=True, init=False)
    is_truncated: bool = field(default=False, init=False)
    """Over UDP: it is asked over TCP from then on."""
    tries: int = field(default=0, init=False)
    """Tries made so far."""
    key: int | None = field(default=None, init=False)
    """Port and id, in one number, of the try whose answer is waited for; None between tries."""
    port: int | None = field(default=None, init=False)
    """Where the last try was sent from."""
    asked: bytes = field(default=b"", init=False)
    """The question section of the last try, which its answer has to repeat."""
    sent_at: float = field(default=0.0, init=False)
    """When the last try was sent, in seconds of the event loop's clock."""
    turn: int | None = field(default=None, init=False)
    """Its place among those to be tried again; None when it is not to be."""
    earlier_keys: tuple[int, ...] = field(default=(), init=False)
    """Those of the tries before: an answer to one of them is as good."""


class Tries:
    """The tries whose answers may still come, each under its key, and the timer that ends the wait for them."""

    def __init__(self, most: int) -> None:
        self.most = most
        """Tries of one inquiry at most."""
        self._over = bytearray((STREAMS + 1) << 16)
        self._pending: dict[int, Inquiry] = {}
        self.inquiry = self._pending.get
        """Returns whose try it is, None for a key that no try is pending under."""
        self._earlier: dict[int, tuple[bytes, float]] = {}
        """What was asked when, of tries that are not the last of their inquiry."""
        self._sent = tuple(deque[tuple[float, Inquiry]]() for _ in range(most + 1))
        """First tries, second tries … over UDP as they were sent, and all others; what is over stays until its turn."""

    def add(self, inquiry: Inquiry, key: int) -> bool:
        """Wait for the answer to what ``inquiry`` asks now; return False, and do nothing, if the key is taken."""
        if key in self._pending:
            return False
        inquiry.key = key
        self._pending[key] = inquiry
        number = self.most if key >> 16 == STREAMS else inquiry.tries - 1
        self._sent[number].append((inquiry.sent_at, inquiry))
        return True

    def add_first(self, inquiries: Sequence[Inquiry], draw: Callable[[int], Iterable[int]], now: float) -> list[int]:
        """Wait for the answers to first tries over UDP, sent now; return their keys, made of numbers of ``draw``."""
        while True:
            keys = [number % _KEYS for number in draw(len(inquiries))]
            if len({*keys}) == len(keys) and self._pending.keys().isdisjoint(keys):
                break
        self._pending.update(zip(keys, inquiries, strict=True))
        self._sent[0].extend(zip(itertools.repeat(now), inquiries, strict=False))
        return keys

    def stray(self, key: int) -> Stray:
        """Return what an answer is under whose key no try is pending."""
        return Stray.LATE if self._over[key] else Stray.UNKNOWN_ID

    def earlier(self, key: int) -> tuple[bytes, float]:
        """Return the question section of a try that is not the last of its inquiry, and when it was sent."""
        return self._earlier[key]

    def waiting_at(self, port: int) -> list[Inquiry]:
        """Return the inquiries whose last try went out from a port."""
        return [inquiry for key, inquiry in self._pending.items() if key >> 16 == port and inquiry.key == key]

    def overdue(self, patience: Callable[[int], float], now: float) -> Iterator[Inquiry]:
        """Yield, once, each inquiry whose n-th try (the first is 0) waits for longer than ``patience`` of n seconds.

        A try over TCP or TLS has the patience of the one after the last.
        """
        for number, sent in enumerate(self._sent):
            before = now - patience(number) if sent else now
            while sent:
                at, inquiry = sent[0]
                is_waiting = inquiry.key is not None and inquiry.sent_at == at
                if is_waiting and at > before:
                    break
                sent.popleft()
                if is_waiting:
                    yield inquiry

    def supersede(self, inquiry: Inquiry) -> None:
        """Take the last try for an earlier one: another is to be made."""
        if inquiry.key is not None:
            self._earlier[inquiry.key] = inquiry.asked, inquiry.sent_at
            inquiry.earlier_keys += (inquiry.key,)
            inquiry.key = None

    def drop(self, inquiry: Inquiry, key: int) -> None:
        """Wait no longer for the answer to one try."""
        del self._pending[key]
        self._over[key] = 1
        if inquiry.key == key:
            inquiry.key = None
        else:
            del self._earlier[key]
            inquiry.earlier_keys = tuple(each for each in inquiry.earlier_keys if each != key)

    def forget(self, inquiry: Inquiry) -> None:
        """Wait for none of an inquiry's tries any longer."""
        if inquiry.earlier_keys:
            for key in inquiry.earlier_keys:
                self.drop(inquiry, key)
        if inquiry.key is not None:
            del self._pending[inquiry.key]
            self._over[inquiry.key] = 1
            inquiry.key = None
