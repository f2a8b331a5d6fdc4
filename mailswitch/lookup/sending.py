"""Tries as they are sent to one vantage: a port, an id and letter case of their own, over UDP or a stream.

Facts:

- The last of several tries is in lower case, for the few servers that do not repeat the case of a question.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailswitch.lookup.inquiry import STREAMS, Inquiry, Tries
from mailswitch.lookup.pacing import Pace
from mailswitch.lookup.ports import PORTS, Ports
from mailswitch.lookup.queries import Entropy, query_packet, question
from mailswitch.lookup.streams import Streams
from mailswitch.lookup.vantages import Transport, VantageSettings

__all__ = ["Sender"]


class Sender:
    """Puts inquiries to a vantage, and notes each try among those whose answers may come."""

    def __init__(self, settings: VantageSettings, *, tries: Tries, ports: Ports, streams: Streams, pace: Pace) -> None:
        self._tries = tries
        self._ports = ports
        self._streams = streams
        self._pace = pace
        self._entropy = Entropy()
        self._port = None if settings.transport is Transport.UDP else STREAMS

    def first(self, inquiries: Sequence[Inquiry], now: float) -> None:
        """Put fresh inquiries as `again` does: what is the same for many is done once, and packets follow each other.

        A server that falls asleep between two of them costs time to be woken.
        """
        if self._port is not None:
            for inquiry in inquiries:
                inquiry.tries = 1
                self.again(inquiry, now)
            return
        self._pace.sent(len(inquiries))
        mixed = self._entropy.mixed_cases([inquiry.wire for inquiry in inquiries])
        keys = self._tries.add_first(inquiries, self._entropy.numbers, now)
        packets: list[tuple[int, bytes]] = []
        for inquiry, key, name in zip(inquiries, keys, mixed, strict=True):
            port, asked = key >> 16, question(name, inquiry.rdtype)
            inquiry.key, inquiry.port, inquiry.asked = key, port, asked
            inquiry.sent_at, inquiry.tries = now, 1
            packets.append((port, query_packet(key & 0xFFFF, asked, has_edns=True)))
        self._ports.send(packets)

    def again(self, inquiry: Inquiry, now: float) -> None:
        """Put an inquiry once more; all but the last of several tries have their letter case mixed."""
        is_mixed = inquiry.tries == 1 or inquiry.tries < self._tries.most
        asked = question(self._entropy.mixed_case(inquiry.wire) if is_mixed else inquiry.wire, inquiry.rdtype)
        drawn = self._entropy.number()
        port = STREAMS if inquiry.is_truncated else self._port
        if port is None:
            port = (drawn >> 16 if inquiry.port is None else inquiry.port + 1) % PORTS
        inquiry.port, inquiry.asked, inquiry.sent_at = port, asked, now
        while not self._tries.add(inquiry, port << 16 | drawn & 0xFFFF):
            drawn = self._entropy.number()
        packet = query_packet(drawn & 0xFFFF, asked, has_edns=inquiry.has_edns)
        self._pace.sent()
        if port == STREAMS:
            self._streams.send(packet)
        else:
            self._ports.send([(port, packet)])
