"""``notify``: prove that notices reach people."""

from __future__ import annotations

import click

from mailswitch.cli import session
from mailswitch.cli.exit_codes import DONE, FAILED
from mailswitch.cli.invocation import Invocation
from mailswitch.core.errors import ConfigError

__all__ = ["notify"]


@click.command()
@click.option("--test", "is_test", is_flag=True, help="Send a test notice every configured way.")
@session.format_option
@click.pass_obj
def notify(invocation: Invocation, *, is_test: bool, form: str) -> int:
    """Tell which ways notices go, or with --test send one every way and say what comes of it.

    \b
    Exit codes: 0 done, 1 a way failed, 2 wrong usage or configuration, or no way is configured.
    """
    from mailswitch.config.settings import find_settings
    from mailswitch.service.notify import Sent, send_test
    from mailswitch.service.telling import telling_of

    telling = telling_of(find_settings(invocation.config))
    if not telling.ways:
        raise ConfigError("nobody is told of anything: configure notify.mail or notify.webhook (docs/notices.md)")
    ended = send_test(telling) if is_test else tuple(Sent(way=way.name) for way in telling.ways)
    told = list(zip(telling.ways, ended, strict=True))
    if form == "json":
        ways = [
            {"way": way.name, "where": way.shown, "sent": is_test and not one.error, "error": one.error}
            for way, one in told
        ]
        session.say_json({"schema": "mailswitch/notify/1", "test": is_test, "ways": ways})
    else:
        for way, one in told:
            ending = "" if not is_test else f": {one.error or 'sent'}"
            session.say(f"{way.shown}{ending}")
    return FAILED if any(one.error for one in ended) else DONE
