"""The lab's DNS: a root, a top-level domain, two authoritative servers and a liar (NSD), and resolvers (Unbound).

Facts:

- The root is the lab's own: Unbound gets our root hints and our trust anchor, and walks and validates from there.
- NSD reads changed zone files again on SIGHUP. What customers publish has a TTL of one second, so that a resolver's
  memory, which takes hours on the internet, ends while one looks.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from tests.e2e.lab.hosts import Host
from tests.e2e.lab.waiting import Broken, until
from tests.e2e.lab.zones import Key, new_key, signed, zone_text

__all__ = ["AUTHORITATIVE", "NameService", "NameSpace", "answer", "start_resolver"]

AUTHORITATIVE = ("ns1.nic.example.", "ns2.nic.example.")
_TOP_LEVEL = ("example", "com")
_TIMEOUT_SECONDS = 2.0
_POLL_SECONDS = 0.3


def answer(server: str, name: str, kind: str, *, seconds: float = _TIMEOUT_SECONDS) -> list[str] | str:
    """Ask a name server; return the data it answers with, sorted, or why there is none (``SERVFAIL``)."""
    question = dns.message.make_query(name, kind)
    try:
        reply = dns.query.udp(question, server, timeout=seconds)
        if reply.flags & dns.flags.TC:
            reply = dns.query.tcp(question, server, timeout=seconds)
    except (dns.exception.DNSException, OSError) as error:
        return type(error).__name__
    if reply.rcode() != dns.rcode.NOERROR:
        return dns.rcode.to_text(reply.rcode())
    wanted = dns.rdatatype.from_text(kind)
    return sorted(str(record) for rrset in reply.answer if rrset.rdtype == wanted for record in rrset)


class NameService:
    """NSD on one host, with its zones."""

    def __init__(self, host: Host, work: Path) -> None:
        self._host = host
        self._folder = work / "nsd" / host.name
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, zones: Mapping[str, str]) -> None:
        """Serve zones, given as master files by name."""
        self._folder.mkdir(parents=True)
        for name, text in zones.items():
            self._file(name).write_text(text, encoding="ascii")
        (self._folder / "nsd.conf").write_text(self._configuration(zones), encoding="ascii")
        self._process = self._host.spawn("nsd", "-d", "-c", self._folder / "nsd.conf", log="nsd")

    def wait(self, zone: str) -> None:
        """Wait until it answers for one of its zones."""
        until(f"{self._host.name} answers", lambda: self.serves(zone), seconds=30, told=self._told)

    def serves(self, zone: str, serial: int | None = None) -> bool:
        """Whether it answers for a zone, with this serial if one is given."""
        found = answer(self._host.address, f"{zone}.", "SOA", seconds=_POLL_SECONDS)
        return isinstance(found, list) and any(serial is None or int(soa.split()[2]) == serial for soa in found)

    def replace(self, zones: Mapping[str, tuple[str, int]]) -> None:
        """Serve other content of zones that are there, given with their serials; wait until it does."""
        if self._process is None:
            raise Broken(f"{self._host.name} serves nothing yet")
        for name, (text, _) in zones.items():
            self._file(name).write_text(text, encoding="ascii")
        self._process.send_signal(signal.SIGHUP)
        for name, (_, serial) in zones.items():
            until(f"{self._host.name} serves {name}", partial(self.serves, name, serial), told=self._told)

    def _told(self) -> str:
        return self._host.log("nsd").read_text(errors="replace")[-1500:]

    def _file(self, zone: str) -> Path:
        return self._folder / f"{zone or 'root'}.zone"

    def _configuration(self, zones: Iterable[str]) -> str:
        lines = [
            "server:",
            *(f"  ip-address: {address}" for address in self._host.addresses),
            '  username: ""',
            '  chroot: ""',
            '  database: ""',
            f'  zonesdir: "{self._folder}"',
            f'  pidfile: "{self._folder}/nsd.pid"',
            f'  xfrdfile: "{self._folder}/xfrd.state"',
            f'  zonelistfile: "{self._folder}/zone.list"',
            "  server-count: 1",
            "  rrl-ratelimit: 0",  # all the lab's questions come from a handful of addresses
            "remote-control:",
            "  control-enable: no",
        ]
        for zone in zones:
            lines += ["zone:", f'  name: "{zone or "."}"', f'  zonefile: "{self._file(zone)}"']
        return "\n".join(lines) + "\n"


@dataclass(kw_only=True)
class NameSpace:
    """Everything that is published: the root, the top-level domains and the zones below them."""

    root: NameService
    top: NameService
    leaves: tuple[NameService, ...]
    addresses: Mapping[str, str]
    """Of every name server, by name."""
    signed_zones: frozenset[str]
    bogus_zones: frozenset[str]
    """Signed, and with a DS record of another key."""
    delegations: Mapping[str, tuple[str, ...]]
    """Of zones that are not where all others are."""
    keys: dict[str, Key] = field(default_factory=dict)
    serial: int = 1

    @property
    def trust_anchor(self) -> str:
        """The root's DS record."""
        return f". IN DS {self.keys[''].ds('.')}"

    @property
    def root_hints(self) -> str:
        """Where the root is, as a hints file."""
        return (
            f". 3600 IN NS a.root.nic.example.\na.root.nic.example. 3600 IN A {self.addresses['a.root.nic.example.']}\n"
        )

    def start(self, zones: Mapping[str, Iterable[str]]) -> None:
        """Serve everything, ``zones`` being the records of all zones below the top-level domains."""
        for name in ("", *_TOP_LEVEL, *sorted(self.signed_zones | self.bogus_zones)):
            self.keys[name] = new_key()
        top = {name: self._signed(name, self._top_level(name, zones)) for name in _TOP_LEVEL}
        self.root.start({"": self._signed("", self._root())})
        self.top.start(top)
        leaves = {name: self._leaf(name, records) for name, records in zones.items() if name not in self.delegations}
        for service in self.leaves:
            service.start(leaves)
        self.root.wait("")
        self.top.wait(_TOP_LEVEL[0])
        for service in self.leaves:
            service.wait(next(iter(leaves)))

    def publish(self, zones: Mapping[str, Iterable[str]]) -> None:
        """Replace the records of zones, and wait until all authoritative servers have them."""
        self.serial += 1
        texts = {name: (self._leaf(name, tuple(records)), self.serial) for name, records in zones.items()}
        for service in self.leaves:
            service.replace(texts)

    def _root(self) -> str:
        records = [f"{name}. 300 IN NS a.{name}-servers.nic.example." for name in _TOP_LEVEL]
        records += [f"{name}. 300 IN DS {self.keys[name].ds(name)}" for name in _TOP_LEVEL]
        records += [f"{name} 300 IN A {self.addresses[name]}" for name in self._glue()]
        return zone_text(".", records, serial=1, servers=["a.root.nic.example."], ttl_seconds=300)

    def _glue(self) -> list[str]:
        return [name for name in self.addresses if name.startswith("a.")]

    def _top_level(self, top: str, zones: Iterable[str]) -> str:
        records = []
        for name in (zone for zone in zones if zone.endswith(f".{top}")):
            records += [f"{name}. 300 IN NS {server}" for server in self.delegations.get(name, AUTHORITATIVE)]
            if name in self.signed_zones:
                records.append(f"{name}. 300 IN DS {self.keys[name].ds(name)}")
            if name in self.bogus_zones:
                records.append(f"{name}. 300 IN DS {new_key().ds(name)}")
        if top == "example":
            records += [f"{name} 300 IN A {address}" for name, address in self.addresses.items()]
        return zone_text(top, records, serial=1, servers=[f"a.{top}-servers.nic.example."], ttl_seconds=300)

    def _leaf(self, name: str, records: Iterable[str]) -> str:
        return self._signed(name, zone_text(name, records, serial=self.serial, servers=AUTHORITATIVE))

    def _signed(self, name: str, text: str) -> str:
        return signed(f"{name}.", text, self.keys[name]) if name in self.keys else text


def start_resolver(
    host: Host, work: Path, names: NameSpace, *, more: Iterable[str] = (), clauses: Iterable[str] = ()
) -> None:
    """Run Unbound on a host: validating, from our root on.

    Args:
        host: It listens on all IPv4 addresses of this host.
        work: The lab's folder.
        names: Whose root and trust anchor it has.
        more: Lines of its ``server:`` clause.
        clauses: More of its configuration.
    """
    folder = work / "unbound" / host.name
    folder.mkdir(parents=True)
    hints = folder / "root.hints"
    hints.write_text(names.root_hints, encoding="ascii")
    lines = [
        "server:",
        *(f"  interface: {address}" for address in host.addresses if ":" not in address),
        "  access-control: 0.0.0.0/0 allow",
        '  username: ""',
        '  chroot: ""',
        f'  directory: "{folder}"',
        '  pidfile: ""',
        "  use-syslog: no",
        "  do-ip6: no",
        "  num-threads: 1",
        '  module-config: "validator iterator"',
        f'  root-hints: "{hints}"',
        f'  trust-anchor: "{names.trust_anchor}"',
        "  val-bogus-ttl: 1",
        "  cache-max-negative-ttl: 1",
        *more,
        "remote-control:",
        "  control-enable: no",
        *clauses,
    ]
    (folder / "unbound.conf").write_text("\n".join(lines) + "\n", encoding="ascii")
    host.spawn("unbound", "-d", "-p", "-c", folder / "unbound.conf", log="unbound")
    until(
        f"the resolver {host.name} answers",
        lambda: answer(host.address, "ns1.nic.example.", "A") == [names.addresses["ns1.nic.example."]],
        seconds=30,
        told=lambda: host.log("unbound").read_text(errors="replace")[-1500:],
    )
