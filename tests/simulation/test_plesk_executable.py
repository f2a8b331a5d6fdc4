"""The simulated `plesk` program, run as the process it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mailswitch.core.domain import Kind, Switch
from mailswitch.simulation.misbehaviour import Fault, Misbehaviour
from mailswitch.simulation.plesk_executable import write_executable
from mailswitch.simulation.state import PanelState
from mailswitch.simulation.world import WorldDomain
from tests.support.agent import a_hosted, a_server

INVENTORY = (
    "SELECT d.id, d.name, d.displayName, d.status, d.webspace_id, d.parentDomainId, d.htype, s.status"
    " FROM domains d LEFT JOIN DomainServices s ON s.dom_id = d.id AND s.type = 'mail' ORDER BY d.id;"
    " SELECT id, name, dom_id, status, mail FROM domain_aliases;"
    " SELECT ip_address, public_ip_address FROM IP_Addresses;"
)


class Plesk:
    """The program and the state behind it."""

    def __init__(self, folder: Path, *domains: WorldDomain, version: str = "18.0.61") -> None:
        self.state = PanelState.create(folder / "panel.db", a_server(*domains, version=version))
        self.path = write_executable(folder / "plesk", folder / "panel.db")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.path), *arguments], capture_output=True, encoding="utf-8", timeout=20, check=False
        )


@pytest.fixture
def plesk(tmp_path: Path) -> Plesk:
    return Plesk(
        tmp_path,
        a_hosted("main.example"),
        a_hosted("addon.example", Kind.ADDON, of="main.example", switch=Switch.OFF),
        a_hosted("sub.main.example", Kind.SUBDOMAIN, of="main.example", switch=Switch.NOT_CONFIGURED),
        a_hosted("held.example", status=16),
        a_hosted("alias.example", Kind.ALIAS, of="main.example"),
    )


def test_the_documented_inventory_query_is_answered_in_one_call(plesk: Plesk) -> None:
    printed = plesk.run("db", "-B", "-N", "-e", INVENTORY)

    assert printed.returncode == 0
    assert printed.stdout.splitlines() == [
        "3\tmain.example\tmain.example\t0\t0\t0\tvrt_hst\t0",
        "4\theld.example\theld.example\t16\t0\t0\tvrt_hst\t16",
        "5\taddon.example\taddon.example\t0\t3\t0\tvrt_hst\t64",
        "6\tsub.main.example\tsub.main.example\t0\t3\t3\tvrt_hst\tNULL",
        "1\talias.example\t3\t0\ttrue",
        "10.0.0.5\t203.0.113.10",
        "2001:db8::10\tNULL",
    ]
    assert [(request.kind, request.is_write) for request in plesk.state.requests()] == [("db", False)]


@pytest.mark.parametrize("flags", [["-Ne"], ["-sNe"], ["-BNe"], ["-B", "-N", "-e"]])
def test_every_spelling_of_the_flags_seen_in_the_field_works(plesk: Plesk, flags: list[str]) -> None:
    assert plesk.run("db", *flags, "SELECT 'x'").stdout == "x\n"


def test_tables_can_be_probed_and_the_simulation_s_own_are_not_there(plesk: Plesk) -> None:
    assert plesk.run("db", "-BNe", "SHOW TABLES LIKE 'domain%alias%'").stdout == "domain_aliases\n"
    assert "sim_" not in plesk.run("db", "-BNe", "SHOW TABLES").stdout
    assert plesk.run("db", "-BNe", "SELECT * FROM sim_settings").returncode == 1
    assert plesk.run("db", "-BNe", "SELECT sim_is_on FROM DomainServices").returncode == 1


def test_values_are_escaped_as_the_mysql_client_does(plesk: Plesk) -> None:
    printed = plesk.run("db", "-BNe", "SELECT 'a' || char(9) || 'b' || char(10) || 'c' || char(92), NULL, 'NULL', 'ü'")

    assert printed.stdout == "a\\tb\\nc\\\\\tNULL\tNULL\tü\n"


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE DomainServices SET status = 0",
        "SELECT 1; DELETE FROM domains",
        "WITH x AS (SELECT 1) DELETE FROM domains",
        "DROP TABLE domains",
    ],
)
def test_anything_but_a_select_fails_and_changes_nothing(plesk: Plesk, sql: str) -> None:
    assert plesk.run("db", "-BNe", sql).returncode == 1
    assert plesk.state.switch_of("main.example") is Switch.ON


def test_anything_but_a_select_is_a_violation(plesk: Plesk) -> None:
    plesk.run("db", "-BNe", "UPDATE DomainServices SET status = 0")

    assert "something else than a SELECT" in plesk.state.violations()[0]


@pytest.mark.parametrize(
    ("utility", "name"),
    [
        ("domain", "addon.example"),
        ("site", "addon.example"),
        ("subscription", "main.example"),
        ("site", "held.example"),
    ],
)
def test_the_switch_of_a_domain_is_turned_by_update(plesk: Plesk, utility: str, name: str) -> None:
    printed = plesk.run("bin", utility, "--update", name, "-mail_service", "false")

    assert (printed.returncode, plesk.state.switch_of(name)) == (0, Switch.OFF)
    assert "SUCCESS" in printed.stdout
    assert [(write.name.text, write.to, write.interface) for write in plesk.state.writes()] == [
        (name, Switch.OFF, "bin")
    ]
    assert plesk.state.violations() == ()


def test_the_switch_of_an_alias_is_turned_by_domalias(plesk: Plesk) -> None:
    assert plesk.run("bin", "domalias", "-u", "alias.example", "-mail", "false").returncode == 0
    assert plesk.state.switch_of("alias.example") is Switch.OFF


def test_a_suspended_domain_turned_off_keeps_the_suspension_in_its_status(plesk: Plesk) -> None:
    plesk.run("bin", "domain", "--update", "held.example", "-mail_service", "false")

    sql = "SELECT status FROM DomainServices WHERE dom_id = 4 AND type = 'mail'"
    assert plesk.run("db", "-BNe", sql).stdout == "80\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("domain", "--update", "main.example", "-mail_service", "none"),
        ("domain", "--update", "main.example", "-mail_service", "false", "-status", "disabled"),
        ("domain", "--remove", "main.example"),
        ("mail", "--off", "main.example"),
        ("domain", "--update", "sub.main.example", "-mail_service", "true"),
        ("domalias", "--update", "alias.example", "-web", "false"),
    ],
)
def test_any_other_write_is_refused_and_a_violation(plesk: Plesk, arguments: tuple[str, ...]) -> None:
    assert plesk.run("bin", *arguments).returncode == 1
    assert len(plesk.state.violations()) == 1
    assert plesk.state.writes() == ()


@pytest.mark.parametrize(
    ("utility", "name"), [("subscription", "addon.example"), ("domalias", "main.example"), ("domain", "no.example")]
)
def test_a_name_that_the_utility_does_not_know_fails_without_a_violation(plesk: Plesk, utility: str, name: str) -> None:
    flag = "-mail" if utility == "domalias" else "-mail_service"

    assert plesk.run("bin", utility, "--update", name, flag, "false").returncode == 1
    assert plesk.state.violations() == ()


@pytest.mark.parametrize(
    ("name", "version", "text"),
    [
        ("main.example", "18.0.61", "On"),
        ("addon.example", "18.0.61", "Disabled for incoming mail"),
        ("addon.example", "18.0.40", "Off"),
    ],
)
def test_info_tells_the_switch_at_column_41(tmp_path: Path, name: str, version: str, text: str) -> None:
    addon = a_hosted("addon.example", Kind.ADDON, of="main.example", switch=Switch.OFF)
    plesk = Plesk(tmp_path, a_hosted("main.example"), addon, version=version)

    line = next(line for line in plesk.run("bin", "domain", "-i", name).stdout.splitlines() if "Mail service" in line)

    assert line == "Mail service:".ljust(40) + text


def test_info_of_what_is_not_configured_has_no_mail_section(plesk: Plesk) -> None:
    assert "Mail service" not in plesk.run("bin", "site", "--info", "sub.main.example").stdout


def test_list_names_main_domains_or_all(plesk: Plesk) -> None:
    assert plesk.run("bin", "subscription", "--list").stdout.split() == ["held.example", "main.example"]
    assert len(plesk.run("bin", "site", "-l").stdout.split()) == 4


def test_version_has_the_product_s_line(plesk: Plesk) -> None:
    assert plesk.run("version").stdout.startswith("Product version: Plesk Obsidian 18.0.61\n")


def test_a_reply_that_is_lost_was_applied(plesk: Plesk) -> None:
    plesk.state.misbehave(Misbehaviour(fault=Fault.REPLY_LOST))

    read = plesk.run("bin", "domain", "--list")
    written = plesk.run("bin", "domain", "--update", "main.example", "-mail_service", "false")

    assert read.returncode == 0
    assert (written.returncode, written.stdout) == (137, "")
    assert plesk.state.switch_of("main.example") is Switch.OFF


def test_a_write_may_be_accepted_and_not_applied(plesk: Plesk) -> None:
    plesk.state.misbehave(Misbehaviour(fault=Fault.NOT_APPLIED))

    written = plesk.run("bin", "domain", "--update", "main.example", "-mail_service", "false")

    assert (written.returncode, plesk.state.switch_of("main.example")) == (0, Switch.ON)
    assert [write.is_applied for write in plesk.state.writes()] == [False]


@pytest.mark.parametrize(
    ("fault", "code"),
    [(Fault.LICENCE_EXPIRED, 1), (Fault.ERROR, 1), (Fault.CUT_OFF, 137), (Fault.GARBAGE, 0), (Fault.SLOW, 0)],
)
def test_reads_misbehave_too(plesk: Plesk, fault: Fault, code: int) -> None:
    plesk.state.misbehave(Misbehaviour(fault=fault, on="db", seconds=0.01))

    printed = plesk.run("db", "-BNe", "SELECT name FROM domains ORDER BY id")

    assert printed.returncode == code
    assert (printed.stdout.splitlines()[:1] == ["main.example"]) is (fault in {Fault.SLOW, Fault.CUT_OFF})


def test_a_launcher_works_where_the_kernel_would_not_take_the_interpreter_s_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a folder with spaces"
    folder.mkdir()
    interpreter = folder / "python"
    interpreter.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(interpreter))

    plesk = Plesk(folder, a_hosted("main.example"))

    assert plesk.run("bin", "domain", "--list").stdout == "main.example\n"


def test_the_program_needs_no_environment_and_no_locale(plesk: Plesk) -> None:
    printed = subprocess.run(
        [plesk.path, "db", "-BNe", "SELECT 'ü'"], capture_output=True, env={"LC_ALL": "C"}, timeout=20, check=True
    )

    assert printed.stdout == "ü\n".encode()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("db",), "wants -e"),
        (("db", "SELECT 1"), "does not know"),
        (("db", "-BNe", "SELECT * FROM no_such_table"), "ERROR 1064"),
        (("repair", "mail"), "unknown command"),
        (("bin", "domalias", "--list"), "has no domalias --list"),
        (("bin", "domain", "--info", "no.example"), "Unable to find"),
    ],
)
def test_what_it_does_not_know_fails_without_a_violation(
    plesk: Plesk, arguments: tuple[str, ...], message: str
) -> None:
    printed = plesk.run(*arguments)

    assert (printed.returncode, message in printed.stderr) == (1, True)
    assert plesk.state.violations() == ()


def test_a_header_is_printed_unless_it_is_left_out(plesk: Plesk) -> None:
    assert plesk.run("db", "-B", "-e", "SELECT concat('a', 'b') AS x, to_base64('ü') AS y").stdout == "x\ty\nab\tw7w=\n"


def test_the_switch_of_an_alias_is_in_its_info(plesk: Plesk) -> None:
    assert "Mail:".ljust(40) + "true" in plesk.run("bin", "domalias", "--info", "alias.example").stdout


def test_a_state_that_is_not_there_is_said(tmp_path: Path) -> None:
    path = write_executable(tmp_path / "plesk", tmp_path / "gone.db")

    printed = subprocess.run([str(path), "version"], capture_output=True, text=True, timeout=20, check=False)

    assert printed.returncode == 1
    assert "no state of a simulated panel" in printed.stderr
