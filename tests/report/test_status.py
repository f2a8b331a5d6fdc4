"""The status is healthy only when everything that has to run runs."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from mailswitch.core.ledger import Run
from mailswitch.core.policy import Mode
from mailswitch.core.reports import ServerError
from mailswitch.report.status import ServerStatus, Status, print_status, status_json
from tests.support.builders import NOW, a_pause

SERVER = ServerStatus(
    server="web01",
    last_pass=NOW - timedelta(minutes=3),
    age=timedelta(minutes=3),
    counts=(("domains", 33), ("keep", 27), ("hold", 5), ("turn_off", 0), ("failed", 1)),
)
RUN = Run(
    id="r1",
    mode=Mode.ENFORCE,
    by="daemon",
    started=NOW - timedelta(minutes=4),
    finished=NOW - timedelta(minutes=3),
    plan="0123456789abcdef",
    changes_done=2,
)
WELL = Status(now=NOW, mode=Mode.ENFORCE, servers=(SERVER,), last_run=RUN, next_pass=NOW + timedelta(minutes=57))
NEVER = replace(SERVER, last_pass=None, age=None)
LIMITED = replace(SERVER, error=ServerError(code="limits.changes", text="40 are too many"))
FAILING = replace(SERVER, error=ServerError(code="unreachable", text="no answer"))


def shown(status: Status) -> str:
    stream = io.StringIO()
    print_status(status, stream, is_terminal=False, width=None)
    return stream.getvalue()


def test_a_status_without_trouble_is_healthy() -> None:
    assert WELL.is_healthy
    assert shown(WELL) == (
        "healthy, mode enforce, last pass 2026-03-01 11:56 UTC, 4 min ago (2 done, 0 failed; run r1)\n"
        "  web01  ok  3 min ago  33 names, 27 kept, 5 held, 1 failed\n"
        "Next pass: 2026-03-01 12:57 UTC\n"
    )


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (replace(WELL, last_run=None), "It never ran"),
        (replace(WELL, last_run=replace(RUN, changes_failed=1)), "1 change failed in the last pass"),
        (replace(WELL, servers=(SERVER, replace(SERVER, is_stale=True))), "stale"),
        (replace(WELL, servers=(NEVER,)), "never looked at"),
        (replace(WELL, servers=(FAILING,)), "unreachable: no answer"),
        (replace(WELL, refused_mail=("a.example", "b.example")), "Mail is refused for 2 names .* a.example, b.example"),
        (replace(WELL, problems=("the ledger is full",)), "the ledger is full"),
        (replace(WELL, paused=a_pause()), "Paused by alice since 2026-03-01 11:00 UTC: migration of web01"),
        (replace(WELL, paused=a_pause(reason=None)), "Paused by alice since 2026-03-01 11:00 UTC; mailswitch resume"),
        (replace(WELL, servers=(LIMITED,)), r"web01 +refused by a limit +3 min ago +limits.changes: 40 are too many"),
    ],
    ids=[
        "never ran",
        "failed change",
        "stale",
        "server never seen",
        "server failing",
        "refused mail",
        "problem",
        "paused",
        "paused without a reason",
        "refused by a limit",
    ],
)
def test_each_trouble_makes_it_unhealthy_and_is_told(status: Status, words: str) -> None:
    assert not status.is_healthy
    assert shown(status).startswith("NOT HEALTHY")
    assert re.search(words, shown(status))
    assert json.loads(status_json(status))["healthy"] is False


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (replace(WELL, unsettled=2), "2 changes without a known outcome"),
        (replace(WELL, warnings=("mode report watches nothing",)), "mode report watches nothing"),
        (replace(WELL, last_run=replace(RUN, finished=None)), r"\(not finished; run r1\)"),
    ],
)
def test_what_only_needs_telling_keeps_it_healthy(status: Status, words: str) -> None:
    assert status.is_healthy
    assert re.search(words, shown(status))


def test_the_document_has_every_key() -> None:
    status = replace(WELL, paused=a_pause(), servers=(SERVER, FAILING, NEVER))

    document = json.loads(status_json(status))

    assert document["last_run"] == {
        "id": "r1",
        "mode": "enforce",
        "by": "daemon",
        "started": "2026-03-01T11:56:00Z",
        "finished": "2026-03-01T11:57:00Z",
        "plan": "0123456789abcdef",
        "done": 2,
        "failed": 0,
    }
    assert [server["age_seconds"] for server in document["servers"]] == [180, 180, None]
    assert document["servers"][1]["error"] == {"code": "unreachable", "text": "no answer"}
    assert document["servers"][0]["counts"]["keep"] == 27
    assert document["next_pass"] == "2026-03-01T12:57:00Z"
    assert set(document) == {
        "schema", "healthy", "now", "mode", "paused", "last_run", "next_pass", "unsettled", "refused_mail", "problems",
        "warnings", "servers",
    }  # fmt: skip


def test_a_status_before_the_first_run_has_no_last_run() -> None:
    assert json.loads(status_json(replace(WELL, last_run=None, servers=())))["last_run"] is None


def test_without_a_daemon_no_next_pass_is_promised() -> None:
    assert "Next pass" not in shown(replace(WELL, next_pass=None))


def test_hostile_error_texts_are_written_out() -> None:
    error = ServerError(code="refused", text="\x1b[2J\u202e[red]")

    assert r"\x1b[2J\u202e[red]" in shown(replace(WELL, servers=(replace(SERVER, error=error),)))
