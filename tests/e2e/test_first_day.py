"""An old server's first day: 400 names, 150 of which moved long ago, and a ledger that knows nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailswitch.simulation.first_day import BEHIND_FILTERS, HERE, KNOWN, UNKNOWN, first_day
from tests.support.worlds import Staged


@pytest.mark.timeout(400)  # 400 names and 140 changes with simulated panels; seconds on an idle machine
def test_the_first_day_of_an_old_server(staged: Staged, tmp_path: Path) -> None:
    """Report, review, apply what was reviewed, see what is left and why: as the README walks through it."""
    play = staged(first_day())
    plan = tmp_path / "plan.json"

    # The report: nothing is due by itself, 140 are on review, 10 are held because a filter relays back.
    play.ok("report", "--format", "json", "--output", str(plan))
    document = json.loads(plan.read_text(encoding="utf-8"))
    names = play.names(document)
    expected = {"domains": 400, "keep": HERE, "hold": 150, "on_review": 140}
    assert document["summary"] == {**dict.fromkeys(("turn_off", "turn_on", "done", "failed"), 0), **expected}
    reasons = {name: [reason["code"] for reason in entry["reasons"]] for name, entry in names.items()}
    on_review = {name for name, entry in names.items() if entry["on_review"]}
    assert sum("unknown-provider" in reasons[name] for name in on_review) == UNKNOWN
    assert (
        sum("unconfirmed" in reasons[name] and "unknown-provider" not in reasons[name] for name in on_review) == KNOWN
    )
    assert sum(entry["route"] == "gateway" for entry in names.values()) == BEHIND_FILTERS
    text = play.ok("report")
    assert "Would be turned off, but held for your review: 140" in text
    assert f"Plan {document['run']['plan']}: 140 if you review them" in text

    # A pass by itself does nothing yet.
    play.ok("once", "--apply")
    assert play.writes("old01") == []

    # The review: all of it in one go, past every limit.
    done = play.json("once", "--apply", "--plan", str(plan))
    assert (done["summary"]["done"], done["summary"]["failed"]) == (140, 0)
    assert {name for name, _ in play.writes("old01")} == on_review
    assert {to for _, to in play.writes("old01")} == {"off"}

    # What is left is behind filters, and there is nothing more to do.
    after = play.json("report")
    left = {name for name, entry in play.names(after).items() if entry["decision"] == "hold"}
    assert left == {name for name, entry in names.items() if entry["route"] == "gateway"}
    assert after["summary"]["on_review"] == after["summary"]["turn_off"] == 0
    play.ok("once", "--apply")
    assert len(play.writes("old01")) == 140
