"""Asking the daemon on behalf of Plesk's event handlers."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailswitch.cli.main import main
from mailswitch.ledger.place import open_place


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "mailswitch.yaml"
    path.write_text(
        f"ledger: sqlite:///{tmp_path}/ledger.db\nservers:\n  - {{name: web01, panel: local}}\n", encoding="utf-8"
    )
    return str(path)


def test_somebody_has_to_say_what_to_look_at(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--config", config, "recheck"])

    assert code == 2
    assert "at least one DOMAIN" in capsys.readouterr().err


def test_an_event_that_names_nothing_is_no_trouble(config: str, tmp_path: Path) -> None:
    assert main(["--config", config, "recheck", "--from-plesk", "client_create"]) == 0
    assert not (tmp_path / "ledger.db").exists()


def test_an_event_s_names_are_left_for_the_daemon(config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEW_DOMAIN_NAME", "moved.example")
    place = open_place(f"sqlite:///{tmp_path}/ledger.db")

    with place.daemon_lock():
        code = main(["--config", config, "recheck", "--from-plesk", "site_create"])

    reader = place.reader()
    asked = [one.name.text for one in reader.rechecks(limit=10)]
    reader.close()
    assert (code, asked) == (0, ["moved.example"])


def test_without_a_daemon_nobody_is_asked(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--config", config, "recheck", "moved.example"])

    assert code == 1
    assert "no daemon is running" in capsys.readouterr().err
