"""Installing on a machine, taking it away again, and what is left when a step fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailswitch.config.settings import load
from mailswitch.core.errors import InstallError
from mailswitch.service.install.evidence_steps import COLLECTOR
from mailswitch.service.install.machine_steps import unit_text
from mailswitch.service.install.panel_steps import WANTED_EVENTS
from mailswitch.service.install.plan import DAEMON, REPORT, everything, installation, off_by_us, program_path
from mailswitch.service.install.steps import carry_out, take_away
from mailswitch.simulation.plesk_admin import EVENTS
from tests.support.machine import FINGERPRINT, Machine

pytestmark = pytest.mark.root

_PROGRAM = Path("/opt/mailswitch/bin/mailswitch")
_KEY = "/etc/mailswitch/panel.key"
_CONFIG = "/etc/mailswitch/mailswitch.yaml"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(root=tmp_path)


def _install(machine: Machine, *, unit: str = DAEMON, is_trying: bool = False) -> list[str]:
    said: list[str] = []
    carry_out(installation(machine.host, _PROGRAM, unit=unit), said.append, is_trying=is_trying)
    return said


def _uninstall(machine: Machine, *, is_trying: bool = False) -> list[str]:
    said: list[str] = []
    take_away(everything(machine.host, _PROGRAM), said.append, is_trying=is_trying)
    return said


def test_an_installed_machine_has_all_of_it(machine: Machine) -> None:
    _install(machine)

    files = machine.files()
    key = files[_KEY][1].strip()
    assert (files[_KEY][0], files[_CONFIG][0]) == (0o640, 0o640)
    assert machine.panel.is_key(key, source="127.0.0.1")
    assert not machine.panel.is_key(key, source="192.0.2.1")
    assert (machine.root / _KEY[1:]).stat().st_gid == (machine.root / _CONFIG[1:]).stat().st_gid == 60_124
    assert (machine.root / "etc/mailswitch").stat().st_mode & 0o7777 == 0o750
    assert files["/etc/systemd/system/mailswitch.service"] == (0o644, unit_text("mailswitch.service", _PROGRAM))
    assert machine.enabled == machine.active == {DAEMON}


def test_the_configuration_it_writes_is_good_and_changes_nothing(machine: Machine) -> None:
    _install(machine)

    settings = load(machine.root / _CONFIG[1:])

    (server,) = settings.servers
    assert settings.mode.value == "report"
    assert (server.panel, server.url) == ("xml-api", "https://127.0.0.1:8443")
    assert settings.secret(server) == machine.files()[_KEY][1].strip()
    assert server.tls.fingerprint_sha256
    assert FINGERPRINT in machine.files()[_CONFIG][1]


def test_handlers_are_registered_for_wanted_events_that_the_server_lists(machine: Machine) -> None:
    _install(machine)

    listed = machine.plesk("event_handler", "--list")
    made = {line.rsplit(" ", 1)[1] for line in listed.splitlines() if line.startswith("Command")}
    assert made == set(WANTED_EVENTS) & set(EVENTS)
    assert "mail_management_status_update" not in made
    assert f"{_PROGRAM} recheck --from-plesk site_create" in listed


def test_a_second_time_changes_nothing(machine: Machine) -> None:
    _install(machine)
    files, handlers = machine.files(), machine.plesk("event_handler", "--list")
    machine.calls.clear()

    said = _install(machine)

    assert machine.writes() == []
    assert (machine.files(), machine.plesk("event_handler", "--list")) == (files, handlers)
    assert all(line.startswith("there already: ") for line in said)


def test_a_dry_run_prints_every_step_and_does_none(machine: Machine) -> None:
    before = machine.files()

    said = _install(machine, is_trying=True)

    assert machine.writes() == []
    assert machine.files() == before
    assert [line.split()[0] for line in said] == ["would"] * 6


def test_the_key_is_never_told(machine: Machine) -> None:
    said = _install(machine)
    key = machine.files()[_KEY][1].strip()
    said += _uninstall(machine)

    assert key not in "\n".join(said)


def test_only_a_report_needs_no_daemon_and_no_handlers(machine: Machine) -> None:
    _install(machine, unit=REPORT)

    assert machine.enabled == {REPORT}
    assert machine.plesk("event_handler", "--list") == ""


def test_a_machine_without_sysusers_gets_its_user_all_the_same(machine: Machine) -> None:
    machine.has_sysusers = False

    _install(machine)

    assert machine.writes()[0][0] == "useradd"
    assert DAEMON in machine.active


def test_a_configuration_that_is_there_is_left_and_gets_no_key_it_does_not_use(machine: Machine) -> None:
    (machine.root / "etc/mailswitch").mkdir()
    config = machine.root / _CONFIG[1:]
    config.write_text("mode: approve\n")

    _install(machine)

    assert config.read_text() == "mode: approve\n"
    assert _KEY not in machine.files()
    assert machine.plesk("secret_key", "--list") == ""


def test_a_new_version_s_units_replace_the_old_ones(machine: Machine) -> None:
    _install(machine)
    unit = machine.root / "etc/systemd/system/mailswitch.service"
    unit.write_text("[Unit]\nDescription=old\n")
    machine.calls.clear()

    _install(machine)

    assert unit.read_text() == unit_text("mailswitch.service", _PROGRAM)
    assert machine.writes() == [("systemctl", "daemon-reload"), ("systemctl", "try-restart", "mailswitch.service")]


@pytest.mark.parametrize(
    ("broken", "step"),
    [
        (("secret_key", "--create"), "make a secret key"),
        (("systemctl", "daemon-reload"), "install mailswitch.service"),
        (("systemctl", "try-restart"), "install mailswitch.service"),
        (("systemctl", "enable"), "enable and start"),
        (("event_handler", "--list-events"), "let the panel call"),
        (("event_handler", "--create", "site_update"), "let the panel call"),
    ],
)
def test_a_step_that_fails_undoes_those_before_it_and_says_why(
    machine: Machine, broken: tuple[str, ...], step: str
) -> None:
    machine.broken = broken

    with pytest.raises(InstallError, match=f"could not {step}.*exit code 1") as caught:
        _install(machine)

    machine.broken = None
    assert set(machine.files()) == {"/etc/group"}
    assert not (machine.root / "etc/mailswitch").exists()
    assert machine.plesk("secret_key", "--list") == machine.plesk("event_handler", "--list") == ""
    assert (machine.enabled, machine.active) == (set(), set())
    assert "undone" in str(caught.value) or "Nothing was changed" in str(caught.value)


def test_a_panel_that_does_not_listen_is_told_and_leaves_no_key(machine: Machine) -> None:
    machine.has_panel = False

    with pytest.raises(InstallError, match=r"no certificate could be read from 127\.0\.0\.1:8443"):
        _install(machine)

    assert _KEY not in machine.files()
    assert machine.plesk("secret_key", "--list") == ""


def test_a_user_that_cannot_be_made_is_told(machine: Machine) -> None:
    machine.broken = ("systemd-sysusers", str(machine.root / "etc/sysusers.d/mailswitch.conf"))

    with pytest.raises(InstallError, match=r"it is broken.*Nothing was changed"):
        _install(machine)

    assert set(machine.files()) == {"/etc/group"}


def test_what_cannot_be_undone_is_left_to_the_administrator_by_name(machine: Machine) -> None:
    machine.broken = ("systemctl",)
    steps = installation(machine.host, _PROGRAM)
    (machine.root / "etc/mailswitch").mkdir()

    def tell(said: str) -> None:
        if "write" in said:  # from here on the panel knows the key no more
            _forget_keys(machine)

    with pytest.raises(InstallError, match=r"left to you: delete the secret key .*described as 'mailswitch'"):
        carry_out(steps, tell)


def _forget_keys(machine: Machine) -> None:
    with machine.panel.connection() as connection:
        connection.execute("DELETE FROM sim_keys")


def test_an_uninstalled_machine_has_nothing_of_it_but_the_user(machine: Machine) -> None:
    _install(machine)

    _uninstall(machine)

    assert set(machine.files()) == {"/etc/group"}
    assert machine.plesk("secret_key", "--list") == machine.plesk("event_handler", "--list") == ""
    assert (machine.enabled, machine.active) == (set(), set())
    assert _uninstall(machine) == []


def test_a_dry_run_of_uninstalling_changes_nothing(machine: Machine) -> None:
    _install(machine)
    files = machine.files()

    said = _uninstall(machine, is_trying=True)

    assert machine.files() == files
    assert len(said) == 6
    assert all(line.startswith("would ") for line in said)


def test_uninstalling_leaves_what_others_put_beside_the_configuration(machine: Machine) -> None:
    _install(machine)
    (machine.root / "etc/mailswitch/web02.key").write_text("x")

    _uninstall(machine)

    assert set(machine.files()) == {"/etc/group", "/etc/mailswitch/web02.key"}


def test_uninstalling_goes_on_behind_a_failure_and_tells_it(machine: Machine) -> None:
    _install(machine)
    machine.broken = ("secret_key", "--delete")

    with pytest.raises(InstallError, match=r"could not delete the secret key.*\n.*uninstall' again"):
        _uninstall(machine)

    assert set(machine.files()) == {"/etc/group"}


def test_handlers_of_others_are_left_alone(machine: Machine) -> None:
    words = ("--create", "-command", "/usr/bin/other", "-priority", "50", "-user", "root", "-event", "site_create")
    machine.plesk("event_handler", *words)
    _install(machine)

    _uninstall(machine)

    assert [line.split()[1] for line in machine.plesk("event_handler", "--list").splitlines() if "Command" in line] == [
        "/usr/bin/other"
    ]


def test_a_program_in_a_home_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="no installed program"):
        program_path(str(tmp_path / "nothing"))


@pytest.mark.parametrize(
    ("name", "mode", "said"),
    [("mail switch", 0o755, "for the characters in it"), ("mailswitch", 0o700, "other users than root cannot read")],
)
def test_a_program_the_service_could_not_call_is_refused(tmp_path: Path, name: str, mode: int, said: str) -> None:
    program = tmp_path / name
    program.touch()
    program.chmod(mode)

    with pytest.raises(InstallError, match=said):
        program_path(str(program))


def test_a_program_that_everybody_can_read_is_taken_as_it_is_called() -> None:
    assert program_path("/usr/bin/env") == Path("/usr/bin/env")


def test_no_switch_is_off_by_us_where_the_ledger_is_empty() -> None:
    from mailswitch.ledger.reader import EmptyLedger

    assert off_by_us(EmptyLedger(), ("web01",)) == ()


# --- a mail log that the service's user may not read ----------------------------------------------


def _log(machine: Machine, mode: int, *, place: str = "var/log/maillog") -> None:
    path = machine.root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    path.chmod(mode)


@pytest.mark.parametrize(("mode", "is_collected"), [(0o600, True), (0o640, True), (0o644, False)])
@pytest.mark.parametrize("place", ["var/log/maillog", "var/log/mail.log"])
def test_a_log_that_is_not_the_services_to_read_is_collected(
    machine: Machine, mode: int, place: str, *, is_collected: bool
) -> None:
    _log(machine, mode, place=place)
    _install(machine)

    (server,) = load(machine.root / _CONFIG[1:]).servers
    assert (server.mail_log.collected is not None) is is_collected
    assert machine.enabled == ({DAEMON, COLLECTOR} if is_collected else {DAEMON})


def test_a_machine_without_a_log_has_no_collector(machine: Machine) -> None:
    _install(machine)

    assert machine.enabled == {DAEMON}


def test_the_daily_report_has_no_collector(machine: Machine) -> None:
    _log(machine, 0o600)
    _install(machine, unit=REPORT)

    assert COLLECTOR not in machine.enabled
    assert "collected" not in machine.files()[_CONFIG][1]


def test_a_configuration_that_is_there_decides_about_the_collector(machine: Machine) -> None:
    _log(machine, 0o600)
    _install(machine)
    config = machine.root / _CONFIG[1:]
    config.write_text(config.read_text().replace("mail_log: collected", "mail_log: 'off'"))
    machine.enabled.discard(COLLECTOR)
    _install(machine)

    assert machine.enabled == {DAEMON}


def test_what_was_collected_is_taken_away_and_what_others_put_there_stays(machine: Machine) -> None:
    _log(machine, 0o600)
    _install(machine)
    folder = machine.root / "var/lib/mailswitch-evidence"
    folder.mkdir(parents=True)
    (folder / "batch-0123456789abcdef-1.json").touch()
    _uninstall(machine)

    assert not folder.exists()
    assert machine.enabled == set()
    folder.mkdir()
    (folder / "notes").touch()
    machine.enabled.add(COLLECTOR)
    _uninstall(machine)
    assert (folder / "notes").exists()
