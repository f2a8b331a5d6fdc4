"""``config init``, ``check`` and ``show`` through the program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from mailswitch.cli.main import main
from mailswitch.config.show import example_text


@pytest.fixture
def sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "mailswitch.yaml"
    assert main(["config", "init", "--output", str(path)]) == 0
    capsys.readouterr()
    return path


def test_init_prints_the_sample(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "init"]) == 0

    assert capsys.readouterr().out == example_text()


def test_init_writes_the_sample_for_its_owner_and_group_only(sample: Path) -> None:
    assert sample.read_text(encoding="utf-8") == example_text()
    assert sample.stat().st_mode & 0o007 == 0


def test_init_never_overwrites(sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample.write_text("mine", encoding="utf-8")

    assert main(["config", "init", "--output", str(sample)]) == 2
    assert sample.read_text(encoding="utf-8") == "mine"
    assert "is not overwritten" in capsys.readouterr().err


def test_init_says_why_it_cannot_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "init", "--output", str(tmp_path / "no" / "m.yaml")]) == 2
    assert "No such file or directory" in capsys.readouterr().err


def test_check_counts_what_it_found_good(sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(sample), "config", "check"]) == 0

    shown = capsys.readouterr()
    assert shown.out == f"{sample}: no problems (1 server, 3 vantages of 3 operators, mode report)\n"
    assert shown.err == ""


def test_check_tells_every_problem_and_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.yaml"
    path.write_text("mdoe: report\nservers:\n - {name: w, panel: local}\nconfirm: {window: 5}\n", encoding="utf-8")

    assert main(["--config", str(path), "config", "check"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        f"mailswitch: {path}:1: mdoe: unknown key 'mdoe' (did you mean 'mode'?)",
        f"mailswitch: {path}:4: confirm.window: '5' has no unit: write 5s for seconds, 5m for minutes, 5h for hours",
    ]


def test_check_is_loud_about_what_is_allowed_and_dangerous(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.yaml"
    (tmp_path / "key").write_text("k", encoding="utf-8")
    (tmp_path / "key").chmod(0o600)
    path.write_text(
        "servers: [{name: w, url: 'https://h', secret_key_file: key, tls: {verify: off}}]", encoding="utf-8"
    )

    assert main(["--config", str(path), "config", "check"]) == 0
    assert "caution: servers[0].tls.verify" in capsys.readouterr().err


def test_show_prints_yaml_that_passes_the_check(
    sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", str(sample), "config", "show"]) == 0
    again = tmp_path / "again.yaml"
    again.write_text(capsys.readouterr().out, encoding="utf-8")

    assert main(["--config", str(again), "config", "check"]) == 0


def test_show_prints_the_same_as_json(sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(sample), "config", "show"]) == 0
    text = capsys.readouterr().out
    assert main(["--config", str(sample), "config", "show", "--format", "json"]) == 0

    assert json.loads(capsys.readouterr().out) == yaml.safe_load(text)


def test_a_missing_file_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(tmp_path / "none.yaml"), "config", "check"]) == 2
    assert "it does not exist" in capsys.readouterr().err
