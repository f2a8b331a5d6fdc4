"""A Debian booted as a container by systemd-nspawn, and what the scenario asks of it."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

__all__ = ["Broken", "Container", "until"]

_UNIT = "mailswitch.service"
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "USER": "root",
    # README's pip finds the wheels that were fetched outside: the container has no network.
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": "/usr/src/wheels",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_ROOT_USER_ACTION": "ignore",
}


class Broken(Exception):
    """Something is not as it must be."""


def until(what: str, is_so: Callable[[], bool], *, seconds: float) -> float:
    """Wait until something is so, and return how many seconds that took; raise Broken when it takes too long."""
    started = time.monotonic()
    while not is_so():
        if time.monotonic() - started > seconds:
            raise Broken(f"not within {seconds:g} s: {what}")
        time.sleep(0.1)
    return time.monotonic() - started


class Container:
    """One folder with a Debian in it, booted while the ``with`` lasts."""

    def __init__(self, tree: Path, work: Path) -> None:
        self.tree = tree
        self._log = work / "console.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0

    def __enter__(self) -> Self:
        self.boot()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)  # an orderly shutdown
            try:
                self._process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def boot(self) -> None:
        """Start it, and wait until its systemd has started everything."""
        command = [
            "systemd-nspawn", f"--directory={self.tree}", "--boot", "--private-network", "--register=no", "--keep-unit",
            "--machine=mailswitch-test", "--quiet", "--link-journal=no", "--console=pipe",
        ]  # fmt: skip
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until("the container has a first process", self._finds_leader, seconds=30)
        states = {"running", "degraded"}
        until(
            "its systemd has started everything",
            lambda: self.try_run("systemctl", "is-system-running").stdout.strip() in states,
            seconds=90,
        )

    def reboot(self) -> None:
        """Reboot it from within."""
        if self._process is None:
            raise Broken("it is not booted")
        self.try_run("systemctl", "reboot")
        self._process.wait(timeout=60)
        self.boot()

    def _finds_leader(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise Broken(f"the container did not boot:\n{self._log.read_text(errors='replace')[-3000:]}")
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for child in children:
            if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                self._leader = int(child)
                return True
        return False

    # ---- commands

    def try_run(
        self, *words: str, seconds: float = 120, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, whatever comes of it."""
        return subprocess.run(
            [*self._inside(), *words],
            env=_ENVIRONMENT | dict(variables or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def at_terminal(self, *words: str, answer: str, seconds: float = 120) -> tuple[int, str]:
        """Run a command inside for somebody at a terminal who types an answer; return exit code and what was shown."""
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [*self._inside(), *words], env=_ENVIRONMENT, stdin=theirs, stdout=theirs, stderr=theirs
        ) as process:
            os.close(theirs)
            os.write(ours, answer.encode())
            shown = b""
            # What was at the other end is gone: that is an error on Linux.
            with suppress(OSError):
                while piece := os.read(ours, 4096):
                    shown += piece
            os.close(ours)
            return process.wait(timeout=seconds), shown.decode(errors="replace")

    def _inside(self) -> list[str]:
        spaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--root")
        return ["nsenter", f"--target={self._leader}", *spaces, "--wdns=/"]

    def run(self, *words: str, seconds: float = 120, variables: Mapping[str, str] | None = None) -> str:
        """Run a command inside that has to succeed, and return what it printed."""
        done = self.try_run(*words, seconds=seconds, variables=variables)
        if done.returncode != 0:
            raise Broken(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout

    def file(self, absolute: str) -> Path:
        """Return where a file of the container is outside."""
        return self.tree / absolute.lstrip("/")

    # ---- the service

    def show(self, name: str, *, unit: str = _UNIT) -> str:
        """Return a property of the service, or of another unit."""
        return self.run("systemctl", "show", unit, f"--property={name}", "--value").strip()

    def main_process(self) -> int:
        """Return the daemon's process id inside; 0 while it does not run."""
        return int(self.show("MainPID"))

    def signal_daemon(self, name: str) -> None:
        """Send a signal to the daemon."""
        self.run("kill", f"--signal={name}", str(self.main_process()))

    def is_active(self) -> bool:
        """Whether the service is ready."""
        return self.show("ActiveState") == "active"

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the daemon's log lines of one event from the journal, oldest first."""
        found = []
        for line in self.run("journalctl", f"--unit={_UNIT}", "--output=cat", "--no-pager").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and entry.get("event") == name:
                found.append(entry)
        return found

    def next_event(self, name: str, after: int, *, seconds: float) -> tuple[dict[str, Any], float]:
        """Wait for one more than ``after`` events of a name; return it, and how long that took."""
        took = until(f"the journal has {name}", lambda: len(self.events(name)) > after, seconds=seconds)
        return self.events(name)[after], took
