"""``stranded``: what lies in abandoned mailboxes."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailswitch.cli import session
from mailswitch.cli.invocation import Invocation
from mailswitch.core.errors import ConfigError

if TYPE_CHECKING:
    from mailswitch.core.mailboxes import Exported, StrandedMail

__all__ = ["mailbox_option", "moment_past", "since_option", "spam_option", "stranded"]

_AGO = re.compile(r"([0-9]{1,4})([dh])")

mailbox_option = click.option(
    "--mailbox",
    "mailboxes",
    multiple=True,
    metavar="USER",
    help="Only this mailbox: what stands before the @ (repeat it for more).",
)
since_option = click.option(
    "--since",
    metavar="DATE",
    help="Count from here on, whatever is known: 2026-10-01, 2026-10-01T18:00 in UTC, or 30d.",
)
spam_option = click.option("--spam", "is_with_spam", is_flag=True, help="Include the spam folders.")


@click.command()
@click.argument("domains", nargs=-1, metavar="[DOMAIN]...")
@mailbox_option
@since_option
@click.option(
    "--export",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the messages of one DOMAIN to a new mbox file that only you can read.",
)
@spam_option
@session.server_option
@session.format_option
@click.pass_obj
def stranded(
    invocation: Invocation,
    *,
    domains: tuple[str, ...],
    mailboxes: tuple[str, ...],
    since: str | None,
    export: Path | None,
    is_with_spam: bool,
    server: str | None,
    form: str,
) -> int:
    """Tell what is stranded in abandoned mailboxes: mail that arrived here after a domain's mail had moved away.

    For each mailbox of the DOMAINs (by default of every domain whose mail has moved): how many messages, how many
    unread, the oldest and the newest, their size, and the last log-in. Sent, drafts and trash are not counted, spam is
    counted apart. Run it as root on the Plesk server. Mailboxes are only read; 'mailswitch rescue' sends the mail on.

    \b
    Exit codes: 0 done, 1 the mailboxes cannot be read, 2 wrong usage or configuration.
    """
    from mailswitch.service.privileges import as_caller
    from mailswitch.service.stranded import Wanted, export_stranded
    from mailswitch.service.stranded import stranded as found_stranded
    from mailswitch.service.wiring import ledger_of, mail_houses_of

    names = session.typed_names(domains)
    wanted = Wanted(names=names, only=frozenset(mailboxes), since=moment_past(since, datetime.now(UTC)))
    if is_with_spam and export is None:
        raise ConfigError("--spam goes with --export: spam is always counted, and apart")
    settings = session.settings_of(invocation, server=server, is_coming_back=True)
    houses = mail_houses_of(settings, only=server)
    reader = ledger_of(settings).reader()
    if export is None:
        _show(list(found_stranded(reader, houses, wanted, as_caller=as_caller)), form)
        return 0
    one, done = export_stranded(reader, houses, wanted, export, is_with_spam=is_with_spam, as_caller=as_caller)
    _show_export(one, done, export, form)
    return 0


def moment_past(text: str | None, now: datetime) -> datetime | None:
    """Return the moment somebody typed: a date means the beginning of that day in UTC, ``30d`` so long ago.

    Raises:
        ConfigError: it is none, or still to come.
    """
    if text is None:
        return None
    ago = _AGO.fullmatch(text)
    if ago is not None:
        amount, unit = int(ago[1]), ago[2]
        return now - (timedelta(days=amount) if unit == "d" else timedelta(hours=amount))
    try:
        if len(text) == len("2026-10-01"):
            begin = datetime.combine(date.fromisoformat(text), time.min, UTC)
        else:
            begin = datetime.fromisoformat(text)
            begin = begin.replace(tzinfo=UTC) if begin.tzinfo is None else begin.astimezone(UTC)
    except ValueError as error:
        raise ConfigError(f"--since {text}: no date (write 2026-10-01, 2026-10-01T18:00 in UTC, or 30d)") from error
    if begin > now:
        raise ConfigError(f"--since {text}: that is still to come")
    return begin


def _show(found: list[StrandedMail], form: str) -> None:
    from mailswitch.config.names import shown_name
    from mailswitch.report.stranded import print_stranded, stranded_json

    session.show(form, stranded_json(found), lambda page, look: print_stranded(found, page, display=shown_name, **look))


def _show_export(one: StrandedMail, done: Exported, path: Path, form: str) -> None:
    from mailswitch.report.stranded import export_json, export_words

    if form == "json":
        click.echo(export_json(one, done, str(path)), nl=False)
        return
    for line in export_words(one, done, str(path)):
        session.say(line)
