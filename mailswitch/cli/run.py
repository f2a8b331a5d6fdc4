"""``run``: the daemon."""

from __future__ import annotations

import os
import sys

import click

from mailswitch.cli import session
from mailswitch.cli.exit_codes import DONE
from mailswitch.cli.invocation import Invocation

__all__ = ["run"]


@click.command()
@click.pass_obj
def run(invocation: Invocation) -> int:
    """Be the daemon: look at every server again and again, and apply what the mode allows.

    It stays in the foreground, as systemd wants it, and logs to standard error. SIGHUP reads the configuration anew
    (one with problems is refused), SIGTERM ends it within 20 seconds. Other commands work beside it, between passes.

    \b
    Exit codes: 0 stopped, 1 the ledger cannot be used, 2 wrong usage or configuration, 5 the ledger has a daemon.
    """
    from mailswitch.service.clockwork import serve
    from mailswitch.service.logs import LogObserver, open_log
    from mailswitch.service.parts import Parts, parts_of
    from mailswitch.service.systemd_notify import Notifier
    from mailswitch.service.telling import observers_of

    log = open_log(sys.stderr, is_terminal=sys.stderr.isatty() and not os.environ.get("NO_COLOR"))

    def complain(reason: str) -> None:
        log.error("telling_failed", reason=reason)

    def load() -> Parts:
        settings, setup = session.opened(
            invocation, complaint=lambda reason: log.warning("answers_not_remembered", reason=reason)
        )
        return parts_of(settings, setup, lambda: (LogObserver(log), *observers_of(settings, complain)))

    has_ended = serve(load, notifier=Notifier.of(os.environ), log=log)
    if not has_ended:
        _leave()
    return DONE


def _leave() -> None:
    """End at once: a thread that still waits for a panel or for DNS would keep the process.

    Nothing is lost: the ledger is written change by change, and an open intent is settled by the next pass.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(DONE)
