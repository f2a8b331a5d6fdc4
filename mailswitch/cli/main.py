"""The program: its options, its commands by name, and what every kind of error ends in."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click
from click.shell_completion import shell_complete

from mailswitch import __version__
from mailswitch.cli.exit_codes import BUSY, DONE, FAILED, INTERRUPTED, PIPE_CLOSED, REFUSED, USAGE
from mailswitch.cli.invocation import Invocation
from mailswitch.cli.lazy import LazyCommand, LazyGroup
from mailswitch.core.errors import AlreadyRunning, ConfigError, MailswitchError, UnsafePlan
from mailswitch.report.clean import printable

__all__ = ["entry", "main"]

_NAME = "mailswitch"
_COMPLETION_VARIABLE = "_MAILSWITCH_COMPLETE"

_COMMANDS = {
    name: LazyCommand(target=f"mailswitch.cli.{module}:{name}", summary=summary)
    for name, module, summary in (
        ("report", "report", "Show what would change and why; changes nothing."),
        ("once", "once", "Make one pass and apply what the mode allows."),
        ("run", "run", "Be the daemon; what systemd starts."),
        ("recheck", "recheck", "Ask the running daemon to look at domains now."),
        ("explain", "explain", "Tell everything about one domain."),
        ("status", "status", "Tell how the last pass went on each server."),
        ("history", "history", "List the changes on record."),
        ("revert", "revert", "Undo changes on record."),
        ("switch", "switch", "Turn one domain's switch by hand, on the record."),
        ("stranded", "stranded", "Tell what lies in abandoned mailboxes (root)."),
        ("rescue", "rescue", "Send stranded mail on to where the domain's mail lives now (root)."),
        ("pin", "intent", "Never turn a name or pattern off."),
        ("unpin", "intent", "Take a pin away."),
        ("approve", "intent", "Say yes to turning domains off."),
        ("pause", "intent", "Stop all changes; observation goes on."),
        ("resume", "intent", "End a pause."),
        ("config", "config", "Write, check or show the configuration."),
        ("doctor", "doctor", "Check panels, rights, vantages and the ledger; changes nothing."),
        ("evidence", "evidence", "Read the mail log for a daemon that may not."),
        ("notify", "notify", "Tell whom notices go to, and prove that they arrive."),
        ("install", "install", "Install the daemon on this Plesk server (root)."),
        ("uninstall", "install", "Take the daemon away again; the ledger stays (root)."),
        ("demo", "demo", "Try it all on a simulated Plesk; needs no network."),
    )
}


@click.group(
    cls=LazyGroup,
    lazy_commands=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with 'mailswitch demo' to see it work, then 'mailswitch report' on a Plesk server.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="The configuration file; /etc/mailswitch/mailswitch.yaml unless given.",
)
@click.version_option(__version__, prog_name=_NAME)
@click.pass_context
def _program(context: click.Context, *, config: Path | None) -> None:
    """Turn Plesk's local mail delivery off for domains whose mail lives elsewhere.

    On a shared Plesk server, mail to a domain that has moved to another provider lands in an abandoned mailbox for as
    long as the domain's mail switch is on. mailswitch compares each switch with the public MX records, says what it
    would change and why, and changes it where you let it. When in doubt it holds.
    """
    context.obj = Invocation(config=config)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with ``argv`` (by default the process's own arguments) and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    instruction = os.environ.get(_COMPLETION_VARIABLE)
    if instruction:
        return shell_complete(_program, {}, _NAME, _COMPLETION_VARIABLE, instruction)
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        return _leave_closed_pipe()
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except MailswitchError as error:
        return _tell(error)
    except Exception:  # noqa: BLE001 - the top of a run; a bug ends in a traceback that cannot upset the terminal
        _complain(f"{_NAME}: unexpected error, please report it\n{traceback.format_exc()}".rstrip())
        return FAILED
    return code


def entry() -> None:
    """Be the process: run ``main`` and end with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A U-label on an ASCII terminal is written out rather than ending the run.
            stream.reconfigure(errors="backslashreplace")
    sys.exit(main())


def _run(arguments: list[str]) -> int:
    try:
        with _program.make_context(_NAME, arguments) as context:
            result = _program.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)  # usage errors show the usage line too
        _complain(shown.getvalue().rstrip())
        return error.exit_code
    return result if isinstance(result, int) else DONE


def _tell(error: MailswitchError) -> int:
    lines = error.problems if isinstance(error, ConfigError) else str(error).splitlines()
    for line in lines:
        _complain(f"{_NAME}: {line}")
    match error:
        case ConfigError():
            return USAGE
        case AlreadyRunning():
            return BUSY
        case UnsafePlan():
            return REFUSED
        case _:
            return FAILED


def _complain(text: str) -> None:
    click.echo(printable(text, keep_newlines=True), err=True)


def _leave_closed_pipe() -> int:
    """Make the interpreter's own last flush harmless; ``report | head`` is no error worth a message."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):
        return PIPE_CLOSED
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
    return PIPE_CLOSED
