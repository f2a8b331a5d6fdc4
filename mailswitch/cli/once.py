"""``once``: one pass that records and applies."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailswitch.cli import session
from mailswitch.cli.exit_codes import pass_code
from mailswitch.cli.invocation import Invocation
from mailswitch.cli.report import rendered
from mailswitch.core.errors import ConfigError

if TYPE_CHECKING:
    from mailswitch.service.reconcile import Reviewed

__all__ = ["once"]

_DIGEST = re.compile(r"[0-9a-f]{16}")
_MOST_OCTETS = 256 * 1024 * 1024


@click.command()
@click.option("--apply", "is_applying", is_flag=True, help="Apply what is due, also in mode report (for this pass).")
@click.option(
    "--plan",
    metavar="DIGEST|FILE",
    help="Apply exactly the plan you reviewed: its digest, or the file with its JSON report. Nothing if it differs.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "csv"]),
    default="text",
    show_default=True,
    help="How to print it.",
)
@click.option("--verbose", is_flag=True, help="List every name, also those that are simply kept.")
@session.fresh_option
@click.pass_obj
def once(
    invocation: Invocation, *, is_applying: bool, plan: str | None, form: str, verbose: bool, is_fresh: bool
) -> int:
    """Make one pass: look, record what was seen, and apply what the mode allows.

    In mode report nothing is applied unless --apply is given. With --plan also what was held for review is applied,
    and no limit stands in front of it: you have read it.

    \b
    Exit codes: 0 done, 1 a server or a change failed, 2 wrong usage or configuration,
    3 refused by a limit or because the plan differs, 5 another pass is running.
    """
    from mailswitch.core.policy import Mode
    from mailswitch.service.observe import Scope
    from mailswitch.service.reconcile import PassRequest
    from mailswitch.service.reconcile import once as one_pass
    from mailswitch.service.telling import tell_once

    reviewed = None if plan is None else _reviewed(plan)
    settings, setup = session.opened(invocation)
    if reviewed is not None and setup.mode is Mode.REPORT and not is_applying:
        raise ConfigError("--plan: the mode is report, which applies nothing: add --apply")
    started = time.monotonic()
    with session.progress_bar("asking public DNS") as progress:
        request = PassRequest(
            by=session.who(),
            scope=Scope(is_fresh=is_fresh),
            is_enforcing=is_applying,
            reviewed=reviewed,
            progress=progress,
        )
        found = one_pass(setup, request)
    session.written(None, rendered(found, form, is_verbose=verbose))
    tell_once(settings, found, elapsed=timedelta(seconds=time.monotonic() - started), complain=session.complain)
    return pass_code(found)


def _reviewed(text: str) -> Reviewed:
    """Return the plan a person names by digest or by the file of its JSON report."""
    from mailswitch.report.json_report import plan_from_json
    from mailswitch.service.reconcile import Reviewed

    if _DIGEST.fullmatch(text.lower()):
        return Reviewed(digest=text.lower())
    path = Path(text)
    try:
        with path.open("rb") as stream:
            content = stream.read(_MOST_OCTETS + 1)
    except OSError as error:
        raise ConfigError(
            f"--plan {text}: neither a plan's digest (16 hexadecimal digits) nor a file that can be read "
            f"({error.strerror})"
        ) from error
    if len(content) > _MOST_OCTETS:
        raise ConfigError(f"--plan {text}: the file is larger than {_MOST_OCTETS} octets")
    read = plan_from_json(content.decode("utf-8", errors="replace"))
    return Reviewed(digest=read.digest, entries=read.entries)
