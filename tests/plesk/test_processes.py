"""Processes with limits, on real ones."""

from __future__ import annotations

import os
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from mailswitch.plesk.failures import PanelFailure
from mailswitch.plesk.processes import Finished, ProcessLimits, run_bounded

LIMITS = ProcessLimits(timeout=timedelta(seconds=30))


def python(code: str, *words: str, limits: ProcessLimits = LIMITS) -> Finished:
    return run_bounded((sys.executable, "-c", code, *words), limits)


def test_output_and_exit_code_come_back() -> None:
    found = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")

    assert found == Finished(code=3, out=b"out\n", err=b"err\n")


def test_arguments_are_not_for_a_shell(tmp_path: Path) -> None:
    hostile = f"; touch {tmp_path / 'here'} $(id) `id` * ' \" \\"
    found = python("import sys; sys.stdout.write(sys.argv[1])", hostile)

    assert found.out.decode() == hostile
    assert list(tmp_path.iterdir()) == []


def test_nothing_of_the_environment_goes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILSWITCH_KEY", "topsecret")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    found = python("import os; print(sorted(os.environ))\nprint(os.environ['LC_ALL'])")

    assert b"MAILSWITCH_KEY" not in found.out
    assert found.out.splitlines()[1] == b"C"


def test_standard_input_is_empty() -> None:
    assert python("import sys; print(repr(sys.stdin.read()))").out == b"''\n"


def test_much_output_on_both_channels_does_not_block() -> None:
    found = python("import sys\nfor _ in range(300): print('o' * 999); print('e' * 999, file=sys.stderr)")

    assert (len(found.out), len(found.err)) == (300_000, 300_000)


def test_more_output_than_allowed_ends_the_process() -> None:
    with pytest.raises(PanelFailure, match="1000 octets") as caught:
        python("while True: print('x' * 999)", limits=ProcessLimits(timeout=LIMITS.timeout, max_output=1000))

    assert caught.value.code == "not-understood"


def test_a_process_is_stopped_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = (
        "import os, pathlib, signal, sys\n"
        "child = os.fork()\n"
        "if child: pathlib.Path(sys.argv[1]).write_text(f'{os.getpid()} {child}')\n"
        "if child: print('x' * 5000, flush=True)\n"
        "signal.pause()\n"
    )
    with pytest.raises(PanelFailure, match="4000 octets"):
        python(code, str(pids), limits=ProcessLimits(timeout=LIMITS.timeout, max_output=4000))

    assert not any(is_running(int(pid)) for pid in pids.read_text().split())


def is_running(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    end = time.monotonic() + 5
    while time.monotonic() < end:  # the kernel takes a moment to end what was killed
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        if state in {"Z", "X"}:
            return False
        os.sched_yield()
    return True


def test_a_process_that_closes_its_output_and_does_not_end_is_stopped() -> None:
    code = "import os, signal\nos.close(1); os.close(2); signal.pause()"

    with pytest.raises(PanelFailure, match="did not end") as caught:
        python(code, limits=ProcessLimits(timeout=timedelta(seconds=0.3)))

    assert caught.value.code == "unreachable"


def test_a_process_ended_by_a_signal_has_a_negative_code() -> None:
    assert python("import os, signal; os.kill(os.getpid(), signal.SIGTERM)").code == -15


@pytest.mark.parametrize("word", ["no-such-program", "\0"])
def test_a_program_that_cannot_be_started_is_unreachable(tmp_path: Path, word: str) -> None:
    with pytest.raises(PanelFailure, match="could not be started") as caught:
        run_bounded((f"{tmp_path}/{word}",), LIMITS)

    assert caught.value.code == "unreachable"
    assert not caught.value.is_sent


def test_what_was_said_is_one_clean_line_of_both_channels() -> None:
    found = Finished(code=1, out=b"\nFAILURE: no\n", err=b"\x1b[31mNicht \xff gefunden\r\n")

    assert found.said() == "[31mNicht \ufffd gefunden FAILURE: no"
    assert Finished(code=1, out=b"", err=b"").said() == "nothing"
