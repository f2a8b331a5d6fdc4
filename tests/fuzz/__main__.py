"""Fuzz one target: ``python -m tests.fuzz TARGET --seconds N``.

It needs atheris (``.venv/bin/python -m pip install 'atheris>=3'``), which nothing else of the project does.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fuzz.target import TARGETS, load, read_corpus, write_corpus

__all__ = ["Outcome", "fuzz", "learnt", "main", "outcome_of"]

_ROOT = Path(__file__).parent.parent.parent
_LONGEST_INPUT_SECONDS = 10
_MEGABYTES = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a run."""

    executions: int
    seconds: int
    branches: int
    """As libFuzzer counts them, those of the instrumented packages."""
    is_clean: bool
    log: str

    def told(self, name: str) -> str:
        """Return it in one line for people."""
        findings = "no finding" if self.is_clean else "A FINDING"
        return f"{name}: {self.executions:,} executions in {self.seconds:,} s, {self.branches:,} branches, {findings}"


def fuzz(name: str, *, seconds: int, grown: Path, findings: Path) -> Outcome:
    """Fuzz a target for so long, from its seeds and its corpus on.

    Args:
        name: The target.
        seconds: How long.
        grown: Where inputs that lead somewhere new are put; an empty folder.
        findings: Where an input is put that must not do what it does.
    """
    target = load(name)
    with TemporaryDirectory(prefix="mailswitch-fuzz-") as made:
        folder = Path(made)
        (folder / "known").mkdir()
        _fill(folder / "known", [*target.seeds(), *read_corpus(name)])
        (folder / "tokens").write_text("".join(_quoted(target.TOKENS)), encoding="ascii")
        done = _child(
            name,
            [
                f"-max_total_time={seconds}",
                f"-max_len={target.MAX_OCTETS}",
                f"-timeout={_LONGEST_INPUT_SECONDS}",
                f"-rss_limit_mb={_MEGABYTES}",
                f"-dict={folder / 'tokens'}",
                f"-artifact_prefix={findings}/",
                "-print_final_stats=1",
                str(grown),
                str(folder / "known"),
            ],
        )
    return outcome_of(done.stderr, is_clean=done.returncode == 0)


def learnt(name: str, grown: Path) -> list[bytes]:
    """Return the fewest inputs, short ones first, that lead everywhere where seeds, corpus and ``grown`` lead."""
    target = load(name)
    with TemporaryDirectory(prefix="mailswitch-fuzz-") as made:
        known, least = Path(made, "known"), Path(made, "least")
        known.mkdir()
        least.mkdir()
        _fill(known, [*target.seeds(), *read_corpus(name)])
        done = _child(name, ["-merge=1", f"-max_len={target.MAX_OCTETS}", str(least), str(known), str(grown)])
        if done.returncode:
            raise RuntimeError(f"the corpus of {name} could not be made smaller: {done.stderr[-2000:]}")
        return [path.read_bytes() for path in least.iterdir()]


def outcome_of(log: str, *, is_clean: bool) -> Outcome:
    """Read what libFuzzer says at its end."""
    done = re.search(r"Done (\d+) runs in (\d+) second", log)
    executed = re.search(r"stat::number_of_executed_units:\s*(\d+)", log)
    executions = done or executed
    branches = re.findall(r"\bcov: (\d+)", log)
    return Outcome(
        executions=int(executions[1]) if executions else 0,
        seconds=int(done[2]) if done else 0,
        branches=int(branches[-1]) if branches else 0,
        is_clean=is_clean,
        log=log,
    )


def main(arguments: Iterable[str]) -> int:
    """Fuzz the target asked for: 0 when nothing was found, 1 for a finding, 2 when it cannot be tried."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--findings", type=Path, default=Path(), help="the folder for an input that is a finding")
    parser.add_argument("--learn", action="store_true", help="keep in tests/fuzz/corpus what leads somewhere new")
    parser.add_argument("--again", type=Path, help="try one input that was a finding, without fuzzing")
    chosen = parser.parse_args(list(arguments))
    if chosen.again is not None:
        load(chosen.target).try_one(chosen.again.read_bytes())
        return 0
    if find_spec("atheris") is None:
        print(f"atheris is not installed: {sys.executable} -m pip install 'atheris>=3'", file=sys.stderr)  # noqa: T201
        return 2
    with TemporaryDirectory(prefix="mailswitch-fuzz-") as made:
        grown = Path(made)
        found = fuzz(chosen.target, seconds=chosen.seconds, grown=grown, findings=chosen.findings.resolve())
        print(found.told(chosen.target))  # noqa: T201 - a command
        if not found.is_clean:
            print(found.log[-6000:])  # noqa: T201 - a command
            return 1
        if chosen.learn:
            kept = write_corpus(chosen.target, learnt(chosen.target, grown))
            print(f"{kept} inputs are kept")  # noqa: T201 - a command
    return 0


def _child(name: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    with TemporaryDirectory(prefix="mailswitch-fuzz-") as made:
        # libFuzzer makes a corpus smaller in a second process, for which it starts what it was started as.
        program = Path(made, "program")
        again = shlex.join([sys.executable, "-m", "tests.fuzz.child", name, str(program)])
        program.write_text(f'#!/bin/sh\nexec {again} "$@"\n', encoding="utf-8")
        program.chmod(0o700)
        command = [str(program), *arguments]
        return subprocess.run(command, cwd=_ROOT, check=False, stderr=subprocess.PIPE, text=True, errors="replace")


def _fill(folder: Path, inputs: Iterable[bytes]) -> None:
    for number, each in enumerate(inputs):
        (folder / f"{number:05}").write_bytes(each)


def _quoted(tokens: Iterable[bytes]) -> Iterator[str]:
    for token in tokens:
        yield '"' + "".join(f"\\x{octet:02x}" for octet in token) + '"\n'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
