"""``history``: the changes on record."""

from __future__ import annotations

from typing import Any, TextIO

import click

from mailswitch.cli import session
from mailswitch.cli.invocation import Invocation

__all__ = ["history"]


@click.command()
@click.argument("domain", required=False)
@click.option("--run", metavar="ID", help="Only the changes of this run.")
@session.server_option
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True, help="At most so many.")
@session.format_option
@click.pass_obj
def history(
    invocation: Invocation, *, domain: str | None, run: str | None, server: str | None, limit: int, form: str
) -> int:
    """List the changes on record, newest first: who turned what, when, why, and what came of it.

    Runs of 'mailswitch rescue --send' follow them. The JSON form has each change's evidence: what every vantage
    answered at the time.
    """
    from mailswitch.config.names import shown_name
    from mailswitch.report.records import changes_json, print_changes
    from mailswitch.report.rescue import print_rescues, rescue_fields

    name = None if domain is None else session.typed_names((domain,))[0]
    _, setup = session.opened(invocation)
    reader = setup.ledger.reader()
    try:
        found = reader.changes(name=name, run_id=run, server=server, limit=limit)
        rescues = reader.rescues(name=name, server=server, limit=limit) if run is None else ()
    finally:
        reader.close()

    def print_both(page: TextIO, look: dict[str, Any]) -> None:
        print_changes(found, page, display=shown_name, **look)
        print_rescues(rescues, page, display=shown_name, **look)

    session.show(form, changes_json(found, rescues=[rescue_fields(one) for one in rescues]), print_both)
    return 0
