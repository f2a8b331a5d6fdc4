"""``evidence``: what the unit mailswitch-evidence runs for a daemon that may not read the mail log."""

from __future__ import annotations

import click

from mailswitch.cli import session
from mailswitch.cli.invocation import Invocation

__all__ = ["evidence"]


@click.group()
def evidence() -> None:
    """Read the mail log for a daemon that may not."""


@evidence.command()
@click.pass_obj
def collect(invocation: Invocation) -> None:
    """Count what is new in the mail log, and leave it for the daemon.

    Needs the right to read the log and no other; mailswitch-evidence.timer runs it every ten minutes. The daemon leaves
    the names that it wants to be counted beside its ledger, and takes what is left with its next pass.

    \b
    Exit codes: 0 done, 1 the log or a folder cannot be used, 2 wrong usage or configuration.
    """
    from mailswitch.config.settings import find_settings
    from mailswitch.service.log_wiring import collect_evidence

    session.say(collect_evidence(find_settings(invocation.config)))
