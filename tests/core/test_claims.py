"""Whose a switch is after a change, and what reading it back says of an intent."""

from __future__ import annotations

import pytest

from mailswitch.core.claims import claim_after, settlement
from mailswitch.core.domain import Switch
from mailswitch.core.ledger import Actor, Claim, Outcome
from tests.support.builders import a_change


@pytest.mark.parametrize(
    ("actor", "to", "claim"),
    [
        (Actor.MAILSWITCH, Switch.OFF, Claim.OURS),
        (Actor.MAILSWITCH, Switch.ON, Claim.NONE),
        (Actor.PERSON, Switch.OFF, Claim.NONE),
        (Actor.PERSON, Switch.ON, Claim.RE_ENABLED),
    ],
)
def test_a_change_that_was_done_settles_whose_the_switch_is(actor: Actor, to: Switch, claim: Claim) -> None:
    change = a_change(actor=actor, switch_to=to)

    assert claim_after(change, Outcome.DONE) is claim
    assert claim_after(change, Outcome.FAILED) is None


@pytest.mark.parametrize("failure", [None, "the reply was cut off"])
@pytest.mark.parametrize("to", [Switch.ON, Switch.OFF])
def test_a_switch_that_stands_where_it_was_meant_to_is_done_whatever_the_reply_was(
    to: Switch, failure: str | None
) -> None:
    found = settlement(a_change(switch_to=to), to, failure)

    assert (found.outcome, found.error) == (Outcome.DONE, None)


@pytest.mark.parametrize(("failure", "why"), [(None, "did not take effect"), ("HTTP 500", "HTTP 500")])
@pytest.mark.parametrize("found", [Switch.ON, Switch.NOT_CONFIGURED])
def test_a_switch_that_stands_elsewhere_is_a_failure(found: Switch, failure: str | None, why: str) -> None:
    settled = settlement(a_change(), found, failure)

    assert settled.outcome is Outcome.FAILED
    assert settled.error is not None
    assert why in settled.error
    assert f"the switch is {found}" in settled.error


@pytest.mark.parametrize(("failure", "why"), [(None, "the switch was written"), ("HTTP 500", "HTTP 500")])
def test_a_switch_that_cannot_be_told_leaves_the_intent_open(failure: str | None, why: str) -> None:
    settled = settlement(a_change(), Switch.UNKNOWN, failure)

    assert settled.outcome is None
    assert settled.error is not None
    assert settled.error.startswith(why)


@pytest.mark.parametrize(("failure", "why"), [(None, "the reply was lost"), ("time-out", "time-out")])
def test_a_write_whose_reply_was_lost_just_now_stays_open_while_nothing_changed(failure: str | None, why: str) -> None:
    settled = settlement(a_change(), Switch.ON, failure, is_under_way=True)

    assert settled.outcome is None
    assert settled.error is not None
    assert settled.error.startswith(f"{why}; read back, the switch is still on")


@pytest.mark.parametrize(("found", "outcome"), [(Switch.OFF, Outcome.DONE), (Switch.NOT_CONFIGURED, Outcome.FAILED)])
def test_a_write_whose_reply_was_lost_is_settled_where_something_changed(found: Switch, outcome: Outcome) -> None:
    assert settlement(a_change(), found, None, is_under_way=True).outcome is outcome


def test_a_switch_unmoved_after_a_lost_reply_leaves_the_intent_open_for_the_panel_may_still_be_at_it() -> None:
    lost = settlement(a_change(), Switch.ON, "no reply", is_under_way=True)
    moved = settlement(a_change(), Switch.OFF, "no reply", is_under_way=True)

    assert lost.outcome is None
    assert lost.error is not None
    assert lost.error.startswith("no reply; read back, the switch is still on")
    assert moved.outcome is Outcome.DONE
