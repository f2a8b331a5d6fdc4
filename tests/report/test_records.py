"""Changes, pins and approvals are shown with who, when, why and what came of it."""

from __future__ import annotations

import io
import json
import re
from datetime import timedelta

import pytest

from mailswitch.core.domain import Switch
from mailswitch.core.ledger import Actor, Guard, Outcome
from mailswitch.report.records import (
    approvals_json,
    changes_json,
    pause_fields,
    pins_json,
    print_approvals,
    print_changes,
    print_pins,
)
from tests.support.builders import NOW, a_change, a_pause, a_pin, an_approval


def test_a_change_has_every_key_in_json() -> None:
    change = a_change(evidence='{"opinions": [{"vantage": "a"}]}', reverts=3)

    assert json.loads(changes_json([change])) == {
        "schema": "mailswitch/changes/1",
        "rescues": [],
        "changes": [
            {
                "id": 12,
                "run": "20260301T120000Z-1",
                "server": "web01",
                "name": "moved.example",
                "kind": "domain",
                "from": "on",
                "to": "off",
                "actor": "mailswitch",
                "by": "daemon",
                "reason": "MX aspmx.l.google.com, Google Workspace / Gmail",
                "route": "elsewhere",
                "exchanges": ["aspmx.l.google.com"],
                "evidence": {"opinions": [{"vantage": "a"}]},
                "reviewed": False,
                "never_local": False,
                "reverts": 3,
                "intended": "2026-03-01T12:00:00Z",
                "finished": "2026-03-01T12:00:01Z",
                "outcome": "done",
                "error": None,
            }
        ],
    }


def test_an_intent_without_an_outcome_is_unsettled() -> None:
    change = a_change(id=None, run_id=None, outcome=None, finished_at=None, route=None)

    fields = json.loads(changes_json([change]))["changes"][0]

    assert (fields["outcome"], fields["finished"], fields["route"], fields["id"]) == ("unsettled", None, None, None)


@pytest.mark.parametrize("damaged", ["", "{", '{"a": 1e999}', '{"a": NaN}', "[" * 5000 + "]" * 5000])
def test_damaged_evidence_is_shown_as_the_text_it_is(damaged: str) -> None:
    assert json.loads(changes_json([a_change(evidence=damaged)]))["changes"][0]["evidence"] == damaged


def test_changes_for_people_are_one_row_each() -> None:
    stream = io.StringIO()
    by_hand = a_change(
        "xn--bcher-kva.example",
        id=13,
        run_id=None,
        switch_from=Switch.OFF,
        switch_to=Switch.ON,
        actor=Actor.PERSON,
        by="alice",
        reason="customer called",
        outcome=Outcome.FAILED,
        error="the panel said \x1b[31mno",
        reverts=12,
        is_reviewed=True,
    )

    print_changes(
        [by_hand, a_change(outcome=None)],
        stream,
        is_terminal=False,
        width=None,
        display=lambda name: name.text.replace("xn--bcher-kva", "bücher"),
    )

    first, second = stream.getvalue().splitlines()
    assert re.fullmatch(
        r"#13 +2026-03-01 12:00 UTC +web01 +bücher\.example +off -> on +failed +by alice +"
        r"customer called; reverts change 12; reviewed; error: the panel said \\x1b\[31mno",
        first,
    )
    assert re.search(r"on -> off +unsettled +by daemon .*run 20260301T120000Z-1$", second)


def test_pins_say_until_when_and_whether_they_are_over() -> None:
    pins = [a_pin(), a_pin("*.example.jp", until=NOW + timedelta(days=1)), a_pin("old.example", until=NOW)]
    stream = io.StringIO()

    print_pins(pins, stream, is_terminal=False, width=None, now=NOW)

    lines = stream.getvalue().splitlines()
    assert re.search(r"moved\.example +by alice +2026-02-28 12:00 UTC +until unpinned +the customer asked", lines[0])
    assert "*.example.jp" in lines[1]
    assert "until 2026-03-02 12:00 UTC" in lines[1]
    assert "expired 2026-03-01 12:00 UTC" in lines[2]
    assert [pin["expired"] for pin in json.loads(pins_json(pins, now=NOW))["pins"]] == [False, False, True]


def test_a_pin_has_every_key_in_json() -> None:
    assert json.loads(pins_json([a_pin()], now=NOW)) == {
        "schema": "mailswitch/pins/1",
        "pins": [
            {
                "pattern": "moved.example",
                "reason": "the customer asked",
                "by": "alice",
                "at": "2026-02-28T12:00:00Z",
                "until": None,
                "expired": False,
            }
        ],
    }


def test_an_approval_has_every_key_in_json() -> None:
    approval = an_approval(despite=frozenset({Guard.UNCONFIRMED, Guard.ARRIVING}))

    assert json.loads(approvals_json([approval], now=NOW)) == {
        "schema": "mailswitch/approvals/1",
        "approvals": [
            {
                "server": "web01",
                "name": "moved.example",
                "route": "elsewhere",
                "exchanges": ["aspmx.l.google.com"],
                "despite": ["arriving", "unconfirmed"],
                "by": "alice",
                "at": "2026-02-28T12:00:00Z",
                "expires": "2026-03-30T12:00:00Z",
                "expired": False,
            }
        ],
    }


def test_approvals_for_people_say_what_they_are_bound_to() -> None:
    stream = io.StringIO()
    approvals = [an_approval(despite=frozenset({Guard.UNCONFIRMED})), an_approval("old.example", expires=NOW)]

    print_approvals(approvals, stream, is_terminal=False, width=None, now=NOW)

    first, second = stream.getvalue().splitlines()
    assert re.search(r"moved\.example +web01 +by alice .* elsewhere \(aspmx\.l\.google\.com\) despite unc", first)
    assert "expired 2026-03-01 12:00 UTC" in second


def test_empty_lists_say_so() -> None:
    stream = io.StringIO()

    print_changes([], stream, is_terminal=False, width=None)
    print_pins([], stream, is_terminal=False, width=None, now=NOW)
    print_approvals([], stream, is_terminal=False, width=None, now=NOW)

    assert stream.getvalue() == "No changes.\nNo pins.\nNo approvals.\n"


def test_a_pause_in_json_has_who_when_and_why() -> None:
    assert pause_fields(None) is None
    assert pause_fields(a_pause()) == {"by": "alice", "at": "2026-03-01T11:00:00Z", "reason": "migration of web01"}
