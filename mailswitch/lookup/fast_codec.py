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

_HEADER = struct.Struct("!2x5H")
_RECORD = struct.Struct("!HHHIH")
_RECORD_OCTETS = _RECORD.size
_REST_OF_RECORD = struct.Struct("!HHIH")
_SOA_MINIMUM = struct.Struct("!16xI")
_HEADER_OCTETS = 12
_ALL_BUT_RD = 0xFEFF
_ANSWER = 0x8080
_NXDOMAIN = 3
_QUESTION_OWNER = 0xC00C
_A, _SOA, _MX, _AAAA = 1, 6, 15, 28
_IN = 1
_MAX_TTL = 0x7FFFFFFF
_MAX_RECORDS = 50
_MAX_HOPS = 16
_MAX_REMEMBERED = 10_000
"""RRsets that are kept as one value: those of the large mail hosts are among the first met."""
_MAX_NAME_OCTETS = 255
_MAX_LABEL_OCTETS = 63
_OPT = b"\0\0\x29"
_OPT_OCTETS = 11
_NO_OPTIONS = bytes(6)
_PLAIN_LABEL = re.compile(rb"[a-z0-9_-]+\Z")


class _Declined(Exception):
    """The packet is for dnspython to read."""


class FastCodec:
    """Reads replies of the usual shapes; used for one sweep, in which equal records become one value."""

    def __init__(self) -> None:
        self._mx_of: dict[bytes, MX] = {}
        self._found_of: dict[tuple[int, int, tuple[bytes, ...]], Found] = {}

    def read(self, packet: bytes, asked: bytes) -> Reply | None:
        """Return what a reply to the question section ``asked`` says; None for a packet that dnspython has to read.

        Whether the packet's id is that of a query is for the caller to see.
        """
        at = _HEADER_OCTETS + len(asked)
        if packet[_HEADER_OCTETS:at] != asked:
            return None
        try:
            flags, questions, answers, authorities, additional = _HEADER.unpack_from(packet)
            is_nxdomain = flags & _ALL_BUT_RD == _ANSWER | _NXDOMAIN
            if questions != 1 or not (is_nxdomain or flags & _ALL_BUT_RD == _ANSWER):
                return None
            if answers and not (is_nxdomain or authorities) and answers <= _MAX_RECORDS:
                return self._found(packet, at, answers, additional, int.from_bytes(asked[-4:-2]))
            if authorities == 1 and not answers:
                ttl = _negative_ttl(packet, at, additional, asked[:-4].lower())
                return NotThere(ttl=ttl) if is_nxdomain else Nothing(ttl=ttl)
        except (_Declined, struct.error, IndexError):
            pass
        return None

    def _found(self, packet: bytes, at: int, count: int, additional: int, rdtype: int) -> Found:
        records: list[bytes] = []
        least = _MAX_TTL
        for _ in range(count):
            owner, kind, rdclass, ttl, size = _RECORD.unpack_from(packet, at)
            if owner != _QUESTION_OWNER or kind != rdtype or rdclass != _IN or ttl > _MAX_TTL:
                raise _Declined
            at += _RECORD_OCTETS
            end = at + size
            if rdtype == _MX:
                name, after = _name(packet, at + 2, end)
                if after != end:
                    raise _Declined
                records.append(packet[at : at + 2] + name)
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
        return found

    def _made(self, records: list[bytes], rdtype: int, ttl: timedelta) -> Found:
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


def _negative_ttl(packet: bytes, at: int, additional: int, asked: bytes) -> timedelta:
    """How long a negative answer holds by the one SOA in it, of a zone that the name asked for is in."""
    zone, at = _name(packet, at, len(packet))
    kind, rdclass, ttl, size = _REST_OF_RECORD.unpack_from(packet, at)
    at += _REST_OF_RECORD.size
    end = at + size
    if kind != _SOA or rdclass != _IN or ttl > _MAX_TTL or end > len(packet) or not _is_within(asked, zone):
        raise _Declined
    for _ in ("primary server", "mailbox"):
        _, at = _name(packet, at, end)
    if end - at != _SOA_MINIMUM.size:
        raise _Declined
    (minimum,) = _SOA_MINIMUM.unpack_from(packet, at)
    _end_with_opt(packet, end, additional)
    return timedelta(seconds=min(ttl, minimum))


def _name(packet: bytes, at: int, end: int) -> tuple[bytes, int]:
    """Return the name at ``at`` in lower case and uncompressed, and where it ends; all of it lies before ``end``."""
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
        if octet < 0xC0 or at + 2 > end or target >= start or not hops:
            raise _Declined
        parts.append(packet[begin:at])
        after = after or at + 2
        begin, at, end, start, hops = target, target, start, target, hops - 1
    parts.append(packet[begin : at + 1])
    name = b"".join(parts).lower()
    if len(name) > _MAX_NAME_OCTETS:
        raise _Declined
    return name, after or at + 1


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


def _address(octets: bytes, rdtype: int) -> Address:
    if rdtype == _A and len(octets) == 4:
        return IPv4Address(octets)
    if rdtype == _AAAA and len(octets) == 16:
        found = IPv6Address(octets)
        return found.ipv4_mapped or found
    raise _Declined


def _end_with_opt(packet: bytes, at: int, additional: int) -> None:
    """Decline unless nothing is left but an OPT record without options and flags, if one is announced."""
    if not additional:
        if at != len(packet):
            raise _Declined
    elif (
        additional != 1
        or len(packet) - at != _OPT_OCTETS
        or packet[at : at + 3] != _OPT
        or packet[at + 5 :] != _NO_OPTIONS
    ):
        raise _Declined
