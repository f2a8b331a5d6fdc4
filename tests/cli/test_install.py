"""Installing where it cannot be done: nothing is touched, and what is missing is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailswitch.cli.main import main

pytestmark = pytest.mark.root


@pytest.mark.parametrize("words", [["install"], ["install", "--dry-run"], ["install", "--only-report"], ["uninstall"]])
def test_a_machine_without_plesk_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert not Path("/usr/sbin/plesk").exists()

    code = main(words)

    shown = capsys.readouterr()
    assert (code, shown.out) == (1, "")
    assert "this is no Plesk server: there is no /usr/sbin/plesk" in shown.err


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_another_configuration_is_refused(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--config", "/tmp/other.yaml", command])

    assert code == 2
    assert "/etc/mailswitch/mailswitch.yaml, and no other" in capsys.readouterr().err


def test_restoring_and_keeping_off_are_opposites(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["uninstall", "--restore", "--keep-off"])

    assert code == 2
    assert "opposites" in capsys.readouterr().err
