"""``install`` and ``uninstall``: the daemon on the Plesk server this runs on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailswitch.cli import session
from mailswitch.cli.exit_codes import DONE
from mailswitch.cli.invocation import Invocation
from mailswitch.core.errors import ConfigError, LedgerError, MailswitchError

if TYPE_CHECKING:
    from mailswitch.service.install.host import Host
    from mailswitch.service.setup import Setup

__all__ = ["install", "leave_switches", "uninstall"]


@click.command()
@click.option("--dry-run", "is_trying", is_flag=True, help="Only print every step.")
@click.option("--only-report", is_flag=True, help="No daemon and no event handlers: a timer for a daily dry run.")
@click.pass_obj
def install(invocation: Invocation, *, is_trying: bool, only_report: bool) -> int:
    """Install the daemon on this Plesk server, as root. It starts in mode report, which changes nothing.

    Makes the user mailswitch and a secret key of the panel for 127.0.0.1, pins the panel's certificate, writes
    /etc/mailswitch/mailswitch.yaml, installs and starts the systemd units, and lets the panel's events call 'recheck'.
    What is there already is left as it is. If a step fails, those before it are undone.
    """
    from mailswitch.service.install.plan import DAEMON, REPORT, installation, program_path, require_plesk
    from mailswitch.service.install.steps import carry_out
    from mailswitch.service.wiring import this_host

    _refuse_config(invocation)
    host = this_host()
    require_plesk(host)
    program = program_path(sys.argv[0])
    carry_out(installation(host, program, unit=REPORT if only_report else DAEMON), session.say, is_trying=is_trying)
    if not is_trying:
        session.say(
            f"\nInstalled, in mode report. What it sees: {program} status, {program} report, journalctl -u mailswitch\n"
            "Set the mode in /etc/mailswitch/mailswitch.yaml when you trust it, then: systemctl reload mailswitch"
        )
    return DONE


@click.command()
@click.option("--dry-run", "is_trying", is_flag=True, help="Only print every step.")
@click.option("--restore", "is_restoring", is_flag=True, help="First turn on every switch that is still off by us.")
@click.option(
    "--keep-off", "is_keeping", is_flag=True, help="Leave those switches off; nobody will turn them on again."
)
@click.option("--force", is_flag=True, help="Go on although the configuration or the ledger cannot be read.")
@click.pass_obj
def uninstall(invocation: Invocation, *, is_trying: bool, is_restoring: bool, is_keeping: bool, force: bool) -> int:
    """Take the daemon away from this Plesk server, as root. The ledger stays.

    Lists every switch that is still off by mailswitch and asks whether to turn it on again; where nobody can be asked,
    say --restore or --keep-off. Then removes the event handlers, the service, the secret key and the configuration.
    """
    from mailswitch.service.install.plan import everything, require_plesk
    from mailswitch.service.install.steps import take_away
    from mailswitch.service.privileges import as_caller
    from mailswitch.service.wiring import this_host

    _refuse_config(invocation)
    if is_restoring and is_keeping:
        raise ConfigError("--restore and --keep-off are opposites: say one of them")
    host = this_host()
    require_plesk(host)
    try:
        leave_switches(invocation, host, is_restoring=is_restoring, is_keeping=is_keeping, is_trying=is_trying)
    except MailswitchError as error:
        if not force:
            raise
        session.say(f"going on although: {error}")
    with as_caller():
        take_away(everything(host, Path(sys.argv[0])), session.say, is_trying=is_trying)
    session.say("the program itself and the ledger stay; remove them by hand if nobody needs them any more")
    return DONE


def leave_switches(
    invocation: Invocation, host: Host, *, is_restoring: bool, is_keeping: bool, is_trying: bool
) -> None:
    """Say where the ledger is and what is still off by us, and turn that on again if it is wished."""
    from mailswitch.config.secret_store import masked
    from mailswitch.service.install.plan import off_by_us

    settings, setup = session.opened(invocation, is_coming_back=True)
    session.say(f"the ledger: {masked(settings.ledger)}")
    reader = setup.ledger.reader()
    try:
        off = off_by_us(reader, tuple(one.name for one in setup.servers))
    finally:
        reader.close()
    if not off:
        session.say("no switch is off by mailswitch")
        return
    session.say("still off by mailswitch:")
    for one in off:
        session.say(f"  {one}")
    if is_trying or is_keeping:
        session.say("would turn them on again" if is_restoring else "they stay off")
    elif is_restoring or _is_wished(len(off)):
        _restore(setup, host)


def _is_wished(count: int) -> bool:
    if not sys.stdin.isatty():
        raise ConfigError(
            f"{count} switches are still off by mailswitch, and nobody will turn them on again: "
            "say --restore or --keep-off"
        )
    return click.confirm("Turn them on again?", default=True)


def _restore(setup: Setup, host: Host) -> None:
    """Turn everything on again, without the daemon; it is started again if that fails.

    Raises:
        LedgerError: something is still off.
    """
    from mailswitch.cli.revert import show_results
    from mailswitch.service.by_hand import Everything, revert
    from mailswitch.service.install.plan import DAEMON
    from mailswitch.service.privileges import as_caller

    with as_caller():
        host.run("systemctl", "stop", DAEMON)
    is_done = False
    try:
        results = revert(setup, Everything(), reason="uninstalled", by=session.who())
        is_done = show_results(results, "text") == DONE
    finally:
        if not is_done:
            with as_caller():
                host.run("systemctl", "start", DAEMON)
    if not is_done:
        raise LedgerError("not every switch could be turned on again, so nothing was removed; see above, and try again")


def _refuse_config(invocation: Invocation) -> None:
    if invocation.config is not None:
        raise ConfigError("--config: the daemon is installed with /etc/mailswitch/mailswitch.yaml, and no other")
