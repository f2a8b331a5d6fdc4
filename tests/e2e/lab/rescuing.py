"""Scenario m: what was stranded is sent on."""

from __future__ import annotations

from mailswitch.core.domain import Switch
from tests.e2e.lab.places import PLESK, PROVIDER, mx
from tests.e2e.lab.play import Mail, Play
from tests.e2e.lab.scenario import AT_PROVIDER, Scenario
from tests.e2e.lab.senders import INSIDE
from tests.e2e.lab.tally import Tally
from tests.e2e.lab.waiting import until

__all__ = ["RESCUING"]

_STRANDED = "stranded-m.example"
_RESCUE = {"sender": "postmaster@hoster.example", "rate": 90, "wait": "60s"}

_FEW = 3


def _rescue(play: Play) -> None:
    play.host({"name": _STRANDED}, config={"rescue": _RESCUE})
    before = play.hand_in(Mail(to=(_STRANDED,), rightful=(PLESK,)))
    play.settle(before)
    play.count("here", before, expected=Tally(rightly=len(before)), is_promised=True)
    # What arrives between the last pass that saw it here and the first that does not may be stranded, and counts.
    play.run("once", "--apply")
    play.lab.publish({_STRANDED: mx(_STRANDED, AT_PROVIDER)})
    play.run("once", "--apply")
    stranded = play.hand_in(Mail(to=(_STRANDED,) * 4, rightful=(PROVIDER,), by=INSIDE))
    play.settle(stranded)
    play.count("moved, not confirmed yet", stranded, expected=Tally(abandoned=len(stranded)), is_promised=False)
    play.passes(2)
    play.check_switches(Switch.OFF, _STRANDED)
    told = play.json("stranded", _STRANDED)
    messages = [domain["messages"] for domain in told["domains"]]
    play.check(messages == [len(stranded)], f"of {len(stranded)} stranded messages {messages} are told")
    _killed_on_its_way(play)
    for step in ("rescued, by a run killed on its way and the next", "rescued once more"):
        play.quiet()
        play.run("rescue", _STRANDED, "--send")
        play.quiet()
        found = play.lab.mailboxes.rescued()
        play.count(step, stranded, expected=Tally(rightly=len(stranded)), is_promised=True, found=found)
        strays = found.copies.keys() - {message.number for message in stranded}
        play.check(not strays, "nothing else was sent on: what arrived before the move stays")


def _killed_on_its_way(play: Play) -> None:
    running = play.spawn("rescue", _STRANDED, "--send")
    rescued = play.lab.mailboxes.rescued
    until("some messages are rescued", lambda: len(rescued().copies) >= _FEW or running.poll() is not None)
    running.kill()
    running.wait()


RESCUING = (Scenario("m", "Stranded mail is rescued", (_STRANDED,), _rescue),)
