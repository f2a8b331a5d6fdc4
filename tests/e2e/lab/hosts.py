"""Hosts of the lab: each a network namespace with its own addresses, and with its own /etc, /var and /run.

Everything here happens inside the namespaces that script/mail-proof made: when their first process is gone, so are
every process, every interface and every mount. No namespace has a name on the machine.

Facts:

- All hosts are on one bridge. Each has its addresses as /32 or /128 and takes the whole world for its own link, so that
  addresses of any network can be given to any host, as if routers were between them.
- ``/etc`` and ``/var`` of a host are the machine's, overlaid: what a host writes stays in the lab's memory.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from tests.e2e.lab.waiting import Broken, until

__all__ = ["BRIDGE", "LAB_ADDRESS", "Host", "Network", "is_listening", "run"]

BRIDGE = "lab"
LAB_ADDRESS = "198.18.9.9"
"""The lab's own: a laptop on the internet, and who looks at name servers."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ENVIRONMENT = {"PATH": _PATH, "HOME": "/root", "LANG": "C.UTF-8", "USER": "root", "LOGNAME": "root"}


def run(*words: str | Path, given: str | None = None, seconds: float = 60) -> str:
    """Run a command that has to succeed, and return what it printed."""
    done = subprocess.run(
        [str(word) for word in words],
        input="" if given is None else given,
        env=_ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode != 0:
        shown = " ".join(map(str, words))
        raise Broken(f"{shown} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The one link that all hosts are on."""

    work: Path
    """A folder of the lab's own, in memory."""

    def start(self) -> None:
        """Make the link, and put the lab on it."""
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "link", "set", BRIDGE, "up")
        run("ip", "address", "add", f"{LAB_ADDRESS}/32", "dev", BRIDGE)
        run("ip", "route", "add", "default", "dev", BRIDGE)


class Host:
    """One host, held by a process that sleeps in its namespaces."""

    def __init__(self, name: str, network: Network, addresses: Sequence[str]) -> None:
        self.name = name
        self.addresses = tuple(addresses)
        self._folder = network.work / "hosts" / name
        self._holder: subprocess.Popen[bytes] | None = None
        self._started: list[subprocess.Popen[bytes]] = []

    @property
    def address(self) -> str:
        """The first of its addresses, an IPv4 one."""
        return self.addresses[0]

    @property
    def pid(self) -> int:
        """The process that holds its namespaces."""
        if self._holder is None:
            raise Broken(f"{self.name} was not started")
        return self._holder.pid

    def start(self) -> None:
        """Make its namespaces, connect it, and give it its addresses."""
        self._folder.mkdir(parents=True)
        command = ["unshare", "--net", "--mount", "--uts", "--", "sleep", "infinity"]
        self._holder = subprocess.Popen(command, env=_ENVIRONMENT, stdin=subprocess.DEVNULL)
        until(f"{self.name} has its namespaces", self._is_held, seconds=30)
        self._overlay()
        self.run("hostname", self.name)
        self.run("ip", "link", "set", "lo", "up")
        self.connect("eth0", BRIDGE)
        for address in self.addresses:
            self.add_address(address, "eth0")
        self.run("ip", "route", "add", "default", "dev", "eth0")
        if any(ip_address(address).version == 6 for address in self.addresses):
            self.run("ip", "-6", "route", "add", "default", "dev", "eth0")

    def _is_held(self) -> bool:
        try:
            return Path(f"/proc/{self.pid}/comm").read_text().strip() == "sleep"
        except OSError as error:
            raise Broken(f"{self.name} has no namespaces: unshare failed") from error

    def _overlay(self) -> None:
        for place in ("etc", "var"):
            upper, work = self._folder / place, self._folder / f"{place}.work"
            upper.mkdir()
            work.mkdir()
            options = f"lowerdir=/{place},upperdir={upper},workdir={work}"
            self.run("mount", "-t", "overlay", "overlay", "-o", options, f"/{place}")
        self.run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")

    def connect(self, interface: str, bridge: str) -> None:
        """Lay a cable from an interface of the host to a bridge of the lab."""
        outer = f"{self.name}-{interface}"[:15]
        run("ip", "link", "add", outer, "type", "veth", "peer", "name", interface, "netns", str(self.pid))
        run("ip", "link", "set", outer, "master", bridge, "up")
        self.run("ip", "link", "set", interface, "up")

    def add_address(self, address: str, interface: str) -> None:
        """Give the host an address, usable at once."""
        if ip_address(address).version == 6:
            self.run("ip", "-6", "address", "add", f"{address}/128", "dev", interface, "nodad")
        else:
            self.run("ip", "address", "add", f"{address}/32", "dev", interface)

    # ---- commands and files

    def inside(self, *words: str | Path) -> list[str]:
        """Return a command that runs another one on this host."""
        enter = ["nsenter", f"--target={self.pid}", "--net", "--mount", "--uts", "--wdns=/"]
        return [*enter, "--", *(str(word) for word in words)]

    def try_run(
        self, *words: str | Path, given: str = "", seconds: float = 60, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on this host, whatever comes of it."""
        return subprocess.run(
            self.inside(*words),
            input=given,
            env=_ENVIRONMENT | dict(variables or {}),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def run(self, *words: str | Path, given: str = "", seconds: float = 60) -> str:
        """Run a command on this host that has to succeed, and return what it printed."""
        return run(*self.inside(*words), given=given, seconds=seconds)

    def spawn(
        self, *words: str | Path, log: str, variables: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start what stays, with its output in a file of the lab."""
        with self.log(log).open("ab") as output:
            process = subprocess.Popen(
                self.inside(*words),
                env=_ENVIRONMENT | dict(variables or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._started.append(process)
        return process

    def log(self, name: str) -> Path:
        """Return where the output of something started is."""
        return self._folder / f"{name}.log"

    def file(self, absolute: str) -> Path:
        """Return where a file of the host is seen from the lab."""
        return Path(f"/proc/{self.pid}/root") / absolute.lstrip("/")

    def write(self, absolute: str, text: str, mode: int = 0o644) -> None:
        """Write a file of the host."""
        path = self.file(absolute)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)


def is_listening(address: str, port: int) -> bool:
    """Whether somebody takes connections there, seen from the lab."""
    try:
        with socket.create_connection((address, port), timeout=2):
            return True
    except OSError:
        return False
