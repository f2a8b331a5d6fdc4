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

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

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
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA

from mailswitch.core.mx import MX, address
from mailswitch.core.names import DomainName
from mailswitch.lookup.replies import Again, Found, Nothing, NotThere, Reply, Unfinished, Unreliable

__all__ = [
    "AnswerSection",
    "core_name",
    "found_in",
    "negative_ttl",
    "parse_message",
    "read_reply",
    "wire_name",
]

_FILTERS = {4: "forged", 15: "blocked", 16: "censored", 17: "filtered"}
_MAX_CHAIN = 16
_MAX_RECORDS = 100
"""An RRset of more is no mail service but an attack on whoever asks: each exchange costs two questions."""


def wire_name(name: DomainName) -> dns.name.Name:
    """Return ``name`` as dnspython's absolute name."""
    # dnspython reads a lone "@" as the origin, which would ask about the root.
    return dns.name.from_text(name.text if name.text != "@" else r"\@")


def parse_message(packet: bytes, *, question_only: bool = False) -> dns.message.Message | None:
    """Return the message in ``packet``, with ``question_only`` its beginning; None for anything that is none."""
    try:
        return dns.message.from_wire(packet, one_rr_per_rrset=True, question_only=question_only)
    except (dns.exception.DNSException, ValueError):
        return None


def read_reply(message: dns.message.Message, name: DomainName, rdtype: dns.rdatatype.RdataType) -> Reply:
    """Return what a matching, complete message says about ``name``; ``rdtype`` is MX, A or AAAA."""
    doubt = _doubt(message)
    if doubt is not None:
        return doubt
    section = AnswerSection.of(message)
    chain = section.chain(wire_name(name))
    if isinstance(chain, Unreliable):
        return chain
    end = chain.names[-1]
    canonical = tuple(core_name(each) for each in chain.names[1:])
    if message.rcode() == dns.rcode.NXDOMAIN:
        ttl = negative_ttl(message, end)
        if ttl is None:
            return Unreliable("NXDOMAIN without the zone's SOA")
        return NotThere(ttl=min(ttl, chain.ttl), canonical=canonical)
    records, ttl = section.records(end, rdtype)
    if records:
        return found_in(records, Found(ttl=min(ttl, chain.ttl), canonical=canonical))
    negative = negative_ttl(message, end)
    if negative is not None:
        return Nothing(ttl=min(negative, chain.ttl), canonical=canonical)
    if canonical:
        return Unfinished(ttl=chain.ttl, canonical=canonical)
    return Unreliable("an empty answer without the zone's SOA (a referral, or a broken resolver)")


def _doubt(message: dns.message.Message) -> Unreliable | None:
    """Why nothing in ``message`` can be relied on, if so."""
    codes = [int(option.code) for option in message.options if isinstance(option, dns.edns.EDEOption)]
    for code in codes:
        if code in _FILTERS:
            return Unreliable(f"the resolver says that its answer is {_FILTERS[code]} (extended error {code})")
    rcode = message.rcode()
    if rcode not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
        more = f" (extended error {', '.join(map(str, codes))})" if codes else ""
        passing = rcode in {dns.rcode.SERVFAIL, dns.rcode.REFUSED}
        return Unreliable(dns.rcode.to_text(rcode) + more, Again.ONCE if passing else Again.NEVER)
    if message.flags & dns.flags.AA:
        return Unreliable("it answers with authority: it serves the zone itself and is no public view")
    if not message.flags & dns.flags.RA:
        return Unreliable("it offers no recursion")
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chain:
    names: tuple[dns.name.Name, ...]
    """The name asked for, then each CNAME's target."""
    ttl: timedelta


@dataclass(frozen=True, slots=True)
class AnswerSection:
    """A message's answer section by owner and type; an owner's records with the smallest TTL among them."""

    by_key: dict[tuple[dns.name.Name, dns.rdatatype.RdataType], tuple[list[dns.rdata.Rdata], int]]

    @classmethod
    def of(cls, message: dns.message.Message) -> AnswerSection:
        """Sort a message's answer section; classes other than IN are left out."""
        by_key: dict[tuple[dns.name.Name, dns.rdatatype.RdataType], tuple[list[dns.rdata.Rdata], int]] = {}
        for rrset in message.answer:
            if rrset.rdclass == dns.rdataclass.IN and len(rrset):
                records, ttl = by_key.get((rrset.name, rrset.rdtype), ([], rrset.ttl))
                records.extend(rrset)
                by_key[rrset.name, rrset.rdtype] = records, min(ttl, rrset.ttl)
        return cls(by_key)

    def records(
        self, owner: dns.name.Name, rdtype: dns.rdatatype.RdataType
    ) -> tuple[Sequence[dns.rdata.Rdata], timedelta]:
        """Return an owner's records of one type, none if there are none, and their TTL."""
        records, ttl = self.by_key.get((owner, rdtype), ([], 0))
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


def negative_ttl(message: dns.message.Message, end: dns.name.Name) -> timedelta | None:
    """Return how long a negative answer about ``end`` holds (RFC 2308 §5); None without the SOA of a zone it is in."""
    for rrset in message.authority:
        if rrset.rdtype == dns.rdatatype.SOA and rrset.rdclass == dns.rdataclass.IN and end.is_subdomain(rrset.name):
            return timedelta(seconds=min([rrset.ttl, *(soa.minimum for soa in rrset)]))
    return None


def found_in(records: Sequence[dns.rdata.Rdata], found: Found) -> Found | Unreliable:
    """Return ``found`` with the values of MX, A and AAAA records; more than anybody needs are nothing to rely on."""
    if len(records) > _MAX_RECORDS:
        return Unreliable(f"{len(records)} records, and more than {_MAX_RECORDS} are not followed up")
    mx = frozenset(
        MX(preference=each.preference, exchange=core_name(each.exchange))
        for each in records
        if isinstance(each, dns.rdtypes.ANY.MX.MX)
    )
    addresses = frozenset(
        address(each.address) for each in records if isinstance(each, dns.rdtypes.IN.A.A | dns.rdtypes.IN.AAAA.AAAA)
    )
    return replace(found, mx=mx, addresses=addresses)


def core_name(name: dns.name.Name) -> DomainName:
    """Return dnspython's absolute name as the core's."""
    return DomainName(name.to_text(omit_final_dot=True))
