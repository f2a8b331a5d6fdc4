"""``switch``: one domain's switch by hand, on the record."""

from __future__ import annotations

import click

from mailswitch.cli import session
from mailswitch.cli.invocation import Invocation
from mailswitch.cli.revert import show_results

__all__ = ["switch"]


@click.command()
@click.argument("domain")
@click.argument("to", type=click.Choice(["on", "off"]))
@click.option("--reason", required=True, metavar="TEXT", help="Why, for the record.")
@session.server_option
@session.format_option
@click.pass_obj
def switch(invocation: Invocation, *, domain: str, to: str, reason: str, server: str | None, form: str) -> int:
    """Turn one domain's switch by hand.

    The change is recorded as yours and mailswitch never undoes it by itself: a switch you turn on stays on until mail
    has been routed here again, one you turn off stays off.

    \b
    Exit codes: 0 done or nothing to do, 1 it failed, 2 wrong usage, 3 all changes are paused, 5 a pass is running.
    """
    from mailswitch.core.domain import Switch
    from mailswitch.service.by_hand import switch_by_hand

    why = session.reason_given(reason)
    (name,) = session.typed_names((domain,))
    _, setup = session.opened(invocation, server=server)
    result = switch_by_hand(setup, name, Switch(to), reason=why, by=session.who(), server=server)
    return show_results((result,), form)
