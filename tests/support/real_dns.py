"""Real name servers on loopback: NSD for the root, top-level domains and zones, Unbound as a validating resolver.

A `Net` is a small public DNS of its own: each server has its address in a /24 of 127/8 picked at random, all of them
listen on one port, so that several nets run side by side. Zones are master files; ``{5}`` in one is the net's fifth
address. Needs Debian's packages nsd and unbound, and no privileges.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rdatatype

from mailswitch.simulation.certificates import Identity

__all__ = ["Net", "RealServer", "Resolver", "Server", "version_of"]

_START_SECONDS = 30.0
_STOP_SECONDS = 10.0
_ANSWER_SECONDS = 10.0

_NSD = """\
server:
  server-count: 1
  port: {port}
{addresses}
  username: ""
  zonesdir: "{folder}"
  database: ""
  pidfile: "{folder}/nsd.pid"
  xfrdfile: "{folder}/xfrd.state"
  zonelistfile: "{folder}/zone.list"
  xfrdir: "{folder}"
  reuseport: no
remote-control:
  control-enable: no
"""

_UNBOUND = """\
server:
  port: {port}
  interface: {address}
  interface: {address}@{tls_port}
  tls-port: {tls_port}
  tls-service-key: "{folder}/tls.pem"
  tls-service-pem: "{folder}/tls.pem"
  access-control: 127.0.0.0/8 allow
  do-daemonize: no
  do-not-query-localhost: no
  use-syslog: no
  logfile: ""
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  num-threads: 1
  module-config: "validator iterator"
  trust-anchor-file: "{folder}/root.key"
  ede: yes
  qname-minimisation: no
remote-control:
  control-enable: no
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One NSD: the addresses it has in its net, and its zones as master files by their names."""

    numbers: tuple[int, ...]
    zones: Mapping[str, str]
    has_ipv6: bool = False
    """Whether it listens on ::1, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """One Unbound: its address in its net, and the root's key, as a DNSKEY or DS record, that it trusts."""

    number: int
    trust_anchor: str
    certificate: Identity
    """What it shows over TLS."""


@dataclass(slots=True)
class Net:
    """A small public DNS."""

    folder: Path
    port: int = 0
    """0 picks one."""
    prefix: str = field(default_factory=lambda: f"127.{1 + secrets.randbelow(254)}.{secrets.randbelow(256)}")

    def __post_init__(self) -> None:
        """Pick a port."""
        self.port = self.port or _some_port()

    @property
    def tls_port(self) -> int:
        """Where the resolver answers over TLS."""
        return self.port + 1

    def address(self, number: int) -> str:
        """Return one of the net's addresses."""
        return f"{self.prefix}.{number}"

    def written(self, text: str) -> str:
        """Return a master file with the net's addresses in place of ``{1}``, ``{2}`` and so on."""
        return text.format(*(self.address(number) for number in range(256)))

    @property
    def hints(self) -> str:
        """The root's name servers, which are at the first two addresses."""
        return self.written(
            ". 60 NS a.root.example.\n. 60 NS b.root.example.\na.root.example. 60 A {1}\nb.root.example. 60 A {2}\n"
        )

    @contextmanager
    def serving(self, servers: Iterable[Server], resolver: Resolver | None = None) -> Iterator[None]:
        """Run the servers until the end of the ``with`` block; all of them answer when it begins."""
        all_servers = list(servers)
        with ExitStack() as running:
            for server in all_servers:
                running.enter_context(self._nsd(server))
            if resolver is not None:
                running.enter_context(self._unbound(resolver, all_servers))
            yield

    def _nsd(self, server: Server) -> _Running:
        folder = self._folder(f"nsd-{server.numbers[0]}")
        addresses = [self.address(number) for number in server.numbers] + ["::1"] * server.has_ipv6
        text = _NSD.format(
            folder=folder, port=self.port, addresses="\n".join(f"  ip-address: {each}" for each in addresses)
        )
        for number, (name, zone) in enumerate(server.zones.items()):
            (folder / f"{number}.zone").write_text(self.written(zone) if "{" in zone else zone, encoding="ascii")
            text += f'zone:\n  name: "{name}"\n  zonefile: "{number}.zone"\n'
        configuration = folder / "nsd.conf"
        configuration.write_text(text, encoding="ascii")
        zone = next(iter(server.zones), ".")
        return _Running(
            [_installed("nsd"), "-d", "-c", str(configuration)], folder / "log", addresses[0], self.port, zone
        )

    def _unbound(self, resolver: Resolver, servers: Iterable[Server]) -> _Running:
        folder = self._folder(f"unbound-{resolver.number}")
        (folder / "root.key").write_text(resolver.trust_anchor + "\n", encoding="ascii")
        resolver.certificate.write(folder / "tls.pem")
        address = self.address(resolver.number)
        text = _UNBOUND.format(folder=folder, port=self.port, tls_port=self.tls_port, address=address)
        # A delegation names no port, so each zone's servers are told beforehand.
        stubs: dict[str, list[str]] = {}
        for server in servers:
            for zone in server.zones:
                stubs.setdefault(zone, []).extend(self.address(number) for number in server.numbers)
        for zone, addresses in stubs.items():
            text += f'stub-zone:\n  name: "{zone}"\n'
            text += "".join(f"  stub-addr: {each}@{self.port}\n" for each in addresses)
        configuration = folder / "unbound.conf"
        configuration.write_text(text, encoding="ascii")
        # A copy: Debian's AppArmor profile keeps the installed one to the system's own configuration.
        copy = str(shutil.copy2(_installed("unbound"), folder))
        return _Running([copy, "-d", "-c", str(configuration)], folder / "log", address, self.port, ".")

    def _folder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir()
        return folder


class _Running:
    """A server's process, from its first answer to its end."""

    def __init__(self, command: list[str], log: Path, address: str, port: int, zone: str) -> None:
        self._command = command
        self._log = log
        self._where = address, port
        self._zone = zone
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> None:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        end = time.monotonic() + _START_SECONDS
        while not self._is_answering():
            if self._process.poll() is not None or time.monotonic() > end:
                self.__exit__()
                raise AssertionError(f"{self._command[0]} did not start:\n{self._log.read_text(errors='replace')}")

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process is not None:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _is_answering(self) -> bool:
        """Whether it answers at all; waiting for that is the pause between two tries."""
        address, port = self._where
        query = dns.message.make_query(self._zone, dns.rdatatype.SOA)
        try:
            dns.query.udp(query, address, timeout=0.1, port=port)
        except (OSError, dns.exception.DNSException):
            return False
        return True


@dataclass(frozen=True, slots=True)
class RealServer:
    """A running server as one packet after another is put to it, for `tests.support.bad_network` to stand before."""

    address: str
    port: int

    def answer(self, packet: bytes, *, over_tcp: bool) -> bytes:
        """Return the reply to one packet, as it comes."""
        if over_tcp:
            with self._connected(socket.SOCK_STREAM) as stream, stream.makefile("rb") as octets:
                stream.sendall(len(packet).to_bytes(2) + packet)
                return octets.read(int.from_bytes(octets.read(2)))
        with self._connected(socket.SOCK_DGRAM) as udp:
            udp.send(packet)
            return udp.recv(65535)

    def _connected(self, kind: socket.SocketKind) -> socket.socket:
        made = socket.socket(socket.AF_INET, kind)
        made.settimeout(_ANSWER_SECONDS)
        made.connect((self.address, self.port))
        return made


def version_of(name: str) -> str:
    """Return a server's name with its version."""
    option = "-V" if name == "unbound" else "-v"
    done = subprocess.run([_installed(name), option], capture_output=True, text=True, timeout=10, check=False)
    found = re.search(r"version (\S+)", done.stdout + done.stderr, re.IGNORECASE)
    return f"{name} {found[1] if found else 'of unknown version'}"


def _installed(name: str) -> str:
    """Return where a server's program is; Debian's are where only root looks by itself."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    assert found is not None, f"{name} is not installed"
    return found


def _some_port() -> int:
    """Return a port that the system gives to nobody by itself: with a net's own addresses it is as good as free."""
    return 20_000 + secrets.randbelow(12_000)
