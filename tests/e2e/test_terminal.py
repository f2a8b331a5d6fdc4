"""The program on a terminal and in a pipe: colours, the progress bar, and nothing that moves the cursor by itself."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time

from tests.support.worlds import PROGRAM, Play, Staged, a_world, as_process

_PATIENCE_SECONDS = 60.0
_SLOW = "vantages:\n" + "".join(f"  - {{name: {name}, faults: {{here0.example: timeout}}}}\n" for name in "abc")


def on_terminal(*arguments: str, environment: dict[str, str] | None = None, has_bar: bool = False) -> tuple[int, str]:
    """Run the program with a terminal for its output, and with ``has_bar`` for its complaints, where the bar goes too.

    Returns:
        Its exit code and what the terminal was told.
    """
    mine, its = pty.openpty()
    variables = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "CI"}}
    process = subprocess.Popen(
        [*PROGRAM, *arguments],
        stdin=its, stdout=its, stderr=its if has_bar else subprocess.DEVNULL,
        env={**variables, "TERM": "xterm", "COLUMNS": "120", **(environment or {})},
    )  # fmt: skip
    os.close(its)
    shown = bytearray()
    end = time.monotonic() + _PATIENCE_SECONDS
    try:
        while time.monotonic() < end:
            if not select.select([mine], [], [], 0.2)[0]:
                continue
            try:
                piece = os.read(mine, 65536)
            except OSError:  # the other end was closed (EIO)
                break
            if not piece:
                break
            shown += piece
        return process.wait(timeout=_PATIENCE_SECONDS), shown.decode("utf-8")
    finally:
        process.kill()
        process.wait()
        os.close(mine)


def test_a_terminal_gets_colours_and_no_other_sequences(demo: Play) -> None:
    code, shown = on_terminal("--config", str(demo.config_path), "report")

    assert code == 0
    sequences = set(re.findall("\x1b[^m]*m?", shown))
    assert sequences
    assert all(re.fullmatch("\x1b\\[[0-9;]*m", one) for one in sequences), sequences
    assert "\u202e" not in shown


def test_no_color_is_obeyed(demo: Play) -> None:
    _, shown = on_terminal("--config", str(demo.config_path), "report", environment={"NO_COLOR": "1"})

    assert "\x1b" not in shown


def test_a_pipe_gets_plain_text(demo: Play) -> None:
    done = as_process("--config", str(demo.config_path), "report")

    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout


def test_a_pass_of_more_than_two_seconds_shows_a_bar_on_a_terminal_and_none_in_a_pipe(staged: Staged) -> None:
    play = staged(a_world(tail="config: {dns: {timeout: 2s, tries: 3}}\n") + _SLOW)

    code, shown = on_terminal("--config", str(play.config_path), "report", has_bar=True)
    _, out, err = play.run("report")

    assert code == 0
    assert "asking public DNS" in shown
    assert "asking public DNS" not in out
    assert err == ""


def test_a_reader_that_goes_away_is_no_error(demo: Play) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*PROGRAM, "--config", str(demo.config_path), "report"],
            stdout=writing, stderr=subprocess.PIPE, text=True, check=False, timeout=_PATIENCE_SECONDS,
        )  # fmt: skip
    finally:
        os.close(writing)

    assert (done.returncode, done.stderr) == (141, "")
