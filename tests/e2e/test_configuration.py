"""Configurations that are wrong, TLS that is wrong, and ``doctor``: told before, or instead of, doing anything."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mailswitch.simulation.misbehaviour import Fault, Misbehaviour
from tests.support.worlds import Play, Staged, a_world, as_process

MOVED = "moved0.example"
CONTACTING = ("report", "once", "explain", "status", "history", "doctor", "revert", "approve", "pause", "resume")


@pytest.fixture
def play(staged: Staged) -> Play:
    return staged(a_world())


def arguments_of(command: str) -> list[str]:
    """Return a call of the command that would do something, were the configuration right."""
    needed = {"explain": [MOVED], "revert": ["--all"], "approve": [MOVED], "once": ["--apply"]}
    return [command, *needed.get(command, [])]


# ---- the file


@pytest.mark.parametrize("command", CONTACTING)
def test_every_problem_is_told_before_anything_is_contacted(play: Play, command: str) -> None:
    play.edit_config("mode: report", "mdoe: report\nschedule: {interval: 5}\nlimits: {changes: many}")

    complaint = play.complains(2, *arguments_of(command))

    lines = complaint.splitlines()
    assert len(lines) == 3
    assert all(f"{play.config_path}:" in line for line in lines)
    assert "did you mean 'mode'?" in complaint
    assert "schedule.interval" in complaint
    assert "limits.changes" in complaint
    assert play.asked() == 0
    assert not (play.stage.directory / "ledger.db").exists()


def test_each_problem_has_its_own_line_number(play: Play) -> None:
    text = play.config_path.read_text(encoding="utf-8").splitlines()
    play.edit_config("tries: 2", "trise: 2")
    line = next(number for number, words in enumerate(text, start=1) if "tries: 2" in words)

    assert f"{play.config_path}:{line}: dns.trise" in play.complains(2, "report")


def test_a_resolver_that_is_no_address_is_told(play: Play) -> None:
    play.edit_config(
        "name: a\n    operator: a\n    address: ", "name: a\n    operator: a\n    address: resolver.example #"
    )

    assert "dns.vantages[0].address" in play.complains(2, "report")
    assert play.asked() == 0


@pytest.mark.parametrize("route", ["here", "backup-here", "implicit-here", "unknown"])
def test_routes_that_may_lead_here_can_never_be_turned_off(play: Play, route: str) -> None:
    play.edit_config("mode: report", f"mode: report\npolicy: {{routes: {{{route}: turn-off}}}}")

    assert route in play.complains(2, "once", "--apply")
    assert play.asked() == 0


def test_a_secret_file_open_to_everybody_is_told(play: Play) -> None:
    (play.stage.directory / "keys" / "web01.key").chmod(0o644)

    complaint = play.complains(2, "report")

    assert "secret_key_file" in complaint
    assert "is open to every user (mode 0644)" in complaint
    assert play.asked() == 0


def test_a_secret_file_that_is_not_there_is_told(play: Play) -> None:
    (play.stage.directory / "keys" / "web01.key").unlink()

    complaint = play.complains(2, "report")

    assert "secret_key_file" in complaint
    assert play.asked() == 0


def test_a_missing_configuration_says_what_to_do(tmp_path: Path) -> None:
    done = as_process("--config", str(tmp_path / "none.yaml"), "report")

    assert done.returncode == 2
    assert str(tmp_path / "none.yaml") in done.stderr


def test_check_says_of_a_right_file_that_it_is_right(play: Play) -> None:
    assert "no problems (1 server, 3 vantages of 3 operators, mode report)" in play.ok("config", "check")
    assert play.asked() == 0


def test_show_masks_every_secret(play: Play) -> None:
    key = (play.stage.directory / "keys" / "web01.key").read_text(encoding="ascii").strip()

    assert key not in play.ok("config", "show") + play.ok("config", "show", "--format", "json")


def test_the_sample_passes_its_own_check(play: Play, tmp_path: Path) -> None:
    path = tmp_path / "sample.yaml"
    path.write_text(play.ok("config", "init"), encoding="utf-8")

    done = as_process("--config", str(path), "config", "check")

    assert (done.returncode, done.stderr) == (0, "")


# ---- TLS


def pinned(play: Play) -> str:
    """Return the fingerprint of the one server's certificate."""
    configuration = yaml.safe_load(play.config_path.read_text(encoding="utf-8"))
    return str(configuration["servers"][0]["tls"]["fingerprint_sha256"])


def with_tls(play: Play, tls: dict[str, object]) -> None:
    """Rewrite the one server's TLS settings."""
    configuration = yaml.safe_load(play.config_path.read_text(encoding="utf-8"))
    configuration["servers"][0]["tls"] = tls
    play.config_path.write_text(yaml.safe_dump(configuration), encoding="utf-8")


def test_a_wrong_pin_is_refused_with_the_fingerprint_presented_and_no_key_sent(play: Play) -> None:
    (right,) = [
        server["tls"]["fingerprint_sha256"] for server in yaml.safe_load(play.config_path.read_text())["servers"]
    ]
    with_tls(play, {"fingerprint_sha256": "ab" * 32})

    code, out, _ = play.run("report")

    assert code == 1
    assert right.replace(":", "").lower() in out.replace(":", "").lower()
    assert play.asked() == 0


def test_a_self_signed_certificate_nobody_pinned_is_refused_and_no_key_sent(play: Play) -> None:
    with_tls(play, {})

    code, out, _ = play.run("report")

    assert code == 1
    assert "fingerprint" in out
    assert play.asked() == 0


def test_one_of_several_pins_is_enough(play: Play) -> None:
    (right,) = [
        server["tls"]["fingerprint_sha256"] for server in yaml.safe_load(play.config_path.read_text())["servers"]
    ]
    with_tls(play, {"fingerprint_sha256": ["ab" * 32, right]})

    play.ok("report")


def test_verification_that_is_turned_off_is_loud(play: Play) -> None:
    with_tls(play, {"verify": False})

    play.ok("report")
    _, _, err = play.run("config", "check")

    assert "caution: servers[0].tls.verify" in err
    assert "servers[0].tls.verify: the certificate of 'web01' is not checked" in " ".join(play.ok("doctor").split())


def test_the_environment_s_proxies_are_not_used(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    play.ok("report")


# ---- doctor


def test_doctor_finds_nothing_to_put_right(play: Play) -> None:
    out = play.ok("doctor")

    assert out.endswith("nothing to put right\n")
    assert "Plesk 18.0.61 on linux answers through xml-api: 9 names" in out
    assert not any(request.is_write for request in play.stage.panel("web01").requests())
    assert not (play.stage.directory / "ledger.db").exists()


def test_doctor_names_a_dead_vantage(play: Play) -> None:
    play.stage.vantage("b").close()

    code, out, _ = play.run("doctor")

    assert code == 1
    assert [line.split()[:3] for line in out.splitlines() if line.startswith("problem")] == [
        ["problem", "vantage", "b"]
    ]


def test_doctor_tells_a_wrong_pin(play: Play) -> None:
    with_tls(play, {"fingerprint_sha256": "ab" * 32})

    code, out, _ = play.run("doctor")

    assert code == 1
    assert "fingerprint" in out


def test_doctor_tells_a_wrong_key_and_checks_the_rest_all_the_same(play: Play) -> None:
    play.stage.panel("web01").misbehave(Misbehaviour(fault=Fault.WRONG_KEY), times=None)

    code, out, _ = play.run("doctor")

    assert code == 1
    assert "problem  server web01" in out
    assert "ok       vantage a" in out


def test_doctor_looks_at_one_server_if_told_so(demo: Play) -> None:
    out = demo.run("doctor", "--server", "web02")[1]

    assert "server web02" in out
    assert "server web01" not in out


def test_doctor_comes_as_a_document_too(play: Play) -> None:
    assert play.json("doctor")["schema"] == "mailswitch/doctor/1"
