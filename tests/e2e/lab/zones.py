"""Zones of the lab's DNS as text, signed where they are to be: a root, two top-level domains, and customers' zones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dns.dnssec
import dns.dnssectypes
import dns.name
import dns.rdatatype
import dns.rdtypes.ANY.DNSKEY
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec

__all__ = ["TTL_SECONDS", "Key", "new_key", "signed", "zone_text"]

TTL_SECONDS = 1
"""Of what customers publish: what takes hours on the internet takes a second here."""
_LONG_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Key:
    """What a zone is signed with: one key for all."""

    private: ec.EllipticCurvePrivateKey
    public: dns.rdtypes.ANY.DNSKEY.DNSKEY

    def ds(self, zone: str) -> str:
        """Return the DS record's data for the parent, or for a trust anchor."""
        return str(dns.dnssec.make_ds(dns.name.from_text(zone), self.public, "SHA256").to_text())


def new_key() -> Key:
    """Make a key."""
    private = ec.generate_private_key(ec.SECP256R1())
    public = dns.dnssec.make_dnskey(private.public_key(), dns.dnssectypes.Algorithm.ECDSAP256SHA256, flags=257)
    return Key(private, public)


def zone_text(
    name: str, records: Iterable[str], *, serial: int, servers: Iterable[str], ttl_seconds: int = TTL_SECONDS
) -> str:
    """Return a zone as a master file; ``records`` are lines with absolute names."""
    origin = name.rstrip(".") + "."
    soa = f"{origin} {ttl_seconds} IN SOA ns1.nic.example. hostmaster.nic.example. {serial} 60 60 86400 {ttl_seconds}"
    delegation = [f"{origin} {_LONG_SECONDS} IN NS {server}" for server in servers]
    return "\n".join([f"$TTL {ttl_seconds}", soa, *delegation, *records]) + "\n"


def signed(name: str, text: str, key: Key, *, now: datetime | None = None) -> str:
    """Return the zone signed for a day, with NSEC."""
    moment = datetime.now(UTC) if now is None else now
    zone = dns.zone.from_text(text, origin=dns.name.from_text(name), relativize=False)
    with zone.writer() as transaction:
        dns.dnssec.sign_zone(
            zone,
            txn=transaction,
            keys=[(key.private, key.public)],
            dnskey_ttl=_LONG_SECONDS,
            inception=moment - timedelta(hours=1),
            expiration=moment + timedelta(days=1),
        )
    return str(zone.to_text())
