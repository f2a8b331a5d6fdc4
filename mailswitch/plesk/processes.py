"""One process, started without a shell, with a limit on its time and on what it may say."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from mailswitch.plesk.failures import PanelFailure, cleaned

__all__ = ["Finished", "ProcessLimits", "Run", "run_bounded"]

_PIECE = 64 * 1024

_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
"""All a program gets: nothing of the caller's, so no secret and no loader option goes along (plesk.md section 3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a process ended and what it printed."""

    code: int
    """The exit code; negative for the signal that ended it."""
    out: bytes
    err: bytes

    def said(self) -> str:
        """Return what it printed as one short line; some failures are told on one channel, some on the other."""
        text = b" ".join(part[-4096:] for part in (self.err, self.out) if part.strip())
        return cleaned(text.decode("utf-8", errors="replace")) or "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessLimits:
    """How long a process may take and how much it may print."""

    timeout: timedelta = timedelta(seconds=300)
    max_output: int = 64 * 1024 * 1024
    """Octets on both channels together."""


Run = Callable[[Sequence[str], ProcessLimits], Finished]
"""Runs a program to its end, or raises PanelFailure."""


def run_bounded(arguments: Sequence[str], limits: ProcessLimits) -> Finished:
    """Run a program with its own process group and standard input closed; end the group when a limit is passed.

    Raises:
        PanelFailure: it could not be started (``is_sent`` False), took too long, or printed too much.
    """
    # Where this process only stepped down from root, the program gets root back (plesk.md section 3).
    user = 0 if os.getuid() == 0 and os.geteuid() != 0 else None
    try:
        process = subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_ENVIRONMENT,
            start_new_session=True,
            user=user,
            group=user,
        )
    except (OSError, ValueError) as error:
        raise PanelFailure(
            f"{arguments[0]!r} could not be started: {error}; the local panel needs a Plesk server and root",
            code="unreachable",
            is_sent=False,
        ) from error
    with process:
        try:
            return _followed(process, limits)
        except BaseException:
            # Also after Ctrl-C here. It was not waited for yet, so its number is still its own; what it started may
            # hold our pipes, hence the group.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            raise


def _followed(process: subprocess.Popen[bytes], limits: ProcessLimits) -> Finished:
    deadline = time.monotonic() + limits.timeout.total_seconds()
    pieces: dict[int, list[bytes]] = {
        pipe.fileno(): [] for pipe in (process.stdout, process.stderr) if pipe is not None
    }
    size = 0
    with selectors.DefaultSelector() as selector:
        for descriptor in pieces:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select(max(0.0, deadline - time.monotonic())):
                piece = os.read(key.fd, _PIECE)
                if not piece:
                    selector.unregister(key.fd)
                pieces[key.fd].append(piece)
                size += len(piece)
            if size > limits.max_output:
                raise PanelFailure(f"it printed more than {limits.max_output} octets", code="not-understood")
            if time.monotonic() >= deadline and selector.get_map():
                raise _too_slow(limits)
    try:
        code = process.wait(timeout=max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise _too_slow(limits) from error
    out, err = (b"".join(found) for found in pieces.values())
    return Finished(code=code, out=out, err=err)


def _too_slow(limits: ProcessLimits) -> PanelFailure:
    return PanelFailure(
        f"it did not end within {limits.timeout.total_seconds():g} s and was stopped", code="unreachable"
    )
