"""``demo``: the tour, a world that is kept running, and worlds of one's own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailswitch.cli.main import main
from tests.support.worlds import PROGRAM, a_world, as_process

_PATIENCE_SECONDS = 60.0


@contextmanager
def kept(directory: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run ``demo --keep`` as a process of its own, from the moment its configuration is there."""
    process = subprocess.Popen(
        [*PROGRAM, "demo", "--keep", str(directory), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        end = time.monotonic() + _PATIENCE_SECONDS
        while not (directory / "mailswitch.yaml").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            os.sched_yield()
        yield process
    finally:
        process.kill()
        process.communicate()


# ---- the tour


@pytest.fixture(scope="module")
def tour() -> subprocess.CompletedProcess[str]:
    return as_process("demo")


def test_the_tour_ends_with_0_and_complains_of_nothing(tour: subprocess.CompletedProcess[str]) -> None:
    assert (tour.returncode, tour.stderr) == (0, "")


def test_the_tour_shows_the_program_at_work(tour: subprocess.CompletedProcess[str]) -> None:
    commands = [line for line in tour.stdout.splitlines() if line.startswith("$ mailswitch ")]

    called = [line.split()[2] for line in commands]
    for command in ("report", "once", "explain", "history", "revert"):
        assert command in called
    assert "local mailbox" in tour.stdout
    assert "off -> on" in tour.stdout
    assert "\x1b" not in tour.stdout
    assert "\u202e" not in tour.stdout


def test_the_tour_of_another_world_takes_it_as_it_comes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "world.yaml"
    path.write_text(a_world(moved=0, here=1), encoding="utf-8")

    assert main(["demo", "--world", str(path)]) == 0
    assert "1 name: 1 kept" in capsys.readouterr().out


# ---- a world that is kept


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_kept_world_runs_until_it_is_told_to_end(tmp_path: Path, number: signal.Signals) -> None:
    with kept(tmp_path / "world") as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=_PATIENCE_SECONDS)

    assert process.returncode == 0
    assert err == ""
    assert "report" in out


def test_a_kept_world_can_be_tried_with_every_command(tmp_path: Path) -> None:
    directory = tmp_path / "world"
    with kept(directory):
        configuration = directory / "mailswitch.yaml"
        assert "secret_key_file" in configuration.read_text(encoding="utf-8")
        assert not list(directory.glob("ledger*"))  # nothing was applied, and nothing is on record

        report = as_process("--config", str(configuration), "report", "--format", "json")
        assert (report.returncode, report.stderr) == (0, "")
        assert json.loads(report.stdout)["summary"]["turn_off"] > 0

        once = as_process("--config", str(configuration), "once", "--apply")
        assert once.returncode == 0
        assert (directory / "ledger.db").exists()
        assert as_process("--config", str(configuration), "status").returncode == 0


def test_secrets_of_a_kept_world_are_for_their_owner_alone(tmp_path: Path) -> None:
    directory = tmp_path / "world"
    with kept(directory):
        keys = list((directory / "keys").iterdir())

        assert keys
        assert all(path.stat().st_mode & 0o077 == 0 for path in keys)


def test_a_kept_world_wants_an_empty_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")

    assert main(["demo", "--keep", str(tmp_path)]) == 2

    assert "it is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_world_cannot_be_kept_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("", encoding="utf-8")

    assert main(["demo", "--keep", str(path)]) == 2


# ---- worlds of one's own


def test_every_problem_of_a_world_is_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "world.yaml"
    path.write_text(
        "servers:\n"
        "  - name: web01\n"
        "    addresses: [nonsense]\n"
        "    domains:\n"
        "      - {name: a.example, mail: maybe}\n"
        "      - {name: b..example}\n"
        "      - {name: c.example, kind: alias, of: nobody.example}\n"
        "dns: |\n"
        "  a.example. 60 IN MX nonsense\n"
        "config: {mdoe: enforce}\n",
        encoding="utf-8",
    )

    assert main(["demo", "--world", str(path)]) == 2

    shown = capsys.readouterr()
    assert shown.out == ""
    lines = shown.err.splitlines()
    assert len(lines) >= 5
    assert all(f"{path}:" in line for line in lines)
    for words in ("nonsense", "maybe", "b..example", "nobody.example", "mdoe"):
        assert any(words in line for line in lines), words


def test_a_world_file_that_is_not_there_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--world", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml" in capsys.readouterr().err


def test_on_and_off_may_be_written_as_yaml_likes(tmp_path: Path) -> None:
    path = tmp_path / "world.yaml"
    text = a_world(moved=0, here=4)
    for number, word in enumerate(("yes", "true", '"on"')):
        text = text.replace(f"here{number}.example, mail: on", f"here{number}.example, mail: {word}")
    path.write_text(text, encoding="utf-8")
    directory = tmp_path / "world"

    with kept(directory, "--world", str(path)):
        report = as_process("--config", str(directory / "mailswitch.yaml"), "report", "--format", "json")

    (server,) = json.loads(report.stdout)["servers"]
    assert {entry["switch"] for entry in server["domains"]} == {"on"}
