"""The unit files: what is installed is what is in systemd/, and each setting says why it is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_UNITS = sorted((_ROOT / "systemd").iterdir())
_SERVICES = [path for path in _UNITS if path.suffix == ".service"]
_KNOWN_TO_239 = {"Type", "NotifyAccess", "ExecStart", "WatchdogSec", "User", "StateDirectory", "ProtectSystem"}


def _settings(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if re.match(r"[A-Za-z]+=", line):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("path", _UNITS, ids=lambda path: path.name)
def test_the_installer_carries_the_same_file(path: Path) -> None:
    carried = _ROOT / "mailswitch" / "service" / "units" / path.name

    assert carried.read_text(encoding="utf-8") == path.read_text(encoding="utf-8")


def test_the_installer_carries_no_other_file() -> None:
    carried = {path.name for path in (_ROOT / "mailswitch" / "service" / "units").iterdir()}

    assert carried == {path.name for path in _UNITS}


@pytest.mark.parametrize("path", _SERVICES, ids=lambda path: path.name)
def test_every_hardening_setting_has_its_reason_above_it(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").split("# --- What it may touch")[1].splitlines()[1:]
    reasonless = []
    has_reason = False
    for line in lines:
        if line.startswith("#"):
            has_reason = not line.startswith("# ---")
        elif not line:
            has_reason = False
        elif not line.startswith("[") and line != "WantedBy=multi-user.target" and not has_reason:
            reasonless.append(line)

    assert len(lines) > 40
    assert reasonless == []


def test_the_daemon_speaks_with_systemd_and_is_started_again() -> None:
    settings = _settings(_ROOT / "systemd" / "mailswitch.service")

    assert set(settings) >= _KNOWN_TO_239
    assert settings["Type"] == ["notify"]
    assert settings["NotifyAccess"] == ["main"]
    assert settings["Restart"] == ["on-failure"]
    assert int(settings["TimeoutStopSec"][0]) >= 20


@pytest.mark.parametrize("path", _SERVICES, ids=lambda path: path.name)
def test_services_run_as_the_user_that_is_made_for_them_without_capabilities(path: Path) -> None:
    settings = _settings(path)
    (line,) = [
        line for line in (_ROOT / "systemd" / "mailswitch.sysusers").read_text().splitlines() if line.startswith("u ")
    ]

    assert settings["User"] == settings["Group"] == [line.split()[1]]
    assert settings["CapabilityBoundingSet"] == settings["AmbientCapabilities"] == [""]
    assert settings["NoNewPrivileges"] == ["yes"]


def test_the_report_service_is_as_hardened_as_the_daemon() -> None:
    def hardening(path: Path) -> str:
        return path.read_text(encoding="utf-8").split("# --- What it may touch")[1].split("\n[Install]")[0].rstrip()

    daemon, report = (_ROOT / "systemd" / f"{name}.service" for name in ("mailswitch", "mailswitch-report"))

    assert hardening(daemon) == hardening(report)
