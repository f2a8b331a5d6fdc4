"""The records of the simulated public DNS and what a recursive resolver makes of them.

Facts:

- A name above an existing one exists, too: it has no records, which is NODATA and not NXDOMAIN (RFC 4592 §2.2.2).
- ``*`` as the first label answers for names that are not there (RFC 4592 §2.2).
- Negative answers carry an SOA, whose TTL and minimum say how long they hold (RFC 2308 §3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

__all__ = ["Finding", "PublicRecords", "RecordKey", "index_records"]

RecordKey = tuple[dns.name.Name, dns.rdatatype.RdataType]

_NO_SOA = dns.rrset.from_text(
    ".", 300, dns.rdataclass.IN, dns.rdatatype.SOA, "ns.invalid. hostmaster.invalid. 1 3600 600 86400 300"
)
_MAX_HOPS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the records have for one question."""

    rcode: dns.rcode.Rcode
    answer: tuple[dns.rrset.RRset, ...] = ()
    authority: tuple[dns.rrset.RRset, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicRecords:
    """Everything one public view of a world knows."""

    rrsets: Mapping[RecordKey, dns.rrset.RRset]
    """By canonical owner name and type; not to be changed."""
    existing: frozenset[dns.name.Name]
    """Every owner and every name above one."""

    def find(self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> Finding:
        """Answer a question as a recursive resolver does that knows these records and no others.

        CNAME chains are followed inside the records; one that goes round in circles is SERVFAIL.
        """
        owner, chain, seen = name, list[dns.rrset.RRset](), set[dns.name.Name]()
        while True:
            target = owner.canonicalize()
            if target in seen or len(seen) > _MAX_HOPS:
                return Finding(rcode=dns.rcode.SERVFAIL)
            seen.add(target)
            found = self._at(owner, rdtype)
            if found:
                return Finding(rcode=dns.rcode.NOERROR, answer=(*chain, *found))
            alias = self._at(owner, dns.rdatatype.CNAME)
            if not alias:
                exists = target in self.existing or self._wildcard(target) is not None
                rcode = dns.rcode.NOERROR if exists else dns.rcode.NXDOMAIN
                return Finding(rcode=rcode, answer=tuple(chain), authority=(self._soa(target),))
            chain.extend(alias)
            owner = alias[0][0].target

    def _at(self, owner: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> list[dns.rrset.RRset]:
        """The RRsets at ``owner`` (or at the wildcard that stands for it), named as they were asked for."""
        source = owner.canonicalize()
        if source not in self.existing:
            wildcard = self._wildcard(source)
            if wildcard is None:
                return []
            source = wildcard
        if rdtype == dns.rdatatype.ANY:
            found = [rrset for (at, _), rrset in self.rrsets.items() if at == source]
        else:
            one = self.rrsets.get((source, rdtype))
            found = [] if one is None else [one]
        return [dns.rrset.from_rdata_list(owner, rrset.ttl, list(rrset)) for rrset in found]

    def _wildcard(self, name: dns.name.Name) -> dns.name.Name | None:
        """The wildcard that stands for ``name``, at the closest name above it that exists (RFC 4592 §3.3.1)."""
        encloser = name
        while encloser not in self.existing:
            encloser = encloser.parent()
        wildcard = dns.name.Name((b"*", *encloser.labels))
        return wildcard if wildcard in self.existing else None

    def _soa(self, name: dns.name.Name) -> dns.rrset.RRset:
        """The SOA of the closest zone in the records, or one of an invented root zone."""
        above = name
        while above != dns.name.root:
            found = self.rrsets.get((above, dns.rdatatype.SOA))
            if found is not None:
                # RFC 2308 §3: the TTL of an SOA in a negative answer is the smaller of its own and the minimum.
                return dns.rrset.from_rdata_list(above, min(found.ttl, found[0].minimum), list(found))
            above = above.parent()
        return self.rrsets.get((dns.name.root, dns.rdatatype.SOA), _NO_SOA)


def index_records(rrsets: dict[RecordKey, dns.rrset.RRset]) -> PublicRecords:
    """Return the records with their index; ``rrsets`` is by canonical owner and type and is not changed afterwards."""
    existing = {dns.name.root}
    for owner, _ in rrsets:
        above = owner
        while above not in existing:
            existing.add(above)
            above = above.parent()
    return PublicRecords(rrsets=rrsets, existing=frozenset(existing))
