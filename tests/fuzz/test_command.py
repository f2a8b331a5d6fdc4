"""The command of the fuzzer, against a stand-in for atheris that tries the given inputs and mutates nothing."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tests.fuzz.__main__ import main, outcome_of
from tests.fuzz.target import TARGETS

_STAND_IN = """
import contextlib, pathlib, sys

instrumented = []
instrument_imports = lambda include: contextlib.nullcontext(instrumented.extend(include))

def Setup(arguments, target):
    Setup.arguments, Setup.target = arguments, target

def Fuzz():
    folders = [pathlib.Path(each) for each in Setup.arguments[1:] if not each.startswith("-")]
    runs = 0
    for path in sorted(path for folder in folders for path in folder.iterdir()):
        Setup.target(path.read_bytes())
        runs += 1
        (folders[0] / f"{{runs}}").write_bytes(path.read_bytes())
    print(f"#{{runs}} DONE cov: 21 ft: 22 corp: 1", file=sys.stderr)
    print(f"Done {{runs}} runs in 3 second(s)", file=sys.stderr)
    sys.exit({code})
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a stand-in for atheris first among what can be imported; the fixture's value is its file."""
    path = tmp_path / "atheris.py"
    path.write_text(_STAND_IN.format(code=0), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    return path


@pytest.mark.parametrize("name", TARGETS)
def test_a_clean_run_tells_its_executions(name: str, stand_in: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert stand_in.exists()
    assert main([name, "--seconds", "1"]) == 0
    assert f"{name}: " in (told := capfd.readouterr().out)
    assert "executions in 3 s, 21 branches, no finding" in told


def test_a_finding_is_told_with_the_fuzzer_s_last_words(stand_in: Path, capfd: pytest.CaptureFixture[str]) -> None:
    stand_in.write_text(_STAND_IN.format(code=77), encoding="utf-8")

    assert main(["dns", "--seconds", "1"]) == 1
    assert "A FINDING\n" in (told := capfd.readouterr().out)
    assert "DONE cov: 21" in told


def test_an_input_is_tried_again_without_the_fuzzer(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "crash-1"
    path.write_bytes(b"\0" * 40)

    assert main(["dns", "--again", str(path)]) == 0
    assert capfd.readouterr().out == ""


def test_executions_are_read_from_a_run_that_ended_early() -> None:
    outcome = outcome_of("#2 pulse cov: 7 ft: 9\nstat::number_of_executed_units: 1234\n", is_clean=False)

    assert (outcome.executions, outcome.branches, outcome.is_clean) == (1234, 7, False)
