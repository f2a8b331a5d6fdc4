"""``status``: how the last pass went on each server."""

from __future__ import annotations

from datetime import timedelta

import click

from mailswitch.cli import session
from mailswitch.cli.exit_codes import DONE, FAILED
from mailswitch.cli.invocation import Invocation

__all__ = ["status"]

_PASS_MAY_TAKE = timedelta(minutes=30)


@click.command()
@session.format_option
@click.pass_obj
def status(invocation: Invocation, *, form: str) -> int:
    """Tell how the last pass went on each server, how long ago, and what keeps mailswitch from its work.

    \b
    Exit codes: 0 all is well; 1 it never ran or is paused, a server is stale, failing or held back by a limit, or mail
    is refused that should be on.
    """
    from mailswitch.report.status import print_status, status_json
    from mailswitch.service.status import status_of

    settings, setup = session.opened(invocation)
    stale_after = 2 * (settings.schedule.interval + settings.schedule.jitter) + _PASS_MAY_TAKE
    found = status_of(setup, stale_after=stale_after)
    session.show(form, status_json(found), lambda page, look: print_status(found, page, **look))
    return DONE if found.is_healthy else FAILED
