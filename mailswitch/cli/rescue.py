"""``rescue``: stranded mail is sent on to where the domain's mail lives now."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from mailswitch.cli import session
from mailswitch.cli.exit_codes import FAILED
from mailswitch.cli.invocation import Invocation
from mailswitch.cli.stranded import mailbox_option, moment_past, since_option, spam_option
from mailswitch.core.errors import ConfigError

if TYPE_CHECKING:
    from mailswitch.config.settings import Settings
    from mailswitch.core.rescue_report import RescuePlan, RescueResult
    from mailswitch.service.rescue import Tools

__all__ = ["rescue"]


@click.command()
@click.argument("domain")
@click.option("--send", "is_sending", is_flag=True, help="Send it; without this nothing is sent.")
@click.option("--again", "is_again", is_flag=True, help="With --send: also what the other side refused before.")
@mailbox_option
@since_option
@spam_option
@session.server_option
@session.format_option
@click.pass_obj
def rescue(
    invocation: Invocation,
    *,
    domain: str,
    is_sending: bool,
    is_again: bool,
    mailboxes: tuple[str, ...],
    since: str | None,
    is_with_spam: bool,
    server: str | None,
    form: str,
) -> int:
    """Send DOMAIN's stranded mail on to where its mail lives now. A dry run, unless --send is given.

    Each message travels unchanged, as an attachment to a short text from rescue.sender, through the local mail server
    and not faster than rescue.rate. Sent only while the route is elsewhere and confirmed and the switch is off, which
    is checked before each batch; after each batch the other side's answers are waited for, and the first refusal stops
    it. No message is ever sent twice, whatever happens in between; originals stay where and as they are. Run it again
    to go on. Run it as root on the Plesk server.

    \b
    Exit codes: 0 done, 1 it stopped or failed, 2 wrong usage or configuration, 3 it must not be sent now.
    """
    from mailswitch.service.rescue import Terms, plan_rescue
    from mailswitch.service.rescue_send import send_rescue

    if is_again and not is_sending:
        raise ConfigError("--again goes with --send")
    (name,) = session.typed_names((domain,))
    settings, setup = session.opened(invocation, server=server, is_coming_back=True)
    terms = Terms(
        name=name,
        by=session.who(),
        servers=_servers(settings, server),
        sender=settings.rescue.sender,
        rate=settings.rescue.rate,
        batch=settings.rescue.batch,
        wait=settings.rescue.wait,
        only=frozenset(mailboxes),
        since=moment_past(since, datetime.now(UTC)),
        is_with_spam=is_with_spam,
        is_again=is_again,
    )
    tools = _tools(settings, server, is_quiet=form == "json")
    if not is_sending:
        _show_plan(plan_rescue(setup, tools, terms), form)
        return 0
    result = send_rescue(setup, tools, terms)
    _show_result(result, form)
    return FAILED if result.stopped is not None else 0


def _servers(settings: Settings, server: str | None) -> frozenset[str]:
    from mailswitch.service.wiring import mail_houses_of

    found = frozenset(house.server for house in mail_houses_of(settings, only=server))
    if not found:
        raise ConfigError(
            "no server of the configuration is this machine (panel: local, or a url at 127.0.0.1), so there are no "
            "mailboxes to send mail on from: run this on the Plesk server itself"
        )
    return found


def _tools(settings: Settings, server: str | None, *, is_quiet: bool) -> Tools:
    import secrets
    import time

    from mailswitch.config.names import shown_name
    from mailswitch.service.privileges import as_caller
    from mailswitch.service.rescue import Tools
    from mailswitch.service.telling import host_name, outbox_of
    from mailswitch.service.wiring import fates_of, mail_houses_of

    return Tools(
        mailboxes={house.server: house.mailboxes for house in mail_houses_of(settings, only=server)},
        fates=fates_of(settings),
        outbox=outbox_of(settings),
        host=host_name(),
        new_digits=lambda: secrets.token_hex(16),
        as_caller=as_caller,
        sleep=time.sleep,
        monotonic=time.monotonic,
        tell=(lambda _: None) if is_quiet else session.say,
        display=shown_name,
    )


def _show_plan(plan: RescuePlan, form: str) -> None:
    from mailswitch.config.names import shown_name
    from mailswitch.report.rescue import plan_json, print_plan

    session.show(form, plan_json(plan), lambda page, look: print_plan(plan, page, display=shown_name, **look))


def _show_result(result: RescueResult, form: str) -> None:
    from mailswitch.config.names import shown_name
    from mailswitch.report.rescue import print_result, result_json

    session.show(form, result_json(result), lambda page, look: print_result(result, page, display=shown_name, **look))
