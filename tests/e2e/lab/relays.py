"""Scenarios b, c and j: others hand mail to this server, though the best exchange is not here."""

from __future__ import annotations

from mailswitch.core.domain import Switch
from tests.e2e.lab.places import HERE, PLESK, PROVIDER, mx
from tests.e2e.lab.play import Mail, Play
from tests.e2e.lab.scenario import AT_PROVIDER, Scenario
from tests.e2e.lab.senders import INSIDE, OUTSIDE, WEB_FORM

__all__ = ["BEHIND_FILTER", "RELAYS", "SPLIT", "past_week"]

BEHIND_FILTER, SPLIT = "filtered-b.example", "split-c.example"
_BACKUP = "backup-j.example"
_AT_FILTER = "mx.filter.example."


def past_week(play: Play) -> None:
    """Have the mail log tell of days before: real lines of real deliveries, with earlier stamps."""
    play.host({"name": BEHIND_FILTER}, {"name": SPLIT})
    play.lab.publish({BEHIND_FILTER: mx(BEHIND_FILTER, _AT_FILTER), SPLIT: mx(SPLIT, AT_PROVIDER)})
    play.step(
        "a day with a filter and split delivery",
        Mail(to=(BEHIND_FILTER,) * 2, rightful=(PLESK,), by=(OUTSIDE,)),
        Mail(to=(SPLIT,) * 2, rightful=(PLESK,), by=(OUTSIDE,), user="sales"),
    )
    # No day is left out: a silence of days would be a gap, behind which the log says nothing.
    play.repeat_log(days=range(1, 10))


def _relay_back_filter(play: Play) -> None:
    play.host({"name": BEHIND_FILTER})
    play.check_held(play.passes(3), BEHIND_FILTER, "still-receiving", "unknown-provider")
    play.step("held: the filter relays back", Mail(to=(BEHIND_FILTER,) * 2, rightful=(PLESK,)), is_promised=True)
    # The administrator takes the filter for a mailbox host: only the mail log stands in front of that mistake.
    play.configure({"policy": {"providers": [{"pattern": "*.filter.example", "kind": "mailbox"}]}})
    play.check_held(play.passes(2), BEHIND_FILTER, "still-receiving")
    play.step("called a mailbox host by mistake", Mail(to=(BEHIND_FILTER,), rightful=(PLESK,)), is_promised=True)
    play.configure({"policy": {"providers": [{"pattern": "*.filter.example", "kind": "gateway"}]}})
    play.check_held(play.passes(2), BEHIND_FILTER, "gateway")
    play.step("known as a gateway", Mail(to=(BEHIND_FILTER,), rightful=(PLESK,)), is_promised=True)
    play.check_switches(Switch.ON, BEHIND_FILTER)
    play.check(not play.panel.writes(), "its switch was never touched")


def _split_delivery(play: Play) -> None:
    play.host({"name": SPLIT})
    play.check_held(play.passes(3), SPLIT, "still-receiving")
    play.check_switches(Switch.ON, SPLIT)
    play.step("mailboxes that are here", Mail(to=(SPLIT,) * 2, rightful=(PLESK,), user="sales"), is_promised=True)
    play.step(
        "mailboxes at the provider, held for the others",
        Mail(to=(SPLIT,), rightful=(PROVIDER,)),
        abandoned=len(INSIDE),
        rightly=1,
    )


def _backup(play: Play) -> None:
    play.lab.publish({_BACKUP: mx(_BACKUP, AT_PROVIDER, HERE)})
    play.host({"name": _BACKUP})
    play.check_held(play.passes(3), _BACKUP, "backup-here")
    play.step("the better exchange is up", Mail(to=(_BACKUP,), rightful=(PROVIDER,), by=(OUTSIDE,)), is_promised=True)
    provider = play.lab.postfix[PROVIDER]
    provider.stop()
    try:
        play.step("it is down", Mail(to=(_BACKUP,) * 3, rightful=(PLESK,), by=(WEB_FORM, OUTSIDE)), is_promised=True)
    finally:
        provider.start()
        provider.wait()
    play.check_switches(Switch.ON, _BACKUP)


RELAYS = (
    Scenario("b", "A filter relays back", (BEHIND_FILTER,), _relay_back_filter),
    Scenario("c", "Split delivery", (SPLIT,), _split_delivery),
    Scenario("j", "A backup MX here", (_BACKUP,), _backup),
)
