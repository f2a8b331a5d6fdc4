"""The resolvers that are asked in benchmarks, each a process of its own on loopback, on the last core.

Unbound is the first choice: a real resolver that is fast enough not to be what is measured. It has the made-up names
in a zone of its own, follows no delegation, and answers from its cache once everything was asked for; its answers are
a recursive resolver's, not an authority's, and their TTL runs down. Where it is not installed, `benchmarks.answering`
takes its place; most systems have it in ``/usr/sbin``, which has to be on PATH.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.answering import exchange_of

__all__ = ["Server", "client_on_first_core", "far_resolver", "resolver"]

_CORES = frozenset(os.sched_getaffinity(0))
"""Those that are ours, also after the client has confined itself to one."""
_PATIENCE_SECONDS = 120.0
_PROBE = bytes.fromhex("0001 0100 0001 0000 0000 0000 02 6430 07 6578616d706c65 00 000f 0001")
"""The MX of d0.example."""
_CONFIGURATION = """\
server:
  interface: 127.0.0.1@{port}
  port: {port}
  do-daemonize: no
  do-tcp: no
  username: ""
  chroot: ""
  pidfile: ""
  directory: "{folder}"
  use-syslog: no
  logfile: "{folder}/log"
  num-threads: 1
  module-config: "iterator"
  msg-cache-size: 2g
  rrset-cache-size: 2g
  msg-cache-slabs: 1
  rrset-cache-slabs: 1
  so-rcvbuf: 4m
  so-sndbuf: 4m
  minimal-responses: yes
  rrset-roundrobin: no
remote-control:
  control-enable: no
auth-zone:
  name: "example."
  zonefile: "{folder}/zone"
  for-downstream: no
  for-upstream: yes
  fallback-enabled: no
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running resolver."""

    port: int
    what: str
    """Its program and version, for people."""
    is_cold: bool
    """Whether names have to be asked for once before its speed is that of a cache."""


@contextmanager
def client_on_first_core() -> Iterator[None]:
    """Keep this process and what it starts on the first core, so that servers have the last one to themselves."""
    os.sched_setaffinity(0, {min(_CORES)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, _CORES)


@contextmanager
def resolver(names: int, hosts: int) -> Iterator[Server]:
    """Run a resolver that knows so many names with so many hosts of their own."""
    unbound = shutil.which("unbound")
    if unbound is None:
        with _answering([str(hosts)]) as port:
            yield Server(port=port, what="the benchmark's own resolver in Python", is_cold=False)
        return
    told = subprocess.run([unbound, "-V"], capture_output=True, text=True, timeout=10, check=False).stdout
    with tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        _write_zone(Path(folder, "zone"), names, hosts)
        Path(folder, "conf").write_text(_CONFIGURATION.format(port=port, folder=folder), encoding="ascii")
        with _process([unbound, "-d", "-c", str(Path(folder, "conf"))]) as process:
            _wait_for_answer(port, process)
            yield Server(port=port, what=told.partition("\n")[0].replace("Version", "Unbound"), is_cold=True)


@contextmanager
def far_resolver(
    hosts: int, *, delay: tuple[float, float] = (0.0, 0.0), loss: float = 0.0, limit: float = 0.0
) -> Iterator[Server]:
    """Run a resolver behind a simulated network: seconds of delay, the share lost, questions a second at most."""
    options = ["--delay", *map(str, delay), "--loss", str(loss), "--limit", str(limit)]
    with _answering([str(hosts), *options]) as port:
        yield Server(port=port, what="the benchmark's own resolver in Python", is_cold=False)


@contextmanager
def _answering(options: Sequence[str]) -> Iterator[int]:
    with _process([sys.executable, "-m", "benchmarks.answering", *options]) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        yield int(process.stdout.readline())


@contextmanager
def _process(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    os.sched_setaffinity(process.pid, {max(_CORES)})
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        port: int = udp.getsockname()[1]
        return port


def _write_zone(path: Path, names: int, hosts: int) -> None:
    """Write the zone that holds what `benchmarks.answering` would say."""
    exchanges = dict.fromkeys(exchange_of(number, hosts) for number in range(names))
    with path.open("w", encoding="ascii") as zone:
        zone.write(
            "$ORIGIN example.\n$TTL 86400\n@ IN SOA ns mail 1 3600 600 86400 300\n@ IN NS ns\nns IN A 192.0.2.9\n"
        )
        zone.writelines(f"d{number} IN MX 10 {exchange_of(number, hosts)}.\n" for number in range(names))
        zone.writelines(f"{each}. IN A 192.0.2.1\n{each}. IN AAAA 2001:db8::1\n" for each in exchanges)


def _wait_for_answer(port: int, process: subprocess.Popen[str]) -> None:
    """Wait until the zone is read.

    Raises:
        RuntimeError: the server ended, or does not answer.
    """
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.settimeout(1)
            udp.connect(("127.0.0.1", port))
            try:
                udp.send(_PROBE)
                if udp.recv(4096)[3] & 0xF == 0:
                    return
            except OSError:
                time.sleep(0.2)
    raise RuntimeError(f"the resolver to be asked at 127.0.0.1 port {port} did not answer; run it by hand to see why")
