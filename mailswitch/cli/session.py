"""What every command does first and last: settings, who is asking, names as typed, output, progress."""

from __future__ import annotations

import getpass
import io
import json
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from mailswitch.cli.invocation import Invocation
from mailswitch.core.errors import ConfigError, InvalidName
from mailswitch.core.names import DomainName
from mailswitch.report.clean import printable

if TYPE_CHECKING:
    from mailswitch.config.settings import Settings
    from mailswitch.service.observe import Progress
    from mailswitch.service.setup import Setup

__all__ = [
    "complain",
    "format_option",
    "fresh_option",
    "is_terminal",
    "opened",
    "progress_bar",
    "reason_given",
    "say",
    "say_json",
    "server_option",
    "settings_of",
    "show",
    "typed_names",
    "who",
    "width",
    "written",
]

_PROGRESS_AFTER_SECONDS = 2.0

format_option = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print it."
)

server_option = click.option("--server", metavar="NAME", help="Only this server of the configuration.")

fresh_option = click.option(
    "--fresh", "is_fresh", is_flag=True, help="Ask public DNS about every name anew, whatever is remembered."
)


def opened(
    invocation: Invocation,
    *,
    server: str | None = None,
    is_coming_back: bool = False,
    complaint: Callable[[str], None] | None = None,
) -> tuple[Settings, Setup]:
    """Return the checked settings, and what a pass works with; root takes on the ledger's user.

    With ``is_coming_back`` the command is its caller again at its end (`mailswitch.service.privileges.as_caller`).
    ``complaint`` tells what goes wrong without changing a pass; by default it is printed to standard error.

    Raises:
        ConfigError: with every problem of the configuration, or because no server is called ``server``.
        LedgerError: root cannot tell whose the ledger is.
    """
    from mailswitch.service.wiring import setup_of

    settings = settings_of(invocation, server=server, is_coming_back=is_coming_back)
    return settings, setup_of(settings, complaint or complain)


def settings_of(invocation: Invocation, *, server: str | None = None, is_coming_back: bool = False) -> Settings:
    """Return the checked settings; root takes on the ledger's user. Errors and arguments as `opened`."""
    from mailswitch.config.settings import find_settings
    from mailswitch.service.privileges import step_down
    from mailswitch.service.wiring import ledger_file

    settings = find_settings(invocation.config)
    if server is not None:
        settings.server(server)
    file = ledger_file(settings)
    if file is not None:
        is_local = any(one.panel == "local" for one in settings.servers)
        step_down(file, is_coming_back=is_local or is_coming_back)
    return settings


def who() -> str:
    """Return who is asking, for the record: the user behind sudo where there is one."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"uid {os.getuid()}"
    behind = os.environ.get("SUDO_USER")
    return printable(f"{behind} as {name}" if behind and behind != name else name)


def typed_names(texts: Sequence[str]) -> tuple[DomainName, ...]:
    """Return the names somebody typed, U-labels included.

    Raises:
        ConfigError: with every text that is no name.
    """
    from mailswitch.config.names import parse_name

    names: list[DomainName] = []
    problems: list[str] = []
    for text in texts:
        try:
            names.append(parse_name(text))
        except InvalidName as error:
            problems += error.problems
    if problems:
        raise ConfigError(tuple(problems))
    return tuple(dict.fromkeys(names))


def reason_given(text: str) -> str:
    """Return the reason somebody typed, for the record.

    Raises:
        ConfigError: it says nothing.
    """
    if not text.strip():
        raise ConfigError("--reason: say why, in a few words, for those who read the record later")
    return text.strip()


def is_terminal() -> bool:
    """Whether standard output is a terminal that may be coloured."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def width() -> int | None:
    """Return the terminal's width in columns; None in a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def say(text: str) -> None:
    """Print lines for people, with everything that could upset a terminal written out."""
    click.echo(printable(text, keep_newlines=True))


def complain(text: str) -> None:
    """Print lines to standard error: something went wrong that changes neither the result nor the exit code."""
    click.echo(printable(f"mailswitch: {text}", keep_newlines=True), err=True)


def say_json(document: Any) -> None:
    """Print a JSON document."""
    click.echo(json.dumps(document, ensure_ascii=True, indent=2))


@contextmanager
def progress_bar(words: str) -> Iterator[Progress | None]:
    """Show a bar on a terminal for what takes longer than two seconds; nothing in a pipe."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import Progress as Bar

    bar = Bar(transient=True, console=_error_console())
    task = bar.add_task(words, total=None)
    # By a timer, for a slow panel is waited for before there is any progress to tell of; and not before, for even an
    # invisible bar moves the cursor.
    later = threading.Timer(_PROGRESS_AFTER_SECONDS, bar.start)
    later.daemon = True
    later.start()
    try:
        yield lambda done, total: bar.update(task, completed=done, total=total)
    finally:
        later.cancel()
        later.join()
        if bar.live.is_started:
            bar.stop()


def _error_console() -> Any:
    from rich.console import Console

    return Console(stderr=True)


def written(path: Path | None, pieces: Iterable[str]) -> None:
    """Write a report, each piece as it is made, to a file, or to standard output.

    The file is made readable by its owner alone, and replaced by rename, so that a symlink is not written through and
    a reader never sees half of it. What is there and no plain file stays: a rename would replace ``/dev/null`` itself.

    Raises:
        ConfigError: it cannot be written.
    """
    if path is None:
        for piece in pieces:
            click.echo(piece, nl=False)
        return
    try:
        if _is_no_plain_file(path):
            raise ConfigError(
                f"{path}: the report is not written there, it is no plain file: name a file, or leave --output out to "
                "get it on standard output"
            )
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".tmp", dir=path.parent)
        try:
            with open(descriptor, "w", encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor, not a path
                stream.writelines(pieces)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"{path}: the report cannot be written there: {error.strerror}") from error


def _is_no_plain_file(path: Path) -> bool:
    """Whether something is there that a rename must not replace: a device, a pipe, or ``/dev/stdout``."""
    if path.is_symlink() and path.readlink().is_relative_to("/proc"):
        return True
    return path.exists() and not path.is_file()


def show(form: str, document: str, print_text: Callable[[TextIO, dict[str, Any]], None]) -> None:
    """Print one thing as a JSON document or for people; the printer gets the page and how it may look."""
    if form == "json":
        click.echo(document, nl=False)
        return
    page = io.StringIO()
    print_text(page, {"is_terminal": is_terminal(), "width": width()})
    click.echo(page.getvalue(), nl=False)
