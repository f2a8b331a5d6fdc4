"""``revert``: undo changes on record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mailswitch.cli import session
from mailswitch.cli.exit_codes import DONE, FAILED
from mailswitch.cli.invocation import Invocation
from mailswitch.core.errors import ConfigError

if TYPE_CHECKING:
    from mailswitch.service.by_hand import HandResult, Target

__all__ = ["revert", "show_results"]


@click.command()
@click.argument("what", required=False, metavar="[DOMAIN|CHANGE]")
@click.option("--run", metavar="ID", help="Undo every change of this run that still stands.")
@click.option("--all", "is_everything", is_flag=True, help="Turn on everything that is still off by mailswitch.")
@click.option("--reason", default="reverted", show_default=True, metavar="TEXT", help="Why, for the record.")
@session.server_option
@session.format_option
@click.pass_obj
def revert(
    invocation: Invocation,
    *,
    what: str | None,
    run: str | None,
    is_everything: bool,
    reason: str,
    server: str | None,
    form: str,
) -> int:
    """Undo one change (by its number), the last change of a domain, a whole run, or everything still off by us.

    Works in every mode but not while paused. What you revert counts as your doing: mailswitch does not turn it off
    again until mail has been routed here in between, or you review it.

    \b
    Exit codes: 0 done or nothing to do, 1 something failed, 2 nothing on record to revert,
    3 all changes are paused, 5 a pass is running.
    """
    from mailswitch.service.by_hand import revert as undo

    target, why = _target(what, run, is_everything=is_everything), session.reason_given(reason)
    _, setup = session.opened(invocation, server=server)
    return show_results(undo(setup, target, reason=why, by=session.who(), server=server), form)


def _target(what: str | None, run: str | None, *, is_everything: bool) -> Target:
    from mailswitch.service.by_hand import Everything, OneChange, OneDomain, OneRun

    if sum((what is not None, run is not None, is_everything)) != 1:
        raise ConfigError("say what to revert, in one way: DOMAIN, CHANGE (a number), --run ID or --all")
    if is_everything:
        return Everything()
    if run is not None:
        return OneRun(run)
    if what is not None and what.isascii() and what.isdigit():
        return OneChange(int(what[:18]))
    (name,) = session.typed_names((what or "",))
    return OneDomain(name)


def show_results(results: Sequence[HandResult], form: str) -> int:
    """Print what became of each name and return the exit code."""
    from mailswitch.service.by_hand import HandOutcome

    if form == "json":
        rows = [
            {
                "server": one.server,
                "name": one.name.text,
                "outcome": one.outcome.value,
                "text": one.text,
                "change": one.change,
            }
            for one in results
        ]
        session.say_json({"schema": "mailswitch/results/1", "results": rows})
    else:
        for one in results:
            number = "" if one.change is None else f" (change {one.change})"
            session.say(f"{one.server}: {one.name}: {one.outcome.value}: {one.text}{number}")
        if not results:
            session.say("nothing to revert: no switch is off by mailswitch")
    return FAILED if any(one.outcome is HandOutcome.FAILED for one in results) else DONE
