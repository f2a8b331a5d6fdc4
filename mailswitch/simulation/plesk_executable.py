"""The simulated ``plesk`` program: ``db``, ``bin`` and ``version`` over the state of a simulated panel.

``python -m mailswitch.simulation.plesk_executable --state FILE db -B -N -e SQL``, or the launcher that
`write_executable` makes. It is started once for every call, so it imports little.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from mailswitch.simulation.misbehaviour import Fault, Misbehaviour
from mailswitch.simulation.plesk_bin import OPTIONS, call, version_text
from mailswitch.simulation.plesk_sql import NotASelect, run
from mailswitch.simulation.plesk_words import Printed
from mailswitch.simulation.state import PanelState

__all__ = ["main", "write_executable"]

_MANY = 120
"""Characters of an interpreter's path that every kernel still takes in a first line."""
_KILLED = 137

_LAUNCHER = """\
import sys

sys.path.insert(0, {package!r})
from mailswitch.simulation.plesk_executable import main

sys.exit(main(["--state", {state!r}, *sys.argv[1:]]))
"""


def write_executable(path: Path, state_path: Path) -> Path:
    """Write a program to the new file ``path`` that is ``plesk`` for the state at ``state_path``; return ``path``."""
    package = str(Path(__file__).resolve().parents[2])
    body = _LAUNCHER.format(package=package, state=str(state_path.resolve()))
    path.touch(mode=0o755, exist_ok=False)
    path.write_text(_first_lines(sys.executable) + body, encoding="utf-8")
    return path


def _first_lines(interpreter: str) -> str:
    if len(interpreter) <= _MANY and " " not in interpreter:
        return f"#!{interpreter}\n"
    # A line that is a command to the shell and a text to Python, for paths that the kernel does not take.
    quoted = interpreter.replace("'", "'\"'\"'")
    return f"#!/bin/sh\n'''exec' '{quoted}' \"$0\" \"$@\"\n' '''\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if len(words) < 3 or words[0] != "--state":
        sys.stderr.write("usage: plesk_executable --state FILE db|bin|version ...\n")
        return 2
    try:
        state = PanelState(Path(words[1]))
    except FileNotFoundError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    printed = _called(state, tuple(words[2:]))
    # Whatever the locale: what a database holds is UTF-8.
    sys.stdout.buffer.write(printed.out.encode("utf-8", "replace"))
    sys.stderr.buffer.write(printed.err.encode("utf-8", "replace"))
    return printed.code


def _called(state: PanelState, words: tuple[str, ...]) -> Printed:
    kind, operation, is_write = _what(words)
    state.record_request(kind, (operation,), "\n".join(words), is_write=is_write)
    misbehaviour = state.next_misbehaviour((operation,), is_write=is_write)
    if misbehaviour is None:
        return _answer(state, words)
    return _misbehaved(state, words, misbehaviour)


def _what(words: tuple[str, ...]) -> tuple[str, str, bool]:
    """Return the kind of the request, its operation, and whether it writes."""
    if words[0] == "bin" and len(words) >= 3:
        command = OPTIONS.get(words[2], words[2])
        return "bin", f"{words[1]} {command}", command not in {"--list", "--info", "--list-events"}
    return ("db" if words[0] == "db" else "bin"), words[0], False


def _misbehaved(state: PanelState, words: tuple[str, ...], misbehaviour: Misbehaviour) -> Printed:
    match misbehaviour.fault:
        case Fault.SLOW:
            time.sleep(misbehaviour.seconds)
            return _answer(state, words)
        case Fault.NOT_APPLIED:
            return _answer(state, words, is_applied=False)
        case Fault.REPLY_LOST:
            _answer(state, words)
            return Printed(code=_KILLED)
        case Fault.CUT_OFF:
            whole = _answer(state, words)
            return Printed(out=whole.out[: len(whole.out) // 2], code=_KILLED)
        case Fault.LICENCE_EXPIRED:
            return Printed(err="Ihr Lizenzschlüssel ist abgelaufen.\n", code=1)
        case Fault.HTML | Fault.GARBAGE | Fault.REDIRECT:
            return Printed(out="<html>\x00 no\tsuch\tthing\n")
        case Fault.ERROR | Fault.WRONG_KEY | Fault.SERVER_ERROR:
            return Printed(err="Vorgang fehlgeschlagen.\n", code=1)


def _answer(state: PanelState, words: tuple[str, ...], *, is_applied: bool = True) -> Printed:
    match words:
        case ("version",):
            return Printed(out=version_text(state))
        case ("db", *rest):
            return _database(state, rest)
        case ("bin", utility, *rest):
            return call(state, utility, tuple(rest), is_applied=is_applied)
        case _:
            return Printed(err=f"plesk: unknown command {words[0]!r}\n", code=1)


def _database(state: PanelState, words: list[str]) -> Printed:
    flags, sql = "", None
    at = 0
    while at < len(words):
        word = words[at]
        if word.startswith("-") and not word.startswith("--") and set(word[1:]) <= set("BNser"):
            flags += word[1:]
        elif sql is None and "e" in flags:
            sql = word
        else:
            return Printed(err=f"the simulated plesk db does not know {word!r}\n", code=1)
        at += 1
    if sql is None:
        return Printed(err="the simulated plesk db wants -e\n", code=1)
    lines: list[str] = []
    try:
        lines.extend(run(state, sql, has_header="N" not in flags))
    except NotASelect as error:
        state.record_violation(f"plesk db was to run something else than a SELECT: {error}")
        return Printed(err="ERROR 1142 (42000): command denied\n", code=1)
    except sqlite3.Error as error:
        return Printed(err=f"ERROR 1064 (42000) at line 1: {error}\n", code=1)
    return Printed(out="".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    sys.exit(main())
