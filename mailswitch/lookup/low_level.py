"""Replies read record by record with dnspython's low-level calls: every shape there is of an answer in good order.

It stands between `mailswitch.lookup.fast_codec` and ``dns.message.from_wire``, which makes a message with indexed
record sets of what is read once and thrown away, and takes three times as long. Whatever is not in good order, and
whatever is a failure, is declined and left to that: tests put the same packets through both.

Facts:

- Read here: QR, opcode QUERY, neither TC nor an extended code, NOERROR or NXDOMAIN; the question as it was asked, octet
  by octet; then records of class IN of any type; then nothing, or one OPT record of the root (RFC 6891 §6.1.1).
- A TTL with its first bit set means 0 (RFC 2181 §8).
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

import dns.edns
import dns.exception
import dns.flags
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.OPT
import dns.wire

from mailswitch.core.mx import MX, Address
from mailswitch.core.names import DomainName
from mailswitch.lookup.answers import ANSWERING, AnswerSection, Record, Said, core_name, said_soas, wire_name
from mailswitch.lookup.replies import Reply, Unreliable

__all__ = ["read_low_level"]

_HEADER = struct.Struct("!2x5H")
_RECORD = struct.Struct("!HHIH")
_HEADER_OCTETS = 12
_OPCODE = 0x7800
_RCODE = 0x000F
_MAX_TTL = 0x7FFFFFFF
_MAX_RECORDS = 500
_QUESTION_OWNER = b"\xc0\x0c"
_RCODES = {each: each for each in ANSWERING}
_USUAL_TYPES = {
    each: each
    for each in (dns.rdatatype.MX, dns.rdatatype.A, dns.rdatatype.AAAA, dns.rdatatype.CNAME, dns.rdatatype.SOA)
}
"""Looking a type up here costs a tenth of making it."""
_NOT_READ = frozenset({dns.rdatatype.OPT, dns.rdatatype.TSIG})
_QUERY_BITS = int(dns.flags.QR | dns.flags.TC) | _OPCODE
_QR = int(dns.flags.QR)


class _Declined(Exception):
    """The packet is for ``dns.message`` to read."""


def read_low_level(packet: bytes, asked: bytes, name: DomainName, rdtype: dns.rdatatype.RdataType) -> Reply | None:
    """Return what a reply to the question section ``asked`` says about ``name``; None for a packet that it declines.

    Whether the packet's id is that of a query is for the caller to see.
    """
    at = _HEADER_OCTETS + len(asked)
    if len(packet) < at or packet[_HEADER_OCTETS:at] != asked:
        return None
    flags, questions, answers, authorities, additional = _HEADER.unpack_from(packet)
    rcode = _RCODES.get(flags & _RCODE)
    if rcode is None or flags & _QUERY_BITS != _QR:
        return None
    if questions != 1 or answers + authorities > _MAX_RECORDS or additional > 1:
        return None
    owner = wire_name(name)
    parser = dns.wire.Parser(packet, at)
    try:
        answer = [_record(parser, owner) for _ in range(answers)]
        authority = [_record(parser, owner) for _ in range(authorities)]
        errors = _extended_errors(parser) if additional else ()
        if parser.remaining():
            return None
        said = Said(
            flags=flags,
            rcode=rcode,
            errors=errors,
            answer=AnswerSection.of(answer),
            soas=said_soas(authority),
        )
        reply = said.about(owner, rdtype)
    except (_Declined, dns.exception.DNSException, struct.error, ValueError):
        return None
    return None if isinstance(reply, Unreliable) else reply


def _record(parser: dns.wire.Parser, asked: dns.name.Name) -> Record:
    """Read the next record; a pointer to the question is the owner of most."""
    at = parser.current
    if parser.wire[at : at + 2] == _QUESTION_OWNER:
        parser.seek(at + 2)
        owner = asked
    else:
        owner = dns.name.from_wire_parser(parser)
    rdtype, rdclass, ttl, size = _RECORD.unpack_from(parser.wire, parser.current)
    if rdclass != dns.rdataclass.IN or rdtype in _NOT_READ:
        raise _Declined
    kind = _USUAL_TYPES.get(rdtype) or dns.rdatatype.RdataType.make(rdtype)
    parser.seek(parser.current + _RECORD.size)
    # What Parser.restrict_to does, without a context for every record.
    whole, end = parser.end, parser.current + size
    if end > whole:
        raise _Declined
    parser.end = end
    value = _value(parser, kind)
    if parser.current != end:
        raise _Declined
    parser.end = whole
    return Record(owner, kind, ttl if ttl <= _MAX_TTL else 0, value)


def _value(parser: dns.wire.Parser, rdtype: dns.rdatatype.RdataType) -> dns.rdata.Rdata | MX | Address:
    """Read a record's data, all that the parser is restricted to: the core's values for what is asked for."""
    match rdtype:
        case dns.rdatatype.MX:
            preference = parser.get_uint16()
            return MX(preference=preference, exchange=core_name(dns.name.from_wire_parser(parser)))
        case dns.rdatatype.A:
            return IPv4Address(parser.get_remaining())
        case dns.rdatatype.AAAA:
            found = IPv6Address(parser.get_remaining())
            return found.ipv4_mapped or found
    return dns.rdata.from_wire_parser(dns.rdataclass.IN, rdtype, parser)


def _extended_errors(parser: dns.wire.Parser) -> tuple[int, ...]:
    """Read the one additional record, which has to be OPT, and return the extended errors in it (RFC 8914 §2)."""
    if parser.get_uint8():
        raise _Declined
    rdtype, rdclass, ttl, size = parser.get_struct("!HHIH")
    if rdtype != dns.rdatatype.OPT or dns.rcode.from_flags(0, ttl):
        raise _Declined
    if not size:
        return ()
    with parser.restrict_to(size):
        opt = dns.rdata.from_wire_parser(rdclass, rdtype, parser)
    if not isinstance(opt, dns.rdtypes.ANY.OPT.OPT):
        raise _Declined
    return tuple(int(option.code) for option in opt.options if isinstance(option, dns.edns.EDEOption))
