"""Who is where in the lab: addresses, exchanges, the zones of hosters and providers, and every name that is hosted."""

from __future__ import annotations

__all__ = [
    "ADDRESSES",
    "COTENANT",
    "FILLERS",
    "FILTER",
    "HERE",
    "INFRASTRUCTURE",
    "MAIL_HOSTS",
    "NAME_SERVERS",
    "NAT",
    "NAT_INSIDE",
    "NAT_PRIVATE",
    "NAT_PUBLIC",
    "OUTSIDER",
    "PLESK",
    "PROVIDER",
    "RESOLVERS",
    "SECOND",
    "SENDER",
    "mx",
]

PLESK, PROVIDER, SECOND, FILTER, SENDER, NAT = "plesk", "provider", "second", "filter", "sender", "nat"
NAT_PUBLIC, NAT_PRIVATE, NAT_INSIDE = "203.0.113.20", "10.1.0.5", "10.1.0.1"

ADDRESSES: dict[str, tuple[str, ...]] = {
    PLESK: ("203.0.113.10", "2001:db8:113::10"),
    NAT: (NAT_PUBLIC,),
    PROVIDER: ("198.51.100.20", "2001:db8:20::20"),
    SECOND: ("198.18.30.30", "2001:db8:30::30"),
    FILTER: ("192.0.2.40",),
    SENDER: ("198.18.50.50", "2001:db8:50::50"),
    "root": ("198.18.0.1",),
    "top": ("198.18.0.2",),
    "ns1": ("198.18.0.3",),
    "ns2": ("198.18.0.4",),
    "liar": ("198.18.0.5",),
    "red": ("198.18.1.53",),
    "blue": ("198.18.2.53",),
}
MAIL_HOSTS = (PLESK, PROVIDER, SECOND, FILTER, SENDER)
RESOLVERS = ("red", "blue")
"""The vantages, of two operators."""

NAME_SERVERS = {
    "a.root.nic.example.": ADDRESSES["root"][0],
    "a.example-servers.nic.example.": ADDRESSES["top"][0],
    "a.com-servers.nic.example.": ADDRESSES["top"][0],
    "ns1.nic.example.": ADDRESSES["ns1"][0],
    "ns2.nic.example.": ADDRESSES["ns2"][0],
    "liar.nic.example.": ADDRESSES["liar"][0],
}

COTENANT = "cotenant.example"
"""Who writes from the Plesk server: by a web form, and with a mail program that logs in."""
OUTSIDER = "outsider.example"
"""Who writes from elsewhere."""
FILLERS = tuple(f"stays{number}.example" for number in range(6))
"""Names that are here and stay here, so that the server looks like one."""

HERE = "mail.hoster.example."

INFRASTRUCTURE: dict[str, tuple[str, ...]] = {
    "hoster.example": (
        f"plesk.hoster.example. IN A {ADDRESSES[PLESK][0]}",
        f"mail.hoster.example. IN A {ADDRESSES[PLESK][0]}",
        f"mx6.hoster.example. IN AAAA {ADDRESSES[PLESK][1]}",
        f"nat.hoster.example. IN A {NAT_PUBLIC}",
        "cname.hoster.example. IN CNAME mail.hoster.example.",
    ),
    "provider.example": (
        f"mx1.provider.example. IN A {ADDRESSES[PROVIDER][0]}",
        f"mx6.provider.example. IN AAAA {ADDRESSES[PROVIDER][1]}",
        "cname.provider.example. IN CNAME mx1.provider.example.",
    ),
    "second.example": (f"mx.second.example. IN A {ADDRESSES[SECOND][0]}",),
    "filter.example": (f"mx.filter.example. IN A {ADDRESSES[FILTER][0]}",),
    OUTSIDER: (f"{OUTSIDER}. IN MX 10 mx.{OUTSIDER}.", f"mx.{OUTSIDER}. IN A {ADDRESSES[SENDER][0]}"),
}


def mx(name: str, *exchanges: str) -> tuple[str, ...]:
    """Return a name's MX records, the first exchange preferred."""
    return tuple(f"{name}. IN MX {10 * number} {exchange}" for number, exchange in enumerate(exchanges, start=1))
