"""What the hole costs, in every form of a report."""

from __future__ import annotations

import csv
import io
import json
from datetime import date

import pytest

from mailswitch.core.impact import Impact
from mailswitch.core.ledger import Guard
from mailswitch.core.limits import Refusal
from mailswitch.core.reports import DomainOutcome, DomainReport, PassReport
from mailswitch.core.table import Verdict
from mailswitch.report.csv_report import report_csv
from mailswitch.report.impact import ServerImpact, impact_in_words, impact_lines, server_impact
from mailswitch.report.json_report import plan_from_json, report_json
from mailswitch.report.text_report import print_report
from tests.support.builders import a_decision, a_report, a_server, an_entry

SINCE = date(2026, 2, 1)


def costing(
    name: str, recent: int, *, verdict: Verdict = Verdict.TURN_OFF, outcome: DomainOutcome | None = None
) -> DomainReport:
    held = (Guard.UNCONFIRMED,) if verdict is Verdict.HOLD else ()
    impact = Impact(messages=recent + 100, since=SINCE, recent=recent)
    return an_entry(name, decision=a_decision(verdict, holding=held), outcome=outcome, impact=impact)


DUE = [costing(f"due{number}.example", number * 99) for number in range(4)]
HELD = costing("held.example", 15, verdict=Verdict.HOLD)
SENTENCE = "his server mis-delivered 609 messages in 30 days; turning these 4 switches off stops 594 of them"


def text(report: PassReport) -> str:
    page = io.StringIO()
    print_report(report, page, is_terminal=False, width=None)
    return page.getvalue()


def test_the_summary_tells_what_the_server_did_and_what_the_due_switches_stop() -> None:
    report = a_report(a_server(*DUE, HELD, an_entry("unread.example")))

    assert f"\nT{SENTENCE}\n" in text(report)


def test_each_of_several_servers_is_told_by_name() -> None:
    report = a_report(a_server(*DUE, HELD), a_server(costing("a.example", 0), name="web02"))

    assert impact_lines(report) == (f"web01: t{SENTENCE}",)


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([HELD], "This server mis-delivered 15 messages in 30 days"),
        ([costing("a.example", 1)], "turning this switch off stops 1 of them"),
        ([costing("a.example", 7, outcome=DomainOutcome.DONE), HELD], "turning this switch off stops 7 of them"),
        ([costing("a.example", 7, outcome=DomainOutcome.FAILED)], "This server mis-delivered 7 messages in 30 days"),
    ],
)
def test_only_what_the_pass_turns_off_by_itself_is_stopped(entries: list[DomainReport], told: str) -> None:
    (line,) = impact_lines(a_report(a_server(*entries)))

    assert line.endswith(told)


def test_what_a_limit_stops_is_not_stopped() -> None:
    refusal = Refusal(server="web01", code="limits.changes", text="too many")

    found = server_impact(a_server(*DUE, refusal=refusal))

    assert found == ServerImpact(messages=594, stopped=0, switches=0)


def test_a_report_about_some_names_tells_of_these_only() -> None:
    (line,) = impact_lines(a_report(a_server(HELD), is_partial=True))

    assert line == "For these names this server mis-delivered 15 messages in 30 days"


@pytest.mark.parametrize("entry", [an_entry(), costing("a.example", 0)])
def test_nothing_is_said_where_nothing_was_lost(entry: DomainReport) -> None:
    assert impact_lines(a_report(a_server(entry))) == ()


def test_the_json_report_has_it_for_each_name_and_server() -> None:
    document = report_json(a_report(a_server(*DUE, HELD, an_entry("unread.example"))))
    server = json.loads(document)["servers"][0]

    assert server["impact"] == {"last_30_days": 609, "stopped": 594}
    assert {one["name"]: one["impact"] for one in server["domains"]}["held.example"] == {
        "messages": 115,
        "since": "2026-02-01",
        "last_30_days": 15,
    }
    assert {one["name"]: one["impact"] for one in server["domains"]}["unread.example"] is None
    assert plan_from_json(document).digest == json.loads(document)["run"]["plan"]


def test_the_table_has_it_for_each_name() -> None:
    rows = list(csv.DictReader(io.StringIO(report_csv(a_report(a_server(HELD))))))

    found = [rows[0][column] for column in ("misdelivered", "misdelivered_since", "misdelivered_30_days")]
    assert found == ["115", "2026-02-01", "15"]


def test_one_name_is_told_in_words() -> None:
    assert impact_in_words(HELD) == (
        "115 messages from this server to held.example went into the abandoned mailbox since 2026-02-01"
    )
    assert impact_in_words(an_entry()) is None
