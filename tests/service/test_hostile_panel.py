"""Changes at a real panel adapter whose other side stalls, or becomes somebody else in between."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mailswitch.core.ledger import Change, Outcome
from mailswitch.plesk.transport import TransportLimits
from mailswitch.service.apply import perform
from tests.support.builders import a_change
from tests.support.ports import Scene
from tests.support.raw_panel import RawPanel, Reply, Stall, a_panel, a_reply


def an_intent() -> Change:
    """To turn off what has the id 7."""
    return a_change(id=None, outcome=None, finished_at=None, run_id=None)


def reading(switch: str) -> Reply:
    """What the panel answers when it is asked for that switch."""
    prefs = f"<prefs><mailservice>{switch}</mailservice></prefs>"
    return a_reply(
        f"<mail><get_prefs><result><status>ok</status><site-id>7</site-id>{prefs}</result></get_prefs></mail>"
    )


@pytest.mark.parametrize("stall", ["silent", "dripping"])
def test_a_write_that_stuck_in_the_handshake_is_read_back_and_has_failed(tmp_path: Path, stall: Stall) -> None:
    scene = Scene(tmp_path)
    limits = TransportLimits(connect_timeout=timedelta(seconds=1))
    with RawPanel(tmp_path, [reading("true")], stalls=[stall]) as raw, scene.place.locked() as ledger:
        panel = a_panel(raw, limits=limits)
        attempt = perform(ledger, panel, an_intent(), scene.clock)
        panel.close()

        assert attempt.change.outcome is Outcome.FAILED
        assert "within 1 s, so nothing was sent" in str(attempt.change.error)
        assert "read back, the switch is on" in str(attempt.change.error)
        assert ledger.unsettled("web01") == ()
        assert [b"get_prefs" in seen.body for seen in raw.seen] == [True]
