"""Replies of real Unbound and NSD, recorded: ``python -m tests.support.recording`` writes them anew.

It needs both servers (``script/dns-servers``), which serve the small public DNS of `tests.support.real_zones` for it.
Each reply is two lines of ``recorded.txt``: who was asked what in which way and what it answered, and its octets.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from tests.support.real_dns import Net, RealServer, version_of
from tests.support.real_zones import small_internet

__all__ = ["Recording", "read_recordings", "record"]

_FILE = Path(__file__).with_name("recorded.txt")
_HEAD = """\
# Replies of real servers on loopback, as they came; `python -m tests.support.recording` writes them anew.
# {versions}; the zones are those of tests/support/real_zones.py.
"""
_ID = 4711
_RESOLVER, _ROOT, _TOP, _ZONES = 9, 1, 3, 5
"""Numbers of addresses in the net."""
_SERVERS = {_RESOLVER: "Unbound", _ROOT: "NSD with the root", _TOP: "NSD with example", _ZONES: "NSD with zones"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One reply, and who was asked what in which way."""

    asked: str
    answered: str
    packet: bytes

    def __str__(self) -> str:
        """Return it as two lines."""
        return f"# {self.asked}: {self.answered}\n{self.packet.hex()}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """A way of asking."""

    told: str
    payload: int = 1232
    """0: without EDNS."""
    flags: int = 0
    has_do: bool = False
    is_over_tcp: bool = False


_EDNS = _Way(told="EDNS")
_PLAIN = _Way(told="no EDNS", payload=0)
_DO = _Way(told="EDNS with DO", has_do=True)
_DO_CD = _Way(told="EDNS with DO, CD", has_do=True, flags=dns.flags.CD)
_SMALL = _Way(told="EDNS with room for 512", payload=512)
_TCP = _Way(told="EDNS over TCP", is_over_tcp=True)

_QUESTIONS: tuple[tuple[int, _Way, str, str], ...] = (
    (_RESOLVER, _EDNS, "MX", "moved null.moved implicit.moved missing.moved gap.moved any.thing.wild.moved missing"),
    (_RESOLVER, _EDNS, "MX", "alias.moved cname shop.old.moved round.moved child.moved outside signed bogus big"),
    (_RESOLVER, _EDNS, "MX", "MoVeD NoBoDy-HeRe"),
    (_RESOLVER, _EDNS, "A", "mx1.hoster.net. mx2.hoster.net. nobody.hoster.net. www.moved null.moved bogus"),
    (_RESOLVER, _EDNS, "AAAA", "mx1.hoster.net. mx2.hoster.net. ns1.hoster.net. nobody.hoster.net. www.moved"),
    (_RESOLVER, _PLAIN, "MX", "moved implicit.moved missing alias.moved signed bogus big"),
    (_RESOLVER, _PLAIN, "A", "mx1.hoster.net. mx2.hoster.net."),
    (_RESOLVER, _DO, "MX", "moved signed missing.signed missing bogus alias.moved"),
    (_RESOLVER, _DO, "A", "signed"),
    (_RESOLVER, _DO_CD, "MX", "signed bogus"),
    (_RESOLVER, _SMALL, "MX", "big"),
    (_RESOLVER, _TCP, "MX", "moved big bogus"),
    (_ROOT, _EDNS, "MX", "moved missing."),
    (_ROOT, _DO, "MX", "moved missing."),
    (_TOP, _EDNS, "MX", "moved missing cname"),
    (_TOP, _DO, "MX", "signed missing"),
    (_ZONES, _EDNS, "MX", "moved null.moved implicit.moved missing.moved gap.moved any.thing.wild.moved alias.moved"),
    (_ZONES, _EDNS, "MX", "shop.old.moved child.moved big elsewhere.test."),
    (_ZONES, _EDNS, "A", "mx1.hoster.net. mx2.hoster.net."),
    (_ZONES, _EDNS, "AAAA", "mx1.hoster.net. ns1.hoster.net."),
    (_ZONES, _PLAIN, "MX", "moved missing.moved big elsewhere.test."),
    (_ZONES, _DO, "MX", "signed missing.signed"),
    (_ZONES, _TCP, "MX", "big"),
)
"""The address, the way, the type, and names, which are below ``example`` unless they end with a dot."""


def record(net: Net) -> Iterator[Recording]:
    """Ask the servers of a running net everything."""
    for number, way, rdtype, names in _QUESTIONS:
        for text in names.split():
            name = text if text.endswith(".") else f"{text}.example."
            packet = _asked(net, number, way, name, rdtype)
            yield Recording(
                asked=f"{_SERVERS[number]}, {name} {rdtype}, {way.told}", answered=_told(packet), packet=packet
            )


def read_recordings() -> list[Recording]:
    """Return the replies that are kept."""
    lines = _FILE.read_text(encoding="ascii").splitlines()[_HEAD.count("\n") :]
    parts = [line.removeprefix("# ").split(": ", 1) for line in lines[::2]]
    return [
        Recording(asked=asked, answered=answered, packet=bytes.fromhex(octets))
        for (asked, answered), octets in zip(parts, lines[1::2], strict=True)
    ]


def _asked(net: Net, number: int, way: _Way, name: str, rdtype: str) -> bytes:
    query = dns.message.make_query(
        name,
        rdtype,
        id=_ID,
        use_edns=0 if way.payload else False,
        payload=way.payload or None,
        want_dnssec=way.has_do,
        flags=dns.flags.RD | way.flags,
    ).to_wire()
    return RealServer(net.address(number), net.port).answer(query, over_tcp=way.is_over_tcp)


def _told(packet: bytes) -> str:
    """Return what a reply is: its code, its flags, what its sections hold, extended errors."""
    read = dns.message.from_wire(packet)
    held = [
        f"{word} " + " ".join(dns.rdatatype.to_text(each.rdtype) for each in section)
        for word, section in (("answer", read.answer), ("authority", read.authority), ("additional", read.additional))
        if section
    ]
    errors = [f"extended error {int(each.code)}" for each in read.extended_errors()]
    return "; ".join([f"{dns.rcode.to_text(read.rcode())}, {dns.flags.to_text(read.flags)}", *held, *errors])


def _main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        net = Net(Path(folder), prefix="127.53.53")
        servers, resolver = small_internet(net)
        with net.serving(servers, resolver):
            recordings = [*record(net)]
    versions = f"{version_of('unbound')}, {version_of('nsd')}"
    _FILE.write_text(_HEAD.format(versions=versions) + "".join(map(str, recordings)), encoding="ascii")
    sys.stdout.write(f"{len(recordings)} replies of {versions} are in {_FILE}\n")


if __name__ == "__main__":
    _main()
