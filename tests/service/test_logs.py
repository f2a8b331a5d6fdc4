from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from mailswitch.core.errors import ConfigError, LedgerError
from mailswitch.core.reports import DomainOutcome, PassReport, ServerError
from mailswitch.core.timetable import PassReason
from mailswitch.service.logs import KEYS, LogObserver, open_log
from mailswitch.service.observers import PassContext
from tests.support.builders import a_report, a_server, an_entry

CONTEXT = PassContext(reason=PassReason.SWEEP, servers=("web01",), elapsed=timedelta(seconds=1.5))


def lines(page: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in page.getvalue().splitlines()]


def told(report: PassReport, context: PassContext = CONTEXT) -> list[dict[str, Any]]:
    page = io.StringIO()
    LogObserver(open_log(page, is_terminal=False)).pass_done(report, context)
    return lines(page)


def test_a_pass_is_one_line_with_what_it_came_to() -> None:
    (line,) = told(a_report(a_server(an_entry())))

    assert line["event"] == "pass_finished"
    assert (line["cause"], line["elapsed_seconds"], line["dry_run"], line["turn_off"]) == ("sweep", 1.5, True, 1)
    assert set(line) <= KEYS | {"event", "level", "timestamp"}


def test_each_change_is_a_line_and_refused_ones_are_one_for_each_ground() -> None:
    done = an_entry("a.example", outcome=DomainOutcome.DONE)
    failed = an_entry("b.example", outcome=DomainOutcome.FAILED, error="the panel said no")
    refused = [an_entry(f"c{at}.example", outcome=DomainOutcome.REFUSED, error="too many") for at in range(30)]

    found = told(a_report(a_server(done, failed, *refused), is_dry_run=False))

    events = [(line["event"], line.get("domain"), line["level"]) for line in found]
    assert events == [
        ("switch_turned", "a.example", "info"),
        ("change_failed", "b.example", "error"),
        ("changes_refused", None, "warning"),
        ("pass_finished", None, "info"),
    ]
    assert (found[1]["reason"], found[2]["refused"]) == ("the panel said no", 30)


def test_a_server_s_trouble_is_a_line_only_while_it_is_new() -> None:
    failing = a_report(a_server(error=ServerError(code="unreachable", text="nobody there")))

    new = told(failing, replace(CONTEXT, newly_failing=("web01",)))
    old = told(failing)
    over = told(a_report(a_server()), replace(CONTEXT, recovered=("web01",)))

    assert [line["event"] for line in new] == ["server_failed", "pass_finished"]
    assert (new[0]["cause"], new[0]["reason"]) == ("unreachable", "nobody there")
    assert [line["event"] for line in old] == ["pass_finished"]
    assert [line["event"] for line in over] == ["server_recovered", "pass_finished"]


def test_a_pass_that_could_not_be_made_tells_every_problem() -> None:
    page = io.StringIO()
    observer = LogObserver(open_log(page, is_terminal=False))

    observer.pass_failed(LedgerError("cannot open"), CONTEXT)
    observer.pass_failed(ConfigError(("one", "two")), CONTEXT)
    observer.close()

    assert [line["reason"] for line in lines(page)] == ["cannot open", "one", "two"]


def test_hostile_values_are_cleaned_and_cut() -> None:
    page = io.StringIO()

    open_log(page, is_terminal=False).info(
        "pass_failed", reason="\x1b[2J" + "x" * 5000, servers=["\u202eweb"] * 50, seconds=1.5, server=None
    )

    (line,) = lines(page)
    assert line["reason"].startswith("\\x1b[2Jxxx")
    assert len(line["reason"]) < 700
    assert len(line["servers"]) == 21
    assert line["servers"][0] == "\\u202eweb"
    assert line["servers"][-1] == "and 30 more"
    assert (line["seconds"], line["server"]) == (1.5, None)


def test_on_a_terminal_lines_are_for_people() -> None:
    page = io.StringIO()

    open_log(page, is_terminal=True).info("daemon_started", reason="\x1b]0;title\x07")

    text = page.getvalue()
    assert "daemon_started" in text
    assert "\x1b]0" not in text
    assert not text.startswith("{")
