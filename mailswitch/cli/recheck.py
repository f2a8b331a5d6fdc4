"""``recheck``: asking the running daemon to look at names now."""

from __future__ import annotations

import os
from datetime import timedelta

import click

from mailswitch.cli import session
from mailswitch.cli.exit_codes import DONE, FAILED, USAGE
from mailswitch.cli.invocation import Invocation
from mailswitch.core.errors import ConfigError
from mailswitch.core.names import DomainName
from mailswitch.report.clean import printable

__all__ = ["recheck"]

_WAIT = timedelta(seconds=10)


@click.command()
@click.argument("domains", nargs=-1, metavar="DOMAIN...")
@click.option(
    "--from-plesk", "event", metavar="EVENT", help="Called by Plesk's handler of EVENT: the environment has the names."
)
@click.pass_obj
def recheck(invocation: Invocation, *, domains: tuple[str, ...], event: str | None) -> int:
    """Ask the running daemon to look at domains now instead of at its next sweep; returns at once.

    This is also what a Plesk event handler calls. Names that no server hosts are ignored, so are empty words.

    \b
    Exit codes: 0 asked, 1 no daemon is running, 2 a word is no domain name (the others are asked for all the same).
    """
    from mailswitch.service.plesk_event import names_of_event
    from mailswitch.service.wiring import ledger_of, utc_now

    if not domains and event is None:
        raise ConfigError("recheck needs at least one DOMAIN")
    names, problems = _names(domains)
    if event is not None:
        names += names_of_event(os.environ)
        if not names:
            return DONE  # an event about nothing that has mail
    place = ledger_of(session.settings_of(invocation))
    if not place.has_daemon():
        _complain(
            "no daemon is running, so nobody was asked; it looks at everything when it starts: "
            "systemctl start mailswitch, or look now with mailswitch once"
        )
        return FAILED
    with place.writer(wait=_WAIT) as ledger:
        ledger.request_recheck(names, by=session.who(), at=utc_now())
    for problem in problems:
        _complain(problem)
    return USAGE if problems else DONE


def _names(words: tuple[str, ...]) -> tuple[tuple[DomainName, ...], list[str]]:
    """Return the names among the words, and what is wrong with the others."""
    names: list[DomainName] = []
    problems: list[str] = []
    for word in filter(None, map(str.strip, words)):
        try:
            names += session.typed_names((word,))
        except ConfigError as error:
            problems += error.problems
    return tuple(names), problems


def _complain(text: str) -> None:
    click.echo(printable(f"mailswitch: {text}"), err=True)
