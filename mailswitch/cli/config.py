"""``config``: write a commented sample, check a file whole, show the values in force."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from mailswitch.cli.invocation import Invocation
from mailswitch.core.errors import ConfigError

__all__ = ["config"]

_MODE = 0o640  # a ledger's URL may hold a password


@click.group()
def config() -> None:
    """Write, check or show the configuration."""


@config.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Write the sample to this file, which must not exist yet, instead of printing it.",
)
def init(*, output: Path | None) -> None:
    """Print a commented sample configuration, or write it to a file.

    It works as it is on a Plesk server and never changes anything until you say so (mode: report).
    """
    from mailswitch.config.show import example_text

    if output is None:
        click.echo(example_text(), nl=False)
        return
    _write_new(output, example_text())
    click.echo(f"{output}: written. Edit it, then: mailswitch --config {output} config check")


@config.command()
@click.pass_obj
def check(invocation: Invocation) -> None:
    """Tell every problem at once, each with its line; exit code 2 if there is one.

    Secrets are read (not shown) and certificate files are looked at; nothing is asked over the network: that is what
    'mailswitch doctor' does.
    """
    from mailswitch.config.cautions import cautions
    from mailswitch.config.settings import find_settings

    settings = find_settings(invocation.config)
    for caution in cautions(settings):
        click.echo(f"{settings.origin}: caution: {caution}", err=True)
    operators = {vantage.vantage.operator.casefold() for vantage in settings.dns.vantages}
    click.echo(
        f"{settings.origin}: no problems ({_count(len(settings.servers), 'server')}, "
        f"{_count(len(settings.dns.vantages), 'vantage')} of {_count(len(operators), 'operator')}, "
        f"mode {settings.mode})"
    )


@config.command()
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to show it."
)
@click.pass_obj
def show(invocation: Invocation, *, form: str) -> None:
    """Show the values in force, defaults included, with secrets masked.

    The text is YAML that can be used as a configuration again.
    """
    from mailswitch.config.settings import find_settings
    from mailswitch.config.show import effective
    from mailswitch.config.show import show as as_yaml

    settings = find_settings(invocation.config)
    click.echo(json.dumps(effective(settings), indent=2) if form == "json" else as_yaml(settings).rstrip("\n"))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _write_new(path: Path, text: str) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    except FileExistsError as error:
        raise ConfigError(f"{path}: there is a file already, and it is not overwritten: name another one") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot write the sample: {error.strerror}") from error
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
