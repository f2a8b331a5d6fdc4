"""Many questions under way at one vantage: one state machine, without a task or future for each of them.

Work goes into a window of open inquiries; each try of one is pending under its port and id until its inquiry is over.
Tries over TCP and TLS are pending under a port of their own.

Facts:

- NXDOMAIN and NODATA are answers and not asked for again; SERVFAIL and REFUSED are no answers and may pass
  (RFC 2308 §7); retries are bounded and spaced (RFC 9520 §3.1).
- A server that does not know EDNS says FORMERR or NOTIMP, and is asked again without (RFC 6891 §7).
- An answer to an earlier try is as good as one to the last: it repeats that try's id, port and letter case.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import dns.flags
import dns.message
import dns.rcode

from mailswitch.core.traffic import Stray
from mailswitch.lookup.answers import ANSWERING, read_reply
from mailswitch.lookup.fast_codec import FastCodec
from mailswitch.lookup.inquiry import STREAMS, Inquiry, Tries
from mailswitch.lookup.low_level import read_low_level
from mailswitch.lookup.pacing import GIVEN_UP, Standing
from mailswitch.lookup.ports import MAX_UNDER_WAY, Ports
from mailswitch.lookup.replies import Again, Reply, Unreliable
from mailswitch.lookup.sending import Sender
from mailswitch.lookup.streams import Streams
from mailswitch.lookup.vantages import Timing, VantageSettings
from mailswitch.lookup.wire import Heard, matched, not_reachable, stray_in

__all__ = ["Window"]

_PAUSE_SECONDS = 0.05
_TICK_SECONDS = 0.05
_MOST_AT_ONCE = 100
_HEADER_OCTETS = 12
_EDNS_UNKNOWN = frozenset({dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS})
_MAY_BE_TOO_FAST = frozenset({dns.rcode.SERVFAIL, dns.rcode.REFUSED})


class Window:
    """One vantage's window; used for one batch of work, within one event loop.

    ``supply`` gives so many of the next inquiries at most, ``done`` takes some with their replies and may make more;
    ``remaining`` tells the seconds left until the sweep's deadline.
    """

    def __init__(
        self,
        *,
        settings: VantageSettings,
        timing: Timing,
        remaining: Callable[[], float],
        standing: Standing,
        streams: Streams,
        codec: FastCodec | None,
        supply: Callable[[int], Sequence[Inquiry]],
        done: Callable[[Iterable[tuple[Inquiry, Reply]]], None],
    ) -> None:
        self._settings = settings
        self._timing = timing
        self._timeout = timing.timeout.total_seconds()
        self._limit = min(timing.concurrency, MAX_UNDER_WAY)
        self._remaining = remaining
        self._standing = standing
        self._read: Callable[[bytes, bytes], Reply | None] = (lambda *_: None) if codec is None else codec.read
        self._supply = supply
        self._done = done
        self._too_late = Unreliable(f"the sweep's deadline of {timing.deadline} passed", is_cut_off=True)
        self._loop = asyncio.get_running_loop()
        self._ports = Ports(settings)
        self._streams = streams
        streams.begin(self._ports.wake)
        self._open: set[Inquiry] = set()
        self._tries = Tries(timing.tries)
        self._sender = Sender(settings, tries=self._tries, ports=self._ports, streams=streams, pace=standing.pace)
        self._again: list[tuple[float, int, Inquiry]] = []
        self._turns = itertools.count()
        self._pause = _TICK_SECONDS

    async def work_off(self) -> None:
        """Put inquiries until none is supplied and none is open."""
        with self._ports:
            while True:
                left = self._remaining()
                if left <= 0:
                    self._end_everything()
                    return
                is_more_to_send = self._fill(left)
                if not (self._open or is_more_to_send):
                    return
                await self._ports.wait(min(left, self._pause))
                self._take_in()

    def _fill(self, left: float) -> bool:
        """Send what is due and what there is room for, as fast as the pace allows; return whether more is to come."""
        now, pace = self._loop.time(), self._standing.pace
        self._pause = _TICK_SECONDS
        while self._again and pace.allowed(now) and (inquiry := self._due(now)) is not None:
            inquiry.turn = None
            inquiry.tries += 1
            self._sender.again(inquiry, now)
        while (room := min(pace.allowed(now), self._limit - len(self._open), _MOST_AT_ONCE)) > 0:
            inquiries = self._fresh(now, room)
            self._open.update(inquiries)
            self._sender.first(inquiries, now)
            if len(inquiries) < room:
                return False
        wait = pace.wait(now)
        if not wait:
            return True
        self._pause = min(self._pause, wait)
        if wait >= left:
            self._end_unsent()
        return wait < left

    def _due(self, now: float) -> Inquiry | None:
        """Return what is to be tried again by now; what was answered meanwhile is dropped."""
        while self._again:
            due, turn, inquiry = self._again[0]
            if inquiry.turn == turn and due > now:
                return None
            heapq.heappop(self._again)
            if inquiry.turn == turn and self._standing.is_dead:
                self._finish(inquiry, GIVEN_UP)
            elif inquiry.turn == turn:
                self._standing.retries += 1
                return inquiry
        return None

    def _fresh(self, now: float, most: int) -> list[Inquiry]:
        """Return the next inquiries of the supply; none is put to a vantage that is taken for dead."""
        chosen: list[Inquiry] = []
        while len(chosen) < most:
            supplied = self._supply(1 if self._standing.is_dead else most - len(chosen))
            if not supplied:
                break
            if self._standing.is_given_up(now, self._timeout):
                self._done([(inquiry, GIVEN_UP) for inquiry in supplied])
            else:
                chosen += supplied
        return chosen

    def _break(self, port: int, error: OSError) -> None:
        """Take note that nothing comes back to a port."""
        for inquiry in self._tries.waiting_at(port):
            self._failed(inquiry, not_reachable(error), _PAUSE_SECONDS)

    def _go_on_over_tcp(self, inquiry: Inquiry) -> None:
        """Ask once more, over TCP; whatever comes over UDP from now on is late."""
        self._tries.forget(inquiry)
        inquiry.turn = None
        inquiry.is_truncated = True
        self._sender.again(inquiry, self._loop.time())

    def _take_in(self) -> None:
        """Take in whatever came, and what did not come in time."""
        now = self._loop.time()
        for port, error in self._ports.broken():
            self._break(port, error)
        for port, packets in self._ports.arrived():
            self._received(port, packets, now)
        for ident, reason in self._streams.lost():
            lost = self._tries.inquiry(STREAMS << 16 | ident)
            if lost is not None and lost.key == STREAMS << 16 | ident:
                self._failed(lost, Unreliable(reason, Again.ALWAYS), _PAUSE_SECONDS)
        self._received(STREAMS, self._streams.arrived(), now)
        for inquiry in self._tries.overdue(self._patience, now):
            self._standing.unanswered(now)
            if inquiry.key is not None and inquiry.key >> 16 == STREAMS:
                self._streams.unanswered(inquiry.key & 0xFFFF)
            self._failed(inquiry, Unreliable(f"no answer within {self._timeout:.3g} s", Again.ALWAYS), 0.0)

    def _patience(self, number: int) -> float:
        if number >= self._timing.tries - 1:
            return self._timeout
        return min(self._timeout, self._standing.trips.patience(number))

    def _received(self, port: int, packets: Iterable[bytes], now: float) -> None:
        """Take in packets that came to a port."""
        tries, read = self._tries, self._read
        inquiry_of, forget, base = tries.inquiry, tries.forget, port << 16
        ended: list[tuple[Inquiry, Reply]] = []
        for packet in packets:
            key = base | int.from_bytes(packet[:2])
            inquiry = inquiry_of(key)
            if inquiry is None or len(packet) < _HEADER_OCTETS:
                self._standing.stray(Stray.MALFORMED if len(packet) < _HEADER_OCTETS else tries.stray(key))
                continue
            if inquiry.key == key:
                asked, sent_at = inquiry.asked, inquiry.sent_at
            else:
                asked, sent_at = tries.earlier(key)
            reply = read(packet, asked) or read_low_level(packet, asked, inquiry.name, inquiry.rdtype)
            if reply is None:
                self._received_other(inquiry, key, packet, asked, now - sent_at)
                continue
            if not ended:  # what comes together was sent together: one of it tells how long it took
                self._standing.answered(now - sent_at)
            forget(inquiry)
            ended.append((inquiry, reply))
        self._end(ended)

    def _received_other(self, inquiry: Inquiry, key: int, packet: bytes, asked: bytes, seconds: float) -> None:
        """Take in a packet that is no answer in good order; it came so many seconds after the try of ``key``."""
        heard = matched(packet, packet[:2], asked)
        if (stray := stray_in(packet, asked, heard)) is not None:
            self._standing.stray(stray)
        if heard is not None:
            self._standing.trips.add(seconds)
            self._read_by_dnspython(inquiry, key, heard)
        elif key >> 16 == STREAMS:
            # Nobody but the vantage itself can have said it, so nothing better is to come.
            self._tries.drop(inquiry, key)
            self._judge(inquiry, Unreliable("an answer to another question", Again.ALWAYS))

    def _read_by_dnspython(self, inquiry: Inquiry, key: int, heard: Heard) -> None:
        if isinstance(heard, dns.message.Message) and heard.flags & dns.flags.TC:
            if key >> 16 != STREAMS:
                self._go_on_over_tcp(inquiry)
                return
            heard = Unreliable("truncated", Again.ONCE)
        if inquiry.key == key or not _is_failure(heard):
            self._tries.drop(inquiry, key)
            self._judge(inquiry, heard)

    def _judge(self, inquiry: Inquiry, heard: Heard) -> None:
        """Take in what dnspython read, or what went wrong."""
        reply: Reply
        if isinstance(heard, Unreliable):
            reply = heard
        else:
            if heard.rcode() in _EDNS_UNKNOWN and inquiry.has_edns:
                inquiry.has_edns = False
                self._standing.heard()
                self._sender.again(inquiry, self._loop.time())
                return
            if heard.rcode() in _MAY_BE_TOO_FAST:
                self._standing.pace.refused()
            reply = read_reply(heard, inquiry.name, inquiry.rdtype, is_own=self._settings.is_own)
        if isinstance(reply, Unreliable):
            self._failed(inquiry, reply, _PAUSE_SECONDS)
        else:
            self._standing.heard()
            self._finish(inquiry, reply)

    def _failed(self, inquiry: Inquiry, reply: Unreliable, pause: float) -> None:
        """Try again after a pause in seconds, which doubles from try to try; or end the inquiry."""
        tries, again = inquiry.tries, reply.again
        if again is not Again.ALWAYS:
            self._standing.heard()
        if again is Again.NEVER or (again is Again.ONCE and tries > 1) or tries >= self._timing.tries:
            if again is Again.ALWAYS:
                self._standing.silent()
            over = "truncated over UDP, and over TCP: " if inquiry.is_truncated else ""
            times = f" ({tries} tries)" if tries > 1 else ""
            self._finish(inquiry, replace(reply, reason=f"{over}{reply.reason}{times}"))
        else:
            self._tries.supersede(inquiry)
            inquiry.turn = next(self._turns)
            heapq.heappush(self._again, (self._loop.time() + pause * 2 ** (tries - 1), inquiry.turn, inquiry))

    def _finish(self, inquiry: Inquiry, reply: Reply) -> None:
        self._tries.forget(inquiry)
        self._end([(inquiry, reply)])

    def _end(self, ended: Sequence[tuple[Inquiry, Reply]]) -> None:
        """End inquiries that wait for nothing any longer."""
        for inquiry, _ in ended:
            inquiry.turn = None
        self._open.difference_update([inquiry for inquiry, _ in ended])
        self._done(ended)

    def _end_unsent(self) -> None:
        """End what would have to wait for longer than the sweep lasts."""
        for _, turn, inquiry in self._again:
            if inquiry.turn == turn:
                self._finish(inquiry, self._too_late)
        self._again.clear()
        while unsent := self._supply(_MOST_AT_ONCE):
            self._done([(inquiry, self._too_late) for inquiry in unsent])

    def _end_everything(self) -> None:
        for inquiry in list(self._open):
            self._finish(inquiry, self._too_late)
        self._end_unsent()


def _is_failure(heard: Heard) -> bool:
    return isinstance(heard, Unreliable) or heard.rcode() not in ANSWERING
