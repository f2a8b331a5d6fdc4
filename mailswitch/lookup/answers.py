"""What a resolver's message means: from packets to core values, without any network.

Facts:

- NODATA and NXDOMAIN carry the zone's SOA; its TTL and minimum say how long they hold (RFC 2308 §2, §3, §5). Without
  one the answer may be a referral or a filter's work, and is nothing to rely on.
- A recursive resolver answers with RA and without AA (RFC 1035 §4.1.1). One with AA serves the zone itself.
- The answer section holds the CNAME chain before the records (RFC 1034 §4.3.2); the code of the message speaks of the
  chain's end (RFC 6604 §3).
- Extended errors 15 to 17 are a filter speaking, 4 an answer forged by policy (RFC 8914 §4).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.CNAME
import dns.rdtypes.ANY.MX
import dns.rdtypes.ANY.SOA
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA
import dns.rrset

from mailswitch.core.mx import MX, Address, address
from mailswitch.core.names import DomainName
from mailswitch.lookup.replies import Again, Found, Nothing, NotThere, Reply, Unfinished, Unreliable

__all__ = [
    "ANSWERING",
    "AnswerSection",
    "Record",
    "Said",
    "Value",
    "core_name",
    "found_in",
    "negative_ttl",
    "parse_message",
    "read_reply",
    "records_in",
    "said_soas",
    "wire_name",
]

Value = dns.rdata.Rdata | MX | Address
"""A record's data as dnspython has it, or as the core does."""
_Labels = tuple[bytes, ...]

_PLAIN_LABEL = re.compile(rb"[A-Za-z0-9_-]+\Z")
"""What no name has to be escaped for."""

ANSWERING = frozenset({dns.rcode.NOERROR, dns.rcode.NXDOMAIN})
"""The codes of an answer; all others are failures."""
_AA, _RA = int(dns.flags.AA), int(dns.flags.RA)
_FILTERS = {4: "forged", 15: "blocked", 16: "censored", 17: "filtered"}
_MAX_CHAIN = 16
_MAX_RECORDS = 100
"""An RRset of more is no mail service but an attack on whoever asks: each exchange costs two questions."""


def wire_name(name: DomainName) -> dns.name.Name:
    """Return ``name`` as dnspython's absolute name."""
    text = name.text
    if "\\" not in text and text not in {".", "@"}:
        return dns.name.Name([*text.encode("ascii").split(b"."), b""])
    # dnspython reads a lone "@" as the origin, which would ask about the root.
    return dns.name.from_text(text if text != "@" else r"\@")


def parse_message(packet: bytes, *, question_only: bool = False) -> dns.message.Message | None:
    """Return the message in ``packet``, with ``question_only`` its beginning; None for anything that is none."""
    try:
        return dns.message.from_wire(packet, one_rr_per_rrset=True, question_only=question_only)
    except (dns.exception.DNSException, ValueError):
        return None


def read_reply(
    message: dns.message.Message, name: DomainName, rdtype: dns.rdatatype.RdataType, *, is_own: bool = False
) -> Reply:
    """Return what a matching, complete message says about ``name``; ``rdtype`` is MX, A or AAAA.

    With ``is_own`` an answer with authority counts too: its sender's own view is what is asked for.
    """
    said = Said(
        flags=message.flags,
        rcode=message.rcode(),
        errors=tuple(int(option.code) for option in message.options if isinstance(option, dns.edns.EDEOption)),
        answer=AnswerSection.of(records_in(message.answer)),
        soas=said_soas(records_in(message.authority)),
        is_own=is_own,
    )
    return said.about(wire_name(name), rdtype)


@dataclass(frozen=True, slots=True)
class Record:
    """One record of class IN."""

    owner: dns.name.Name
    rdtype: dns.rdatatype.RdataType
    ttl: int
    """In seconds."""
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What there is in a complete message to judge a name by, whoever read it."""

    flags: int
    rcode: dns.rcode.Rcode
    errors: tuple[int, ...]
    """Extended errors (RFC 8914)."""
    answer: AnswerSection
    soas: tuple[tuple[dns.name.Name, int], ...]
    """The owner of each SOA in the authority section, and for how many seconds it lets a negative answer hold."""
    is_own: bool = False
    """It comes from a resolver whose own view is asked for, zones that it serves itself included."""

    def about(self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> Reply:
        """Return what that means for ``name``; ``rdtype`` is MX, A or AAAA."""
        doubt = self._doubt()
        if doubt is not None:
            return doubt
        chain = self.answer.chain(name)
        if isinstance(chain, Unreliable):
            return chain
        end = chain.names[-1]
        canonical = tuple(core_name(each) for each in chain.names[1:])
        if self.rcode == dns.rcode.NXDOMAIN:
            ttl = _longest_negative(self.soas, end)
            if ttl is None:
                return Unreliable("NXDOMAIN without the zone's SOA")
            return NotThere(ttl=min(ttl, chain.ttl), canonical=canonical)
        records, ttl = self.answer.records(end, rdtype)
        if records:
            return found_in(records, Found(ttl=min(ttl, chain.ttl), canonical=canonical))
        negative = _longest_negative(self.soas, end)
        if negative is not None:
            return Nothing(ttl=min(negative, chain.ttl), canonical=canonical)
        if canonical:
            return Unfinished(ttl=chain.ttl, canonical=canonical)
        return Unreliable("an empty answer without the zone's SOA (a referral, or a broken resolver)")

    def _doubt(self) -> Unreliable | None:
        """Why nothing of it can be relied on, if so."""
        for code in self.errors:
            if code in _FILTERS:
                return Unreliable(f"the resolver says that its answer is {_FILTERS[code]} (extended error {code})")
        if self.rcode not in ANSWERING:
            more = f" (extended error {', '.join(map(str, self.errors))})" if self.errors else ""
            passing = self.rcode in {dns.rcode.SERVFAIL, dns.rcode.REFUSED}
            return Unreliable(dns.rcode.to_text(self.rcode) + more, Again.ONCE if passing else Again.NEVER)
        if self.flags & _AA:
            if self.is_own:
                return None
            return Unreliable("it answers with authority: it serves the zone itself and is no public view")
        if not self.flags & _RA:
            return Unreliable("it offers no recursion")
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chain:
    names: tuple[dns.name.Name, ...]
    """The name asked for, then each CNAME's target."""
    ttl: timedelta


@dataclass(frozen=True, slots=True)
class AnswerSection:
    """An answer section by owner and type; an owner's records with the smallest TTL among them."""

    by_key: dict[tuple[_Labels, dns.rdatatype.RdataType], tuple[list[Value], int]]

    @classmethod
    def of(cls, records: Iterable[Record]) -> AnswerSection:
        """Sort the records of a message's answer section."""
        by_key: dict[tuple[_Labels, dns.rdatatype.RdataType], tuple[list[Value], int]] = {}
        for record in records:
            key = _labels(record.owner), record.rdtype
            values, ttl = by_key.get(key, ([], record.ttl))
            values.append(record.value)
            by_key[key] = values, min(ttl, record.ttl)
        return cls(by_key)

    def records(self, owner: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> tuple[Sequence[Value], timedelta]:
        """Return an owner's records of one type, none if there are none, and their TTL."""
        records, ttl = self.by_key.get((_labels(owner), rdtype), ([], 0))
        return records, timedelta(seconds=ttl)

    def chain(self, start: dns.name.Name) -> _Chain | Unreliable:
        """Follow the CNAMEs from a name on, as far as they are in the section."""
        chain = _Chain(names=(start,), ttl=timedelta.max)
        while True:
            aliases, ttl = self.records(chain.names[-1], dns.rdatatype.CNAME)
            targets = {alias.target for alias in aliases if isinstance(alias, dns.rdtypes.ANY.CNAME.CNAME)}
            if not targets:
                return chain
            if len(targets) > 1:
                return Unreliable(f"{core_name(chain.names[-1])} has several CNAMEs")
            target = targets.pop()
            if target in chain.names or len(chain.names) > _MAX_CHAIN:
                return Unreliable("the CNAME chain is a loop, or longer than any that is meant")
            chain = replace(chain, names=(*chain.names, target), ttl=min(ttl, chain.ttl))


def records_in(section: Iterable[dns.rrset.RRset]) -> Iterator[Record]:
    """Yield the records of a message's section; classes other than IN are left out."""
    for rrset in section:
        if rrset.rdclass == dns.rdataclass.IN:
            for rdata in rrset:
                yield Record(rrset.name, rrset.rdtype, rrset.ttl, rdata)


def said_soas(authority: Iterable[Record]) -> tuple[tuple[dns.name.Name, int], ...]:
    """Return the owner of each SOA among records, and for how long it lets a negative answer hold (RFC 2308 §5)."""
    return tuple(
        (record.owner, min(record.ttl, record.value.minimum))
        for record in authority
        if isinstance(record.value, dns.rdtypes.ANY.SOA.SOA)
    )


def negative_ttl(message: dns.message.Message, end: dns.name.Name) -> timedelta | None:
    """Return how long a negative answer about ``end`` holds; None without the SOA of a zone it is in."""
    return _longest_negative(said_soas(records_in(message.authority)), end)


def _longest_negative(soas: Iterable[tuple[dns.name.Name, int]], end: dns.name.Name) -> timedelta | None:
    return next((timedelta(seconds=seconds) for zone, seconds in soas if end.is_subdomain(zone)), None)


def found_in(records: Sequence[Value], found: Found) -> Found | Unreliable:
    """Return ``found`` with the values of MX, A and AAAA records; more than anybody needs are nothing to rely on."""
    if len(records) > _MAX_RECORDS:
        return Unreliable(f"{len(records)} records, and more than {_MAX_RECORDS} are not followed up")
    mx = set[MX]()
    addresses = set[Address]()
    for each in records:
        match each:
            case MX():
                mx.add(each)
            case IPv4Address() | IPv6Address():
                addresses.add(each)
            case dns.rdtypes.ANY.MX.MX(preference=preference, exchange=exchange):
                mx.add(MX(preference=preference, exchange=core_name(exchange)))
            case dns.rdtypes.IN.A.A() | dns.rdtypes.IN.AAAA.AAAA():
                addresses.add(address(each.address))
    return Found(mx=frozenset(mx), addresses=frozenset(addresses), ttl=found.ttl, canonical=found.canonical)


def core_name(name: dns.name.Name) -> DomainName:
    """Return dnspython's absolute name as the core's."""
    labels = name.labels[:-1]
    if labels and all(map(_PLAIN_LABEL.match, labels)):
        return DomainName(b".".join(labels).decode("ascii"))
    return DomainName(name.to_text(omit_final_dot=True))


def _labels(name: dns.name.Name) -> _Labels:
    """Return what names are told apart by; dnspython's own hash of a name looks at every octet in turn."""
    return tuple([label.lower() for label in name.labels])
