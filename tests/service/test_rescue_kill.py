"""Killed at any point, a rescue never sends a message twice, and with a readable log it never skips one.

The process that sends is a real one and dies by SIGKILL; the mail server is in this process and goes on.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mta import Mta, attached
from tests.support.rescuing import Desk

OWN_STAGES = ("intend", "intended", "replied")
"""At which the process kills itself: before the intent, between intent and dot, between answer and outcome."""
SERVER_STAGES = ("connect", "RCPT", "DATA", "body", "dot", "taken")
"""At which the mail server sees it die."""
MESSAGES = 5


@pytest.fixture
def mta(tmp_path: Path) -> Iterator[Mta]:
    with Mta(tmp_path / "maillog") as server:
        yield server


@pytest.fixture
def contents(tmp_path: Path, mta: Mta) -> list[bytes]:
    """Five messages that wait, of a name a pass has seen elsewhere."""
    desk = Desk(tmp_path, mta.port, mta.log)
    desk.look()
    found = [b"Subject: %d\n\nhello\n" % number for number in range(MESSAGES)]
    for content in found:
        desk.arrive(content)
    return found


def _child(folder: Path, mta: Mta, stage: str = "none") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.rescue_child", str(folder), str(mta.port), str(mta.log), stage],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _killed(folder: Path, mta: Mta, stage: str) -> None:
    """Let a process die at a stage, wherever it is."""
    child = _child(folder, mta, stage if stage in OWN_STAGES else "none")
    seen: list[str] = []

    def kill(at: str) -> None:
        seen.append(at)
        # The second message: its own connection after the first batch of one.
        if at == stage and seen.count(at) == 2:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()

    if stage in SERVER_STAGES:
        mta.at = kill
    _, complaint = child.communicate(timeout=60)
    mta.at = lambda _: None
    assert child.returncode == -signal.SIGKILL, complaint


def _finished(folder: Path, mta: Mta) -> str:
    child = _child(folder, mta)
    shown, complaint = child.communicate(timeout=60)
    assert child.returncode == 0, complaint
    return shown


def _arrived(mta: Mta) -> list[bytes]:
    return sorted(attached(mail.content).replace(b"\r\n", b"\n") for mail in mta.taken)


@pytest.mark.parametrize("stage", [*OWN_STAGES, *SERVER_STAGES])
def test_whatever_the_stage_every_message_arrives_exactly_once(
    tmp_path: Path, mta: Mta, contents: list[bytes], stage: str
) -> None:
    _killed(tmp_path, mta, stage)
    before = len(mta.taken)
    shown = _finished(tmp_path, mta)

    assert before in {1, 2}
    assert _arrived(mta) == sorted(contents)
    assert shown.endswith("None 0\n")


@pytest.mark.parametrize("stage", ["intended", "dot", "taken"])
def test_where_the_log_is_lost_too_no_message_is_sent_twice_and_the_doubtful_one_is_told(
    tmp_path: Path, mta: Mta, contents: list[bytes], stage: str
) -> None:
    _killed(tmp_path, mta, stage)
    taken = len(mta.taken)
    mta.log.write_bytes(b"")

    shown = _finished(tmp_path, mta)

    arrived = _arrived(mta)
    assert len(set(arrived)) == len(arrived)
    assert set(arrived) <= set(contents)
    assert len(arrived) == taken + MESSAGES - 2
    assert shown.endswith("None 1\n")


def test_killed_again_and_again_it_still_sends_everything_once(tmp_path: Path, mta: Mta, contents: list[bytes]) -> None:
    for stage in ("intended", "dot"):
        _killed(tmp_path, mta, stage)
    _finished(tmp_path, mta)

    assert _arrived(mta) == sorted(contents)


def test_a_killed_run_stands_in_the_history_as_not_finished(tmp_path: Path, mta: Mta, contents: list[bytes]) -> None:
    _killed(tmp_path, mta, "replied")
    assert contents

    (rescue,) = Desk(tmp_path, mta.port, mta.log).scene.place.reader().rescues()

    assert (rescue.finished, rescue.by) == (None, "alice")
