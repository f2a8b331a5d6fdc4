"""What a name server says when it is asked without recursion: its zone's answer, or who is told to know.

Total functions over messages, without any network: whatever a message holds comes to an answer, a delegation, or a
reason to rely on neither.

Facts:

- Who serves a zone answers with AA (RFC 1035 §4.1.1); who does not although the delegation names it is lame
  (RFC 1912 §2.8).
- A referral is an empty answer with the NS records of a zone between the server's own and the name (RFC 1034 §4.3.2).
  One that leads up or aside leads nowhere: only steps downwards are taken, so that there is an end.
- Addresses beside a referral (glue) count for names below the zone that the server was asked for, as those are its own
  to delegate (RFC 2181 §5.4.1); all others are looked up.
- AA speaks of the first name of a CNAME chain (RFC 1035 §4.1.1): its target is asked for where it is delegated to.
- A DNAME stands for a CNAME at each name below it (RFC 6672 §2.2); the CNAME beside it is there for those who do not
  know that.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from datetime import timedelta

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.CNAME
import dns.rdtypes.ANY.DNAME
import dns.rdtypes.ANY.NS
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA

from mailswitch.core.mx import Address, address
from mailswitch.core.names import DomainName
from mailswitch.lookup.answers import ANSWERING, AnswerSection, core_name, found_in, negative_ttl, records_in, wire_name
from mailswitch.lookup.replies import Again, Found, Nothing, NotThere, Reply, Unfinished, Unreliable

__all__ = ["Delegation", "NameServer", "Said", "read_said"]

_MAX_SERVERS = 20
"""Name servers of one zone that are taken note of; the root has 13."""
_MAX_GLUE = 4
"""Addresses of one name server that are taken note of."""
_PASSING = frozenset({dns.rcode.SERVFAIL, dns.rcode.REFUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class NameServer:
    """One name server of a zone."""

    name: DomainName
    addresses: tuple[Address, ...] = ()
    """As the parent's servers give them, IPv4 first; empty where they have to be looked up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """A zone and who serves it, in its parent's words."""

    zone: DomainName
    servers: tuple[NameServer, ...]


Said = Reply | Delegation


def read_said(
    message: dns.message.Message, name: DomainName, rdtype: dns.rdatatype.RdataType, zone: DomainName
) -> Said:
    """Return what a matching, complete message of one of ``zone``'s servers says about ``name``.

    ``rdtype`` is MX, A or AAAA. A CNAME is Unfinished, with its target only.
    """
    rcode = message.rcode()
    if rcode not in ANSWERING:
        return Unreliable(dns.rcode.to_text(rcode), Again.ONCE if rcode in _PASSING else Again.NEVER)
    asked, apex = wire_name(name), wire_name(zone)
    if message.flags & dns.flags.AA:
        reply = _answer(message, asked, rdtype, apex)
        if reply is not None:
            return reply
    if rcode == dns.rcode.NOERROR and not message.answer:
        delegation = _delegation(message, asked, apex)
        if delegation is not None:
            return delegation
    if message.flags & dns.flags.AA:
        return Unreliable("neither an answer nor a referral")
    return Unreliable(f"no authority for {zone} (it is lame)")


def _answer(
    message: dns.message.Message, asked: dns.name.Name, rdtype: dns.rdatatype.RdataType, apex: dns.name.Name
) -> Reply | None:
    """Return what a message with AA answers; None where it has no answer."""
    section = AnswerSection.of(records_in(message.answer))
    alias = _alias(section, asked, apex)
    if alias is not None:
        return alias
    records, ttl = section.records(asked, rdtype)
    if records:
        return found_in(records, Found(ttl=ttl))
    if not _has_soa(message, asked, apex):
        return None
    negative = negative_ttl(message, asked) or timedelta(0)
    return NotThere(ttl=negative) if message.rcode() == dns.rcode.NXDOMAIN else Nothing(ttl=negative)


def _alias(section: AnswerSection, asked: dns.name.Name, apex: dns.name.Name) -> Unfinished | Unreliable | None:
    """Return where a DNAME above the name, or a CNAME at it, leads."""
    for depth in range(len(asked) - 1, len(apex) - 1, -1):
        owner = asked.split(depth)[1]
        renames, ttl = section.records(owner, dns.rdatatype.DNAME)
        ends = {each.target for each in renames if isinstance(each, dns.rdtypes.ANY.DNAME.DNAME)}
        if ends:
            return _led(asked, {_renamed(asked, owner, end) for end in ends}, "DNAMEs", ttl)
    aliases, ttl = section.records(asked, dns.rdatatype.CNAME)
    targets = {each.target for each in aliases if isinstance(each, dns.rdtypes.ANY.CNAME.CNAME)}
    return _led(asked, targets, "CNAMEs", ttl) if targets else None


def _renamed(asked: dns.name.Name, owner: dns.name.Name, end: dns.name.Name) -> dns.name.Name | None:
    """Return ``asked`` with ``end`` in place of ``owner``; None when that is too long for a name (RFC 6672 §2.2)."""
    try:
        return asked.relativize(owner).derelativize(end)
    except dns.name.NameTooLong:
        return None


def _led(
    asked: dns.name.Name, targets: Set[dns.name.Name | None], kind: str, ttl: timedelta
) -> Unfinished | Unreliable:
    target, *others = targets
    if others:
        return Unreliable(f"{core_name(asked)} has several {kind}")
    if target is None:
        return Unreliable("a DNAME leads to a name that is too long")
    return Unfinished(ttl=ttl, canonical=(core_name(target),))


def _has_soa(message: dns.message.Message, asked: dns.name.Name, apex: dns.name.Name) -> bool:
    """Whether a negative answer bears the SOA of the zone asked for, or of one on the way from there to the name."""
    return any(
        rrset.rdtype == dns.rdatatype.SOA
        and rrset.rdclass == dns.rdataclass.IN
        and asked.is_subdomain(rrset.name)
        and rrset.name.is_subdomain(apex)
        for rrset in message.authority
    )


def _delegation(message: dns.message.Message, asked: dns.name.Name, apex: dns.name.Name) -> Delegation | None:
    """Return the one zone below ``apex`` that a message refers to, if it does."""
    named: dict[dns.name.Name, dict[dns.name.Name, None]] = {}
    for rrset in message.authority:
        if rrset.rdtype == dns.rdatatype.NS and rrset.rdclass == dns.rdataclass.IN:
            targets = named.setdefault(rrset.name, {})
            targets.update((each.target, None) for each in rrset if isinstance(each, dns.rdtypes.ANY.NS.NS))
    if len(named) != 1:
        return None
    ((owner, targets),) = named.items()
    if owner == apex or not owner.is_subdomain(apex) or not asked.is_subdomain(owner):
        return None
    glue = _glue(message, apex)
    servers = tuple(
        NameServer(name=core_name(target), addresses=_first(glue.get(target, [])))
        for target in list(targets)[:_MAX_SERVERS]
    )
    return Delegation(zone=core_name(owner), servers=servers)


def _glue(message: dns.message.Message, apex: dns.name.Name) -> dict[dns.name.Name, list[Address]]:
    """Return the addresses beside a referral that are the server's own to give."""
    glue: dict[dns.name.Name, list[Address]] = {}
    for rrset in message.additional:
        if rrset.rdclass == dns.rdataclass.IN and rrset.name.is_subdomain(apex):
            found = (each for each in rrset if isinstance(each, dns.rdtypes.IN.A.A | dns.rdtypes.IN.AAAA.AAAA))
            glue.setdefault(rrset.name, []).extend(address(each.address) for each in found)
    return glue


def _first(addresses: list[Address]) -> tuple[Address, ...]:
    """Return the distinct addresses that are taken note of, IPv4 first: not every machine has IPv6."""
    return tuple(sorted(dict.fromkeys(addresses), key=lambda one: one.version)[:_MAX_GLUE])
