"""The zones of a small public DNS with everything in it that delegations do, sound and broken.

The root is at addresses 1 and 2, the top-level domains ``example`` and ``net`` at 3 and 4, and their zones at 5 and 6,
two servers that do not have the same. Nobody listens at 7 and 8; 9 is for a resolver. The root, ``example``,
``signed.example`` and ``bogus.example`` are signed, the last one changed afterwards.
"""

from __future__ import annotations

import dns.dnssec
import dns.dnssectypes
import dns.name
import dns.rdatatype
import dns.zone
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mailswitch.simulation.certificates import self_signed
from tests.support.real_dns import Net, Resolver, Server

__all__ = ["MANY", "SHOPS", "small_internet"]

MANY = 60
"""The exchanges of ``big.example``: more than a datagram holds."""
SHOPS = 50
"""The names ``shop0.example`` and so on, all of them delegated to one hoster whose servers do not know them."""

_GLUE = "ns1.{zone}. 300 A {{5}}\nns2.{zone}. 300 A {{6}}\n"
_APEX = "{zone}. 300 SOA ns1.{zone}. admin.{zone}. 1 3600 600 86400 120\n"
_OWN = "{zone}. 300 NS ns1.{zone}.\n{zone}. 300 NS ns2.{zone}.\n"
_HOSTED = "{zone}. 300 NS ns1.hoster.net.\n{zone}. 300 NS ns2.hoster.net.\n"

_ROOT = """\
. 300 SOA a.root.example. admin.root.example. 1 3600 600 86400 120
. 300 NS a.root.example.
. 300 NS b.root.example.
example. 300 NS a.nic.example.
example. 300 NS b.nic.example.
net. 300 NS a.nic.example.
net. 300 NS b.nic.example.
a.nic.example. 300 A {3}
b.nic.example. 300 A {4}
a.root.example. 300 A {1}
b.root.example. 300 A {2}
"""
_EXAMPLE = """\
example. 300 SOA a.nic.example. admin.nic.example. 1 3600 600 86400 120
example. 300 NS a.nic.example.
example. 300 NS b.nic.example.
a.nic.example. 300 A {3}
b.nic.example. 300 A {4}
a.root.example. 300 A {1}
b.root.example. 300 A {2}
cname.example. 300 CNAME www.outside.example.
lonely.example. 300 NS ns1.lonely.example.
lonely.example. 300 NS also.lonely.example.
ns1.lonely.example. 300 A {5}
also.lonely.example. 300 A {5}
half-dead.example. 300 NS ns1.half-dead.example.
half-dead.example. 300 NS ns2.half-dead.example.
ns1.half-dead.example. 300 A {5}
ns2.half-dead.example. 300 A {7}
spare.example. 300 NS ns1.spare.example.
spare.example. 300 NS ns2.spare.example.
spare.example. 300 NS ns3.spare.example.
ns1.spare.example. 300 A {7}
ns2.spare.example. 300 A {5}
ns3.spare.example. 300 A {6}
dead.example. 300 NS ns1.dead.example.
dead.example. 300 NS ns2.dead.example.
ns1.dead.example. 300 A {7}
ns2.dead.example. 300 A {8}
circle.example. 300 NS ns.circle2.example.
circle2.example. 300 NS ns.circle.example.
ownless.example. 300 NS ns1.ownless.example.
inside.example. 300 NS ns1.inside.example.
inside.example. 300 NS ns2.inside.example.
ns1.inside.example. 300 A 10.0.0.1
ns2.inside.example. 300 A 192.168.1.1
six.example. 300 NS ns1.six.example.
six.example. 300 NS ns2.six.example.
ns1.six.example. 300 AAAA ::1
ns2.six.example. 300 A {5}
"""
_EXAMPLE += "".join(f"shop{number}.example. 300 NS ns{at}.hoster.net.\n" for number in range(SHOPS) for at in (1, 2))
_EXAMPLE += "".join(f"flood.example. 300 NS ns{number}.victim{number}.net.\n" for number in range(20))
_WITH_GLUE = ("moved", "lame", "nobody", "split", "big", "signed", "bogus")
_WITHOUT_GLUE = ("outside", "apex")

_NET = (
    """\
net. 300 SOA a.nic.example. admin.nic.example. 1 3600 600 86400 120
net. 300 NS a.nic.example.
net. 300 NS b.nic.example.
hoster.net. 300 NS ns1.hoster.net.
hoster.net. 300 NS ns2.hoster.net.
ns1.hoster.net. 300 A {5}
ns2.hoster.net. 300 A {6}
"""
    + "".join(f"victim{number}.net. 300 NS ns.victim{number}.net.\n" for number in range(20))
    + "".join(f"ns.victim{number}.net. 300 A {{3}}\n" for number in range(20))
)

_HOSTER = """\
ns1.hoster.net. 300 A {5}
ns2.hoster.net. 300 A {6}
mx1.hoster.net. 300 A 203.0.113.25
mx1.hoster.net. 300 AAAA 2001:db8::25
mx2.hoster.net. 300 CNAME mx1.hoster.net.
"""
_MOVED = """\
moved.example. 600 MX 10 mx1.hoster.net.
moved.example. 600 MX 20 mx2.hoster.net.
null.moved.example. 600 MX 0 .
www.moved.example. 600 A 203.0.113.80
implicit.moved.example. 600 A 203.0.113.80
alias.moved.example. 600 CNAME outside.example.
round.moved.example. 600 CNAME about.moved.example.
about.moved.example. 600 CNAME round.moved.example.
*.wild.moved.example. 600 MX 5 mx1.hoster.net.
under.gap.moved.example. 600 TXT "gap is an empty non-terminal"
old.moved.example. 600 DNAME new.moved.example.
shop.new.moved.example. 600 MX 7 mx1.hoster.net.
child.moved.example. 600 NS ns1.hoster.net.
child.moved.example. 600 NS ns2.hoster.net.
"""
_MX = "{zone}. 600 MX 10 mx1.hoster.net.\n"
_BIG = "".join(f"big.example. 600 MX {number} the-exchange-number-{number}.hoster.net.\n" for number in range(MANY))


def small_internet(net: Net, *, has_ipv6: bool = False) -> tuple[list[Server], Resolver]:
    """Return the servers of a net, and its resolver."""
    zones = {zone: net.written(text) for zone, text in _zones().items()}
    zones["signed.example"], signed = _signed("signed.example", zones["signed.example"])
    zones["bogus.example"], bogus = _signed("bogus.example", zones["bogus.example"])
    zones["bogus.example"] = zones["bogus.example"].replace("MX 10 mx1.hoster.net.", "MX 10 mx1.attacker.example.")
    example = net.written(_EXAMPLE + _delegations()) + signed + bogus
    example, top = _signed("example", example)
    root, _ = _signed(".", net.written(_ROOT) + top)
    anchor = next(line for line in root.splitlines() if " DNSKEY 257 " in line)
    second = {**zones, "split.example": zones["split.example"].replace("MX 10 mx1.", "MX 10 mx2.")}
    for missing in ("lame.example", "lonely.example", "half-dead.example"):
        del second[missing]
    resolver = Resolver(number=9, trust_anchor=anchor, certificate=self_signed("resolver.example"))
    servers = [
        Server(numbers=(1, 2), zones={".": root}),
        Server(numbers=(3, 4), zones={"example": example, "net": net.written(_NET)}),
        Server(numbers=(5,), zones=zones),
        Server(numbers=(6,), zones=second, has_ipv6=has_ipv6),
    ]
    return servers, resolver


def _delegations() -> str:
    owned = "".join(_OWN.format(zone=f"{name}.example") + _GLUE.format(zone=f"{name}.example") for name in _WITH_GLUE)
    return owned + "".join(_HOSTED.format(zone=f"{name}.example") for name in _WITHOUT_GLUE)


def _zones() -> dict[str, str]:
    """Return the zones at address 5."""
    zones = {
        f"{name}.example": "".join(part.format(zone=f"{name}.example") for part in (_APEX, _OWN, _GLUE, _MX))
        for name in ("lame", "split", "signed", "bogus", "half-dead", "spare", "lonely", "six")
    }
    zones["moved.example"] = "".join(part.format(zone="moved.example") for part in (_APEX, _OWN, _GLUE)) + _MOVED
    zones["big.example"] = "".join(part.format(zone="big.example") for part in (_APEX, _OWN, _GLUE)) + _BIG
    for zone in ("outside.example", "child.moved.example", "hoster.net"):
        zones[zone] = _APEX.format(zone=zone) + _HOSTED.format(zone=zone)
    zones["hoster.net"] += _HOSTER
    zones["outside.example"] += _MX.format(zone="outside.example") + "www.outside.example. 600 MX 3 mx1.hoster.net.\n"
    zones["apex.example"] = _APEX.format(zone="apex.example") + _HOSTED.format(zone="apex.example")
    zones["apex.example"] += "apex.example. 600 CNAME moved.example.\n"
    zones["child.moved.example"] += _MX.format(zone="child.moved.example")
    return zones


def _signed(name: str, text: str) -> tuple[str, str]:
    """Return a zone signed with a key of its own, and its DS record for the parent."""
    private = Ed25519PrivateKey.generate()
    key = dns.dnssec.make_dnskey(private.public_key(), dns.dnssectypes.Algorithm.ED25519, flags=257)
    zone = dns.zone.from_text(text, origin=name, relativize=False, check_origin=False)
    with zone.writer() as writer:
        dns.dnssec.sign_zone(zone, writer, keys=[(private, key)], dnskey_ttl=300, lifetime=86_400)
    apex = dns.name.from_text(name)
    ds = dns.dnssec.make_ds(apex, key, dns.dnssectypes.DSDigest.SHA256)
    return zone.to_text(relativize=False), f"{apex} 300 DS {ds}\n"
