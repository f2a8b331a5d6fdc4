"""``report``: the dry run, in every format, against the built-in world and some of its own."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import stat
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from mailswitch.report.csv_report import COLUMNS
from mailswitch.simulation.misbehaviour import Fault, Misbehaviour
from tests.support.html_pages import html_page
from tests.support.worlds import Play, Staged, a_world, as_process

HOSTILE_TWIN = """\
servers:
  - {name: web01, addresses: [203.0.113.10], domains: [{name: here.example}, {name: both.example}]}
  - {name: web02, addresses: [203.0.113.20], domains: [{name: there.example}, {name: both.example}]}
dns: |
  here.example. 60 IN MX 1 mail.example.
  both.example. 60 IN MX 1 mail.example.
  there.example. 60 IN MX 1 mail2.example.
  mail.example. 60 IN A 203.0.113.10
  mail2.example. 60 IN A 203.0.113.20
"""


# ---- it only looks


@pytest.mark.parametrize("form", ["text", "json", "csv", "html"])
def test_report_writes_to_no_panel(demo: Play, form: str) -> None:
    demo.ok("report", "--format", form)

    for name, panel in demo.stage.panels.items():
        assert panel.requests(), name
        assert [request.operations for request in panel.requests() if request.is_write] == [], name
        assert panel.violations() == (), name


def test_report_records_nothing_and_leaves_no_file(staged: Staged) -> None:
    play = staged(a_world())
    before = sorted(play.stage.directory.iterdir())

    play.ok("report")

    assert sorted(play.stage.directory.iterdir()) == before
    assert not (play.stage.directory / "ledger.db").exists()


def test_report_leaves_an_existing_ledger_as_it_is(staged: Staged) -> None:
    play = staged(a_world())
    play.ok("once")
    ledger = play.stage.directory / "ledger.db"
    before = ledger.read_bytes(), sorted(path.name for path in play.stage.directory.iterdir())

    first = play.json("report")
    second = play.json("report")

    assert (ledger.read_bytes(), sorted(path.name for path in play.stage.directory.iterdir())) == before
    assert first["run"]["plan"] == second["run"]["plan"]
    assert play.json("history")["changes"] == []


# ---- the JSON document


def _shape(value: Any) -> Any:
    """Return the keys of a document, lists by the shape of all their entries."""
    if isinstance(value, dict):
        return {key: _shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(_shape(inner), sort_keys=True) for inner in value})
    return None


def test_the_json_report_has_exactly_the_documented_keys(demo: Play) -> None:
    document = demo.json("report")

    assert list(document) == ["schema", "run", "servers", "alerts", "summary"]
    assert document["schema"] == "mailswitch/report/1"
    assert list(document["run"]) == ["id", "mode", "dry_run", "started", "finished", "plan"]
    assert _shape(document["alerts"]) == ['{"code": null, "name": null, "server": null, "text": null}']
    assert list(document["summary"]) == [
        "domains", "keep", "hold", "turn_off", "turn_on", "on_review", "done", "failed",
    ]  # fmt: skip
    for server in document["servers"]:
        assert list(server) == ["name", "panel", "addresses", "error", "impact", "domains"]
        assert list(server["panel"]) == ["kind", "version"]
        for entry in server["domains"]:
            assert list(entry) == [
                "name", "display_name", "kind", "parent", "switch", "route", "provider", "mx", "decision", "on_review",
                "vantages", "reasons", "outcome", "error", "impact",
            ]  # fmt: skip
            assert all(list(one) == ["preference", "exchange", "addresses"] for one in entry["mx"])
            assert entry["reasons"]
            assert all(list(one) == ["code", "text"] for one in entry["reasons"])


def test_the_json_report_uses_the_documented_words(demo: Play) -> None:
    document = demo.json("report")
    entries = [entry for server in document["servers"] for entry in server["domains"]]

    assert document["run"]["mode"] == "report"
    assert document["run"]["dry_run"] is True
    assert {entry["kind"] for entry in entries} == {"domain", "addon", "subdomain", "alias"}
    assert {entry["switch"] for entry in entries} == {"on", "off", "not-configured"}
    assert {entry["decision"] for entry in entries} == {"keep", "hold", "turn-off"}
    assert {entry["outcome"] for entry in entries} == {None}
    assert {server["panel"]["kind"] for server in document["servers"]} == {"xml-api", "local"}


def test_the_summary_counts_what_is_listed(demo: Play) -> None:
    document = demo.json("report")
    entries = [entry for server in document["servers"] for entry in server["domains"]]
    decisions = [entry["decision"] for entry in entries]

    assert document["summary"] == {
        "domains": len(entries),
        "keep": decisions.count("keep"),
        "hold": decisions.count("hold"),
        "turn_off": decisions.count("turn-off"),
        "turn_on": 0,
        "on_review": sum(entry["on_review"] for entry in entries),
        "done": 0,
        "failed": 0,
    }


def test_a_server_that_fails_is_in_the_document_with_its_error(staged: Staged) -> None:
    play = staged(HOSTILE_TWIN)
    play.stage.xml_api("web02").close()

    document = play.json("report", code=1)

    assert [server["error"] is None for server in document["servers"]] == [True, False]
    assert list(document["servers"][1]["error"]) == ["code", "text"]
    assert document["servers"][1]["error"]["code"] == "unreachable"
    assert [entry["name"] for entry in document["servers"][0]["domains"]] == ["both.example", "here.example"]


# ---- parts


def test_only_the_domains_named_are_reported(demo: Play) -> None:
    document = demo.json("report", "moved.example", "cotenant.example")

    assert set(demo.names(document)) == {"moved.example", "cotenant.example"}
    assert document["summary"]["domains"] == 2
    assert {alert["name"] for alert in document["alerts"]} <= {None, "moved.example", "cotenant.example"}


@pytest.mark.parametrize(
    "typed", ["bücher.example", "BÜCHER.example", "xn--bcher-kva.example", "Xn--Bcher-Kva.Example."]
)
def test_an_international_name_is_found_however_it_is_typed(demo: Play, typed: str) -> None:
    (entry,) = demo.names(demo.json("report", typed)).values()

    assert (entry["name"], entry["display_name"]) == ("xn--bcher-kva.example", "bücher.example")


def test_text_shows_the_u_label_with_the_a_label(demo: Play) -> None:
    assert "bücher.example (xn--bcher-kva.example)" in demo.ok("report", "bücher.example")


def test_a_domain_nobody_hosts_is_a_usage_error_that_names_it(demo: Play) -> None:
    complaint = demo.complains(2, "report", "moved.example", "nobody.example")

    assert "nobody.example is not hosted on any server that was asked (web01, web02, web03)" in complaint
    assert "moved.example is not hosted" not in complaint


def test_a_text_that_is_no_name_is_told_before_anything_is_asked(staged: Staged) -> None:
    play = staged(a_world())

    complaint = play.complains(2, "report", "no..name", "\x1b[2J..example", "moved0.example")

    assert len(complaint.splitlines()) == 2
    assert "\x1b" not in complaint
    assert play.asked() == 0


def test_a_part_is_no_plan_to_apply(demo: Play) -> None:
    assert "No plan to apply from this" in demo.ok("report", "moved.example")


def test_only_the_named_server_is_asked(staged: Staged) -> None:
    play = staged(HOSTILE_TWIN)

    document = play.json("report", "--server", "web02")

    assert [server["name"] for server in document["servers"]] == ["web02"]
    assert play.stage.panel("web01").requests() == ()


def test_an_unknown_server_is_a_usage_error_that_names_the_known_ones(demo: Play) -> None:
    complaint = demo.complains(2, "report", "--server", "web09")

    assert "web09" in complaint
    assert "web01" in complaint


def test_a_name_on_two_servers_is_reported_for_both(staged: Staged) -> None:
    document = staged(HOSTILE_TWIN).json("report", "both.example")

    routes = {server["name"]: server["domains"][0]["route"] for server in document["servers"]}
    assert routes == {"web01": "here", "web02": "elsewhere"}


# ---- files


def test_output_writes_a_file_for_its_owner_alone(demo: Play, tmp_path: Path) -> None:
    path = tmp_path / "report.json"

    assert demo.ok("report", "--format", "json", "--output", str(path)) == ""

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text(encoding="utf-8"))["schema"] == "mailswitch/report/1"
    assert list(tmp_path.iterdir()) == [path]


def test_output_replaces_an_older_file_as_a_whole(demo: Play, tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    path.write_text("old", encoding="utf-8")
    before = path.stat().st_ino

    demo.ok("report", "--format", "csv", "--output", str(path))

    assert path.stat().st_ino != before
    assert "old\r\n" not in path.read_text(encoding="utf-8")


def test_output_does_not_write_through_a_symbolic_link(demo: Play, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious", encoding="utf-8")
    link = tmp_path / "report.txt"
    link.symlink_to(precious)

    demo.run("report", "--output", str(link))

    assert precious.read_text(encoding="utf-8") == "precious"


# Never name a device itself here: were the program wrong, the test would replace it for the whole machine.
@pytest.mark.parametrize("target", ["/dev/null", "/proc/self/fd/1"])
def test_output_leaves_a_link_to_what_is_no_plain_file_alone(demo: Play, tmp_path: Path, target: str) -> None:
    link = tmp_path / "report.txt"
    link.symlink_to(target)

    assert "no plain file" in demo.complains(2, "report", "--output", str(link))
    assert str(link.readlink()) == target


def test_output_leaves_a_pipe_alone(demo: Play, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    assert "no plain file" in demo.complains(2, "report", "--output", str(path))
    assert path.is_fifo()
    assert list(tmp_path.iterdir()) == [path]


def test_output_to_a_place_that_is_not_there_is_a_usage_error(demo: Play, tmp_path: Path) -> None:
    complaint = demo.complains(2, "report", "--output", str(tmp_path / "none" / "report.txt"))

    assert "cannot be written" in complaint
    assert "No such file or directory" in complaint


def test_text_in_a_file_is_plain(demo: Play, tmp_path: Path) -> None:
    path = tmp_path / "report.txt"

    demo.ok("report", "--output", str(path))

    assert path.read_text(encoding="utf-8").startswith("Dry run of web01, web02, web03")


# ---- exit codes and formats


def test_pending_changes_end_in_4_only_when_that_is_asked_for(staged: Staged) -> None:
    play = staged(a_world(moved=1))

    assert play.run("report")[0] == 0
    assert play.run("report", "--exit-code")[0] == 4
    assert play.run("report", "--exit-code", "here0.example")[0] == 0


def test_nothing_pending_ends_in_0_with_exit_code(staged: Staged) -> None:
    assert staged(a_world(moved=0, unknown=1)).run("report", "--exit-code")[0] == 0


def test_a_failed_server_comes_before_pending_changes(staged: Staged) -> None:
    play = staged(HOSTILE_TWIN.replace("here.example. 60 IN MX 1 mail.example.", "here.example. 60 IN A 203.0.113.10"))
    play.stage.panel("web02").misbehave(Misbehaviour(fault=Fault.WRONG_KEY), times=None)

    assert play.run("report", "--exit-code")[0] == 1


def test_a_switch_that_is_due_to_be_turned_on_is_pending(staged: Staged) -> None:
    play = staged(a_world(moved=1))
    play.ok("once", "--apply")
    play.stage.change_dns("moved0.example. 60 IN MX 1 mail.web01.example.\n")

    code, out, _ = play.run("report", "--exit-code")

    assert code == 4
    assert "Due to be turned on again: 1" in out


def test_csv_has_a_row_for_each_name(demo: Play) -> None:
    rows = list(csv.reader(io.StringIO(demo.ok("report", "--format", "csv"))))
    listed = demo.json("report")

    assert tuple(rows[0]) == COLUMNS
    named = [(row[0], row[1]) for row in rows[1:] if row[1]]
    assert len(named) == len(rows) - 1
    assert len(named) == listed["summary"]["domains"]


def _unclocked(text: str) -> str:
    """Return a text on one line with all that changes from one look to the next left out: amounts and spans of time."""
    spans = r"\d+ (?:d|h|min|s)( \d+ (?:d|h|min|s))?\b"
    return re.sub(r"\d+", "0", re.sub(spans, "a while", " ".join(text.split())))


def test_html_tells_what_the_text_tells_in_the_same_words(demo: Play) -> None:
    text = demo.ok("report", "--verbose")
    page = html_page(demo.ok("report", "--format", "html"))

    told = {cell for line in text.splitlines() for cell in re.split(r" {2,}", line.strip())}
    shown = _unclocked(page.words)
    assert len(told) > 100
    assert {cell for cell in told if _unclocked(cell.removeprefix("switch ")) not in shown} == set()


def test_html_has_a_row_for_each_name(demo: Play) -> None:
    page = html_page(demo.ok("report", "--format", "html"))
    entries = demo.names(demo.json("report")).values()

    rows = [row for row in page.rows if len(row) == 5 and row[0] != "Name"]
    assert sorted(re.sub(r".* \((.+)\)", r"\1", row[0]) for row in rows) == sorted(one["name"] for one in entries)


def test_html_is_written_to_a_file_as_it_is_shown(demo: Play, tmp_path: Path) -> None:
    path = tmp_path / "report.html"

    demo.ok("report", "--format", "html", "--output", str(path))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert html_page(path.read_text(encoding="ascii")).headings[0] == "Dry run of web01, web02, web03"


@pytest.mark.parametrize(("form", "is_needed"), [("json", False), ("text", False), ("html", True)])
def test_jinja_is_imported_for_html_only(demo: Play, form: str, is_needed: bool) -> None:
    done = as_process(
        "--config", str(demo.config_path), "report", "--format", form, environment={"PYTHONPROFILEIMPORTTIME": "1"}
    )

    assert done.returncode == 0
    assert ("jinja2" in done.stderr) is is_needed


def test_text_ends_with_the_plan_and_the_command_that_applies_it(demo: Play) -> None:
    plan = demo.json("report")["run"]["plan"]

    last = demo.ok("report").rstrip().splitlines()[-1]

    assert last.startswith(f"Plan {plan}: 7 now, 5 more if you review them")
    assert last.endswith(f"mailswitch once --apply --plan {plan}")


def test_verbose_lists_also_what_is_simply_kept(demo: Play) -> None:
    assert "bakery.example" not in demo.ok("report")
    assert "bakery.example" in demo.ok("report", "--verbose")


@pytest.mark.parametrize("form", ["text", "json", "csv", "html"])
def test_hostile_names_reach_nobody_raw(demo: Play, form: str) -> None:
    """The built-in world has an escape sequence in an exchange, a bidirectional mark and a script in a display name."""
    shown = demo.ok("report", "--verbose", "--format", form)

    raw = {character for character in shown if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    assert raw <= {"\n", "\r"}
    assert "hostile-exchange.example" in shown
    assert "[2jowned" in shown


def test_no_cell_of_the_csv_is_a_formula(demo: Play) -> None:
    cells = [cell for row in csv.reader(io.StringIO(demo.ok("report", "--format", "csv"))) for cell in row]

    assert "'=1+1.example" in cells
    assert [cell for cell in cells if cell[:1] in {"=", "+", "-", "@", "\t", "\r"}] == []
