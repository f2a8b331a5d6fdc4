"""The unit files: what is installed is what is in systemd/, and each setting says why it is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_UNITS = sorted((_ROOT / "systemd").iterdir())
_SERVICES = [path for path in _UNITS if path.suffix == ".service"]
_TO_239 = Path(__file__).with_name("systemd-239-settings.txt")
_LATER = {
    "Service.ProtectProc": "247; the processes of others stay visible",
    "Service.ProcSubset": "247; the rest of /proc stays visible",
    "Service.RestrictSUIDSGID": "242; NoNewPrivileges= makes set-user-id programs useless, and its files are its own",
    "Service.ProtectKernelLogs": "244; reading them needs a capability, and it has none",
    "Service.ProtectClock": "245; setting it needs a capability, and it has none",
    "Service.ProtectHostname": "242; setting it needs a capability, and it has none",
    "Service.LoadCredential": "247, and commented out; secret files are read where they lie",
}
"""Since which systemd, and what is lost where it is ignored with a warning: never what the service needs to work."""


def _settings(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if re.match(r"[A-Za-z]+=", line):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def _sectioned(text: str) -> list[str]:
    """Return each setting as SECTION.SETTING; those that are commented out too, for people take them as they are."""
    found, section = [], ""
    for line in text.splitlines():
        if heading := re.fullmatch(r"\[(\w+)\]", line):
            section = heading[1]
        elif setting := re.match(r"#?([A-Z][A-Za-z]+)=", line):
            found.append(f"{section}.{setting[1]}")
    return found


def _known_to_239() -> set[str]:
    lines = _TO_239.read_text(encoding="utf-8").splitlines()
    return {line for line in lines if not line.startswith("#")}


@pytest.mark.parametrize("path", [path for path in _UNITS if path.suffix != ".sysusers"], ids=lambda path: path.name)
def test_every_setting_is_known_to_systemd_239_or_nothing_hangs_on_it(path: Path) -> None:
    settings = _sectioned(path.read_text(encoding="utf-8"))

    assert len(settings) >= 5
    assert set(settings) - _known_to_239() - set(_LATER) == set()


def test_a_setting_is_called_later_only_where_systemd_239_does_not_know_it() -> None:
    used = {setting for path in _SERVICES for setting in _sectioned(path.read_text(encoding="utf-8"))}

    assert set(_LATER) <= used
    assert set(_LATER) & _known_to_239() == set()
    assert all(re.match(r"2[45]\d[;,] ", reason) for reason in _LATER.values())


def test_an_unknown_setting_would_be_noticed() -> None:
    settings = _sectioned("[Service]\nType=notify\n#ProtectEverything=yes\n[Timer]\nType=notify\n")

    assert set(settings) - _known_to_239() - set(_LATER) == {"Service.ProtectEverything", "Timer.Type"}


def test_operations_tell_what_an_older_systemd_ignores() -> None:
    page = (_ROOT / "docs" / "operations.md").read_text(encoding="utf-8")

    for setting in _LATER:
        assert f"`{setting.partition('.')[2]}=" in page


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

    # The collector owns what root owns, since the mail log may be root's alone, and has nothing else of root's.
    user = "root" if path.stem == "mailswitch-evidence" else line.split()[1]
    assert (settings["User"], settings["Group"]) == ([user], [line.split()[1]])
    assert settings["CapabilityBoundingSet"] == settings["AmbientCapabilities"] == [""]
    assert settings["NoNewPrivileges"] == ["yes"]


def test_the_collector_has_no_network_and_writes_to_one_folder_only() -> None:
    settings = _settings(_ROOT / "systemd" / "mailswitch-evidence.service")

    assert settings["PrivateNetwork"] == ["yes"]
    assert settings["RestrictAddressFamilies"] == ["AF_UNIX"]
    assert settings["ProtectSystem"] == ["strict"]
    assert settings["StateDirectory"] == ["mailswitch-evidence"]
    assert "ReadWritePaths" not in settings
    assert settings["ExecStart"] == ["/opt/mailswitch/bin/mailswitch evidence collect"]


def test_the_report_service_is_as_hardened_as_the_daemon() -> None:
    def hardening(path: Path) -> str:
        return path.read_text(encoding="utf-8").split("# --- What it may touch")[1].split("\n[Install]")[0].rstrip()

    daemon, report = (_ROOT / "systemd" / f"{name}.service" for name in ("mailswitch", "mailswitch-report"))

    assert hardening(daemon) == hardening(report)
