"""Scenarios a, d, g, h, i and l: customers move, tenants add names, people revert."""

from __future__ import annotations

from mailswitch.core.domain import Switch
from tests.e2e.lab.places import HERE, PLESK, PROVIDER, SECOND, mx
from tests.e2e.lab.play import Mail, Play
from tests.e2e.lab.scenario import AT_PROVIDER, AT_SECOND, Scenario
from tests.e2e.lab.senders import INSIDE, OUTSIDE

__all__ = ["MOVES"]

_MOVED, _BACK = "moved-a.example", "back-d.example"
_MAIN, _ALIAS = "main-g.example", "alias-g.example"
_SQUATTED, _PUBLIC = "squat-h.example", "gmail.com"
_ARRIVING = "arriving-i.example"
_RUN = ("one-l.example", "two-l.example", "three-l.example")


def _customer_moved(play: Play) -> None:
    play.host({"name": _MOVED})
    play.run("once", "--apply")
    play.step("here", Mail(to=(_MOVED,), rightful=(PLESK,)))
    play.lab.publish({_MOVED: mx(_MOVED, AT_PROVIDER)})
    play.step("moved, not confirmed yet", Mail(to=(_MOVED,), rightful=(PROVIDER,)), abandoned=len(INSIDE), rightly=1)
    play.passes(2)
    play.check_switches(Switch.ON, _MOVED)
    report = play.passes(1)
    play.check(play.entry(report, _MOVED)["outcome"] == "done", "the third sighting confirms it")
    play.check_switches(Switch.OFF, _MOVED)
    play.step("after the pass", Mail(to=(_MOVED,) * 3, rightful=(PROVIDER,)), is_promised=True)


def _customer_moved_back(play: Play) -> None:
    play.lab.publish({_BACK: mx(_BACK, AT_PROVIDER)})
    play.host({"name": _BACK})
    play.passes(3)
    play.check_switches(Switch.OFF, _BACK)
    play.step("off, at the provider", Mail(to=(_BACK,), rightful=(PROVIDER,)), is_promised=True)
    play.lab.publish({_BACK: mx(_BACK, HERE)})
    row = play.step("moved back, before the next pass", Mail(to=(_BACK,) * 2, rightful=(PLESK,)), bounced=6)
    play.remark(
        f"{row.found.bounced} messages were refused between the move back and the next pass, each with a bounce"
    )
    play.passes(1)
    play.check_switches(Switch.ON, _BACK)
    play.step("on again after one pass", Mail(to=(_BACK,) * 2, rightful=(PLESK,)), is_promised=True)


def _alias_here(play: Play) -> None:
    play.lab.publish({_MAIN: mx(_MAIN, AT_PROVIDER)})
    play.host({"name": _MAIN}, {"name": _ALIAS, "kind": "alias", "of": _MAIN})
    play.check_held(play.passes(3), _MAIN, "needed-by-alias")
    play.check_switches(Switch.ON, _MAIN, _ALIAS)
    play.step("to the alias, which is here", Mail(to=(_ALIAS,), rightful=(PLESK,)), is_promised=True)
    play.step(
        "to the main domain, held for its alias",
        Mail(to=(_MAIN,), rightful=(PROVIDER,)),
        abandoned=len(INSIDE),
        rightly=1,
    )
    play.lab.publish({_ALIAS: mx(_ALIAS, AT_PROVIDER)})
    play.passes(4)  # three for the alias, and one for the domain that was held for it
    play.check_switches(Switch.OFF, _MAIN, _ALIAS)
    play.step("the alias moved too", Mail(to=(_MAIN, _ALIAS), rightful=(PROVIDER,)), is_promised=True)


def _names_of_others(play: Play) -> None:
    play.lab.publish({name: mx(name, AT_SECOND) for name in (_SQUATTED, _PUBLIC)})
    play.host({"name": _SQUATTED, "created": "-1d"}, {"name": _PUBLIC, "created": "-1d"})
    play.step(
        "a tenant added them", Mail(to=(_SQUATTED, _PUBLIC), rightful=(SECOND,), by=INSIDE), abandoned=2 * len(INSIDE)
    )
    report = play.passes(1)
    play.check_alert(report, "never-local", _PUBLIC)
    play.check_switches(Switch.OFF, _PUBLIC)
    play.step(f"to {_PUBLIC} after one pass", Mail(to=(_PUBLIC,), rightful=(SECOND,), by=INSIDE), is_promised=True)
    play.check_held(play.passes(3), _SQUATTED, "arriving")
    play.check_switches(Switch.ON, _SQUATTED)
    play.run("approve", _SQUATTED, "--despite", "arriving")
    play.passes(1)
    play.check_switches(Switch.OFF, _SQUATTED)
    play.step("to the other, approved", Mail(to=(_SQUATTED,) * 2, rightful=(SECOND,), by=INSIDE), is_promised=True)


def _domain_arriving(play: Play) -> None:
    play.lab.publish({_ARRIVING: mx(_ARRIVING, AT_PROVIDER)})
    play.host({"name": _ARRIVING, "created": "-2d"})
    play.check_held(play.passes(3), _ARRIVING, "arriving")
    play.check_switches(Switch.ON, _ARRIVING)
    play.step(
        "prepared, MX not moved yet", Mail(to=(_ARRIVING,), rightful=(PROVIDER,)), abandoned=len(INSIDE), rightly=1
    )
    play.lab.publish({_ARRIVING: mx(_ARRIVING, HERE)})
    play.step("arrived, before any pass", Mail(to=(_ARRIVING,), rightful=(PLESK,)), is_promised=True)
    play.passes(1)
    play.check_switches(Switch.ON, _ARRIVING)
    play.check(not play.panel.writes(), "its switch was never touched")
    play.step("after the pass", Mail(to=(_ARRIVING,), rightful=(PLESK,)), is_promised=True)


def _reverted_run(play: Play) -> None:
    play.lab.publish({name: mx(name, AT_PROVIDER) for name in _RUN})
    play.host(*({"name": name} for name in _RUN))
    play.step("before the run", Mail(to=_RUN, rightful=(PLESK,), by=INSIDE))
    run = play.passes(3)["run"]["id"]
    play.check_switches(Switch.OFF, *_RUN)
    play.step("after the run", Mail(to=_RUN, rightful=(PROVIDER,), by=(*INSIDE, OUTSIDE)), is_promised=True)
    play.run("revert", "--run", run, "--reason", "asked for by the customer")
    play.check_switches(Switch.ON, *_RUN)
    play.step("after its revert", Mail(to=_RUN, rightful=(PLESK,), by=INSIDE), is_promised=True)
    play.passes(1)
    play.check_switches(Switch.ON, *_RUN)


MOVES = (
    Scenario("a", "The customer moved", (_MOVED,), _customer_moved),
    Scenario("d", "The customer moves back", (_BACK,), _customer_moved_back),
    Scenario("g", "An alias here, its main domain elsewhere", (_MAIN, _ALIAS), _alias_here),
    Scenario("h", "A tenant adds names of others", (_SQUATTED, _PUBLIC), _names_of_others),
    Scenario("i", "A domain arrives", (_ARRIVING,), _domain_arriving),
    Scenario("l", "A whole run is reverted", _RUN, _reverted_run),
)
