"""Packets of DNS servers: our own readings may decline; they never differ from dnspython's, never raise, never loop.

The first octet of an input chooses the question (its name and type), and whether the packet behind it is whole or the
question is put in for it: without that, mutations would hardly ever get past the check that a reply repeats it.
"""

from __future__ import annotations

from collections.abc import Iterator

import dns.rdatatype

from mailswitch.core.names import DomainName
from mailswitch.lookup.fast_codec import FastCodec
from mailswitch.lookup.low_level import read_low_level
from tests.support.readings import asked_for, by_dnspython, recorded_replies

__all__ = ["MAX_OCTETS", "TOKENS", "seeds", "try_one"]

MAX_OCTETS = 600
TOKENS = (
    b"\xc0\x0c",
    b"\xc0\x14",
    b"\x81\x80",
    b"\x81\x83",
    b"\x00\x01\x00\x01",
    b"\x00\x0f\x00\x01",
    b"\x00\x1c\x00\x01",
    b"\x00\x06\x00\x01",
    b"\x00\x05\x00\x01",
    b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00",
    b"\x00\x00\x0e\x10",
    b"\x02mx\xc0\x0c",
    b"\x07example\x00",
)
_NAMES = tuple(DomainName(f"{label}.example") for label in ("moved", "alias", "far", "nowhere"))
_TYPES = (dns.rdatatype.MX, dns.rdatatype.A, dns.rdatatype.AAAA)
_ASKED = tuple(
    dict.fromkeys(
        [
            *((name, rdtype) for rdtype in _TYPES for name in _NAMES),
            *((name, rdtype) for name, rdtype, _, _ in recorded_replies()),
        ]
    )
)
_WHOLE = 0x80
_HEADER_OCTETS = 12


def try_one(data: bytes) -> None:
    """Read one packet in every way."""
    if not data:
        return
    name, rdtype = _ASKED[(data[0] & 0x7F) % len(_ASKED)]
    asked, packet = asked_for(name.text, rdtype), data[1:]
    if not data[0] & _WHOLE:
        packet = packet[:_HEADER_OCTETS] + asked + packet[_HEADER_OCTETS:]
    heard = by_dnspython(packet, asked, name, rdtype)
    for way, reading in (
        ("fast", FastCodec().read(packet, asked)),
        ("record by record", read_low_level(packet, asked, name, rdtype)),
    ):
        if reading is not None and reading != heard:
            raise AssertionError(f"{packet.hex()} is {reading} read {way} and {heard} read by dnspython")


def seeds() -> Iterator[bytes]:
    """Return what the simulated resolver answers, replies in the shapes of other servers, and those of real ones."""
    for name, rdtype, asked, packet in recorded_replies():
        if len(packet) < MAX_OCTETS:
            choice = _ASKED.index((name, rdtype))
            yield bytes((choice,)) + packet[:_HEADER_OCTETS] + packet[_HEADER_OCTETS + len(asked) :]
            yield bytes((choice | _WHOLE,)) + packet
