"""The scenarios, in the order of the issue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mailswitch.core.domain import Switch
from tests.e2e.lab.places import HERE, PLESK, PROVIDER, mx
from tests.e2e.lab.play import INSIDE, Mail, Play

__all__ = ["SCENARIOS", "Scenario"]

_AT_PROVIDER = "mx1.provider.example."


@dataclass(frozen=True, slots=True)
class Scenario:
    """One of them."""

    letter: str
    title: str
    names: tuple[str, ...]
    """The zones it plays with; at its beginning they are here."""
    act: Callable[[Play], None]


def _customer_moved(play: Play) -> None:
    name = "moved-a.example"
    play.host({"name": name})
    play.run("once", "--apply")
    play.step("here", Mail(to=(name,), rightful=(PLESK,)))
    play.lab.publish({name: mx(name, _AT_PROVIDER)})
    play.step(
        "moved, before it is confirmed",
        Mail(to=(name,), rightful=(PROVIDER,)),
        abandoned=len(INSIDE),
        rightly=1,
    )
    play.passes(2)
    play.check_switches(Switch.ON, name)
    report = play.passes(1)
    play.check(play.entry(report, name)["outcome"] == "done", "the third sighting confirms it")
    play.check_switches(Switch.OFF, name)
    play.step("after confirmation", Mail(to=(name,) * 3, rightful=(PROVIDER,)), is_promised=True)


def _customer_moved_back(play: Play) -> None:
    name = "back-d.example"
    play.lab.publish({name: mx(name, _AT_PROVIDER)})
    play.host({"name": name})
    play.passes(3)
    play.check_switches(Switch.OFF, name)
    play.step("off, at the provider", Mail(to=(name,), rightful=(PROVIDER,)), is_promised=True)
    play.lab.publish({name: mx(name, HERE)})
    row = play.step("moved back, before the next pass", Mail(to=(name,) * 2, rightful=(PLESK,)), bounced=6)
    play.remark(
        f"{row.found.bounced} messages were refused between the move back and the next pass: each sender was told"
    )
    play.passes(1)
    play.check_switches(Switch.ON, name)
    play.step("on again after one pass", Mail(to=(name,) * 2, rightful=(PLESK,)), is_promised=True)


def _reverted_run(play: Play) -> None:
    names = ("one-l.example", "two-l.example", "three-l.example")
    play.lab.publish({name: mx(name, _AT_PROVIDER) for name in names})
    play.host(*({"name": name} for name in names))
    play.step("before the run", Mail(to=names, rightful=(PLESK,), by=INSIDE))
    run = play.passes(3)["run"]["id"]
    play.check_switches(Switch.OFF, *names)
    play.step("after the run", Mail(to=names, rightful=(PROVIDER,), by=INSIDE), is_promised=True)
    play.run("revert", "--run", run, "--reason", "the customer's zone was published by mistake")
    play.check_switches(Switch.ON, *names)
    play.step("after its revert", Mail(to=names, rightful=(PLESK,), by=INSIDE), is_promised=True)
    play.passes(1)
    play.check_switches(Switch.ON, *names)


SCENARIOS = (
    Scenario("a", "The customer moved", ("moved-a.example",), _customer_moved),
    Scenario("d", "The customer moves back", ("back-d.example",), _customer_moved_back),
    Scenario("l", "A whole run is reverted", ("one-l.example", "two-l.example", "three-l.example"), _reverted_run),
)
