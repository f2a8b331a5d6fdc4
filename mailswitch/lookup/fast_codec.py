"""Replies read straight from their octets, for the few shapes that most replies have.

Whatever is not exactly of such a shape is declined and left to dnspython, which reads about forty times slower and
everything. The fast reading may decline, but never differ: tests put the same packets, damaged ones included, through
both.

Facts:

- Read here: QR, RD or not, RA, nothing else in the flags; NOERROR or NXDOMAIN; the question as it was asked, octet by
  octet; then either records of the asked type owned by the question (a pointer to octet 12), or one SOA of a zone the
  name is in (RFC 2308 §5); then nothing, or an OPT record without options and flags (RFC 6891 §6.1.2).
- A compression pointer leads strictly backwards, and what it leads to ends before the name it was found in begins
  (RFC 1035 §4.1.4); so no chain of them is a loop.
- A TTL with its first bit set means 0 (RFC 2181 §8): declined.
"""

from __future__ import annotations

import re
import struct
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address

from mailswitch.core.mx import MX, Address
from mailswitch.core.names import DomainName
from mailswitch.lookup.replies import Found, Nothing, NotThere, Reply

__all__ = ["FastCodec"]

_HEADER = struct.Struct("!5H")
_TTL_AND_SIZE = struct.Struct("!IH")
_REST_OF_RECORD = struct.Struct("!HHIH")
_SOA_MINIMUM = struct.Struct("!16xI")
_HEADER_OCTETS = 12
_TYPE_AND_CLASS_OCTETS = 4
_ANSWER = 0x8080
_RECURSION_DESIRED = 0x0100
_NXDOMAIN = 3
_QUESTION_OWNER = b"\xc0\x0c"
_A, _SOA, _MX, _AAAA = 1, 6, 15, 28
_IN = 1
_KINDS = {rdtype.to_bytes(2) + _IN.to_bytes(2): rdtype for rdtype in (_A, _MX, _AAAA)}
"""The types read here, by how a question ends."""
_MAX_TTL = 0x7FFFFFFF
_MAX_RECORDS = 50
_MAX_HOPS = 16
_MAX_REMEMBERED = 10_000
"""RRsets that are kept as one value: those of the large mail hosts are among the first met."""
_MAX_NAME_OCTETS = 255
_MAX_LABEL_OCTETS = 63
_POINTER = 0xC0
_OPT = b"\0\0\x29"
_NO_OPTIONS = bytes(6)
_PLAIN_LABEL = re.compile(rb"[a-z0-9_-]+\Z")

_SHAPES = {
    _HEADER.pack(_ANSWER | desired | rcode, 1, answers, authorities, additional): (answers, rcode, additional)
    for desired in (0, _RECURSION_DESIRED)
    for additional in (0, 1)
    for answers, authorities, rcode in [
        *((count, 0, 0) for count in range(1, _MAX_RECORDS + 1)),
        (0, 1, 0),
        (0, 1, _NXDOMAIN),
    ]
}
"""What is read here, by a header's octets behind the id: how many answers, the code, and whether OPT is there."""


class _Declined(Exception):
    """The packet is for dnspython to read."""


class FastCodec:
    """Reads replies of the usual shapes; used for one sweep, in which equal records become one value.

    Most replies of a sweep repeat, behind the question, the octets of another one. What those were read as is
    remembered together with all that the reading depended on: the header, the type, and the question from where the
    farthest pointer led. With where that is, this holds the question's length, too: pointers into the records lead to
    the same octets of them.
    """

    def __init__(self) -> None:
        self._read: dict[bytes, tuple[int, bytes, bytes, Found]] = {}
        """By the octets behind the question: from where in it they depended on it when they were met last, and what was
        there, in lower case; the header; and what all that was read as."""
        self._mx_of: dict[bytes, MX] = {}
        self._found_of: dict[tuple[int | None, int, tuple[bytes, ...]], Found] = {}
        self._negative_of: dict[tuple[int, int], Nothing | NotThere] = {}

    def read(self, packet: bytes, asked: bytes) -> Reply | None:
        """Return what a reply to the question section ``asked`` says; None for a packet that dnspython has to read.

        Whether the packet's id is that of a query is for the caller to see.
        """
        at = _HEADER_OCTETS + len(asked)
        if packet[_HEADER_OCTETS:at] != asked:
            return None
        header, behind = packet[2:_HEADER_OCTETS], packet[at:]
        met = self._read.get(behind)
        if met is not None:
            reach, header_then, end_then, found = met
            if header == header_then and asked[reach:].lower() == end_then:
                return found
        shape = _SHAPES.get(header)
        if shape is None:
            return None
        answers, rcode, additional = shape
        try:
            if not answers:
                question = asked[:-_TYPE_AND_CLASS_OCTETS].lower()
                return self._negative(rcode, _negative_seconds(packet, at, additional, question))
            found, reach = self._found(packet, asked, answers, additional)
        except (_Declined, struct.error, IndexError):
            return None
        if reach >= 0:
            if len(self._read) >= _MAX_REMEMBERED:
                self._read.clear()
            self._read[behind] = reach, header, asked[reach:].lower(), found
        return found

    def _found(self, packet: bytes, asked: bytes, count: int, additional: int) -> tuple[Found, int]:
        """Return the records, and from where in the question they depend on it: below 0 for a pointer to the header."""
        kind = asked[-_TYPE_AND_CLASS_OCTETS:]
        rdtype = _KINDS.get(kind)
        beginning = _QUESTION_OWNER + kind
        at = _HEADER_OCTETS + len(asked)
        first = at - _TYPE_AND_CLASS_OCTETS
        records: list[bytes] = []
        least = _MAX_TTL
        for _ in range(count):
            ttl, size = _TTL_AND_SIZE.unpack_from(packet, at + 6)
            if packet[at : at + 6] != beginning or ttl > _MAX_TTL:
                raise _Declined
            at += 12
            end = at + size
            if rdtype == _MX:
                name, after, lowest = _name(packet, at + 2, end)
                if after != end:
                    raise _Declined
                records.append(packet[at : at + 2] + name)
                first = min(first, lowest)
            else:
                records.append(packet[at:end])
            at = end
            least = min(least, ttl)
        _end_with_opt(packet, at, additional)
        key = rdtype, least, tuple(records)
        found = self._found_of.get(key)
        if found is None:
            found = self._made(records, rdtype, timedelta(seconds=least))
            if len(self._found_of) < _MAX_REMEMBERED:
                self._found_of[key] = found
        return found, first - _HEADER_OCTETS

    def _made(self, records: list[bytes], rdtype: int | None, ttl: timedelta) -> Found:
        if rdtype == _MX:
            return Found(mx=frozenset([self._mx(record) for record in records]), ttl=ttl)
        return Found(addresses=frozenset([_address(record, rdtype) for record in records]), ttl=ttl)

    def _mx(self, record: bytes) -> MX:
        """Return the value of a preference and an uncompressed name."""
        mx = self._mx_of.get(record)
        if mx is None:
            exchange = DomainName(_text(record[2:]))
            mx = self._mx_of[record] = MX(preference=record[0] << 8 | record[1], exchange=exchange)
        return mx

    def _negative(self, rcode: int, seconds: int) -> Nothing | NotThere:
        negative = self._negative_of.get((rcode, seconds))
        if negative is None:
            made = NotThere if rcode == _NXDOMAIN else Nothing
            negative = made(ttl=timedelta(seconds=seconds))
            if len(self._negative_of) < _MAX_REMEMBERED:
                self._negative_of[rcode, seconds] = negative
        return negative


def _negative_seconds(packet: bytes, at: int, additional: int, asked: bytes) -> int:
    """How many seconds a negative answer holds by the one SOA in it, of a zone that the name asked for is in."""
    zone, at, _ = _name(packet, at, len(packet))
    kind, rdclass, ttl, size = _REST_OF_RECORD.unpack_from(packet, at)
    at += _REST_OF_RECORD.size
    end = at + size
    if kind != _SOA or rdclass != _IN or ttl > _MAX_TTL or end > len(packet) or not _is_within(asked, zone):
        raise _Declined
    for _ in ("primary server", "mailbox"):
        _, at, _ = _name(packet, at, end)
    if end - at != _SOA_MINIMUM.size:
        raise _Declined
    (minimum,) = _SOA_MINIMUM.unpack_from(packet, at)
    _end_with_opt(packet, end, additional)
    seconds: int = min(ttl, minimum)
    return seconds


def _name(packet: bytes, at: int, end: int) -> tuple[bytes, int, int]:
    """Return the name at ``at`` in lower case and uncompressed, where it ends, and where its last part begins.

    All of it lies before ``end``, and no part of it before the last one.
    """
    parts: list[bytes] = []
    after, begin, start, hops = 0, at, at, _MAX_HOPS
    while True:
        if at >= end:
            raise _Declined
        octet = packet[at]
        if not octet:
            break
        if octet <= _MAX_LABEL_OCTETS:
            at += octet + 1
            continue
        target = (octet & 0x3F) << 8 | packet[at + 1]
        if octet < _POINTER or at + 2 > end or target >= start or not hops:
            raise _Declined
        parts.append(packet[begin:at])
        after = after or at + 2
        begin, at, end, start, hops = target, target, start, target, hops - 1
    parts.append(packet[begin : at + 1])
    name = b"".join(parts).lower()
    if len(name) > _MAX_NAME_OCTETS:
        raise _Declined
    return name, after or at + 1, begin


def _text(name: bytes) -> str:
    labels: list[bytes] = []
    at = 0
    while name[at]:
        stop = at + name[at] + 1
        labels.append(name[at + 1 : stop])
        at = stop
    if not labels:
        return "."
    if not all(map(_PLAIN_LABEL.match, labels)):
        raise _Declined  # a dot or a control character in a label
    return b".".join(labels).decode("ascii")


def _is_within(name: bytes, zone: bytes) -> bool:
    """Whether a name is the zone's or below it; both in lower case."""
    at = 0
    while name[at:] != zone:
        if not name[at]:
            return False
        at += name[at] + 1
    return True


def _address(octets: bytes, rdtype: int | None) -> Address:
    if rdtype == _A and len(octets) == 4:
        return IPv4Address(octets)
    if rdtype == _AAAA and len(octets) == 16:
        found = IPv6Address(octets)
        return found.ipv4_mapped or found
    raise _Declined


def _end_with_opt(packet: bytes, at: int, additional: int) -> None:
    """Decline unless nothing is left but an OPT record without options and flags, if one is announced."""
    if additional:
        if packet[at : at + 3] != _OPT or packet[at + 5 :] != _NO_OPTIONS:
            raise _Declined
    elif at != len(packet):
        raise _Declined
