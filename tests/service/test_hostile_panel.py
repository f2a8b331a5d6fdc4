"""Changes through a real panel adapter whose other side stalls, or becomes somebody else in between."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mailswitch.core.domain import Kind, SwitchTarget
from mailswitch.core.ledger import Change, Outcome
from mailswitch.core.names import DomainName
from mailswitch.plesk.transport import TransportLimits
from mailswitch.service.apply import perform, settle_open_intents
from mailswitch.simulation.certificates import self_signed
from tests.support.builders import a_change
from tests.support.ports import Scene
from tests.support.raw_panel import RawPanel, Stall, a_panel, a_switch_reply, a_write_reply

SITE = SwitchTarget(name=DomainName("moved.example"), kind=Kind.DOMAIN, panel_id="7")


def an_intent() -> Change:
    """To turn that site off."""
    return a_change(id=None, outcome=None, finished_at=None, run_id=None)


@pytest.mark.parametrize("stall", ["silent", "dripping"])
def test_a_write_that_stuck_in_the_handshake_is_read_back_and_has_failed(tmp_path: Path, stall: Stall) -> None:
    scene = Scene(tmp_path)
    limits = TransportLimits(connect_timeout=timedelta(seconds=1))
    with RawPanel(tmp_path, [a_switch_reply(7, "true")], stalls=[stall]) as raw, scene.place.locked() as ledger:
        panel = a_panel(raw, limits=limits)
        attempt = perform(ledger, panel, an_intent(), scene.clock)
        panel.close()

        assert attempt.change.outcome is Outcome.FAILED
        assert "within 1 s, so nothing was sent" in str(attempt.change.error)
        assert "read back, the switch is on" in str(attempt.change.error)
        assert ledger.unsettled("web01") == ()
        assert [b"get_prefs" in seen.body for seen in raw.seen] == [True]


def test_a_certificate_swapped_before_the_read_back_leaves_the_intent_to_the_true_panel(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    replies = [replace(a_write_reply(7), then=self_signed("127.0.0.1")), a_switch_reply(7, "false")]
    with RawPanel(tmp_path, replies) as raw, scene.place.locked() as ledger:
        panel = a_panel(raw)
        attempt = perform(ledger, panel, an_intent(), scene.clock)

        assert attempt.change.outcome is None
        assert "the switch was written; it could not be read back" in str(attempt.change.error)
        assert "not the pinned one" in str(attempt.change.error)
        assert [change.id for change in ledger.unsettled("web01")] == [attempt.change.id]
        assert [b"set_prefs" in seen.body for seen in raw.seen] == [True]

        raw.become(raw.identity)
        (settled,) = settle_open_intents(ledger, panel, "web01", scene.clock)
        panel.close()
        assert settled.is_done
        assert ledger.unsettled("web01") == ()


def test_a_certificate_swapped_before_the_write_leaves_the_intent_and_sends_nothing(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    replies = [replace(a_switch_reply(7, "true"), then=self_signed("127.0.0.1")), a_switch_reply(7, "true")]
    with RawPanel(tmp_path, replies) as raw, scene.place.locked() as ledger:
        panel = a_panel(raw)
        panel.read_switch(SITE)
        attempt = perform(ledger, panel, an_intent(), scene.clock)

        assert attempt.change.outcome is None
        assert "so nothing was sent" in str(attempt.change.error)
        assert len(raw.seen) == 1

        raw.become(raw.identity)
        (settled,) = settle_open_intents(ledger, panel, "web01", scene.clock)
        panel.close()
        assert settled.change.outcome is Outcome.FAILED
