"""``report``: the dry run."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailswitch.cli import session
from mailswitch.cli.exit_codes import pass_code
from mailswitch.cli.invocation import Invocation
from mailswitch.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailswitch.core.names import DomainName
    from mailswitch.core.reports import PassReport

__all__ = ["only_hosted", "rendered", "report"]


@click.command()
@click.argument("domains", nargs=-1, metavar="[DOMAIN]...")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "csv", "html"]),
    default="text",
    show_default=True,
    help="text for people; json (documented, stable) and csv for programs; html, one page with every name, to mail on.",
)
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it to a file, not to the screen."
)
@session.server_option
@click.option("--exit-code", "is_telling", is_flag=True, help="Exit with 4 when changes are pending.")
@click.option("--verbose", is_flag=True, help="List every name, also those that are simply kept.")
@session.fresh_option
@click.pass_obj
def report(
    invocation: Invocation,
    *,
    domains: tuple[str, ...],
    form: str,
    output: Path | None,
    server: str | None,
    is_telling: bool,
    verbose: bool,
    is_fresh: bool,
) -> int:
    """Show what would change and why. Changes nothing and records nothing.

    Reads every panel, asks public DNS about every name, and prints the plan with its digest; with DOMAINs only those
    names. A plan that you have read is applied with 'mailswitch once --apply --plan DIGEST'.

    \b
    Exit codes: 0 done, 1 a server failed, 2 wrong usage or configuration,
    4 changes are pending (only with --exit-code).
    """
    from mailswitch.service.observe import Scope
    from mailswitch.service.privileges import as_caller
    from mailswitch.service.reconcile import PassRequest, dry_run

    names = session.typed_names(domains)
    _, setup = session.opened(invocation, server=server, is_coming_back=output is not None)
    servers = frozenset() if server is None else frozenset({server})
    scope = Scope(names=frozenset(names), servers=servers, is_fresh=is_fresh)
    with session.progress_bar("asking public DNS") as progress:
        found = dry_run(setup, PassRequest(by=session.who(), scope=scope, progress=progress))
    found = only_hosted(found, names)
    with as_caller():
        session.written(output, rendered(found, form, is_verbose=verbose, is_file=output is not None))
    return pass_code(found, is_telling_pending=is_telling)


def rendered(found: PassReport, form: str, *, is_verbose: bool, is_file: bool = False) -> Iterable[str]:
    """Return a pass in one of the formats, in one piece or in several."""
    from mailswitch.report.csv_report import report_csv
    from mailswitch.report.json_report import report_json
    from mailswitch.report.text_report import print_report

    if form == "json":
        return [report_json(found)]
    if form == "csv":
        return [report_csv(found)]
    if form == "html":
        from mailswitch.report.html_report import html_report  # jinja2 is imported for nothing else

        return html_report(found)
    page = io.StringIO()
    is_plain = is_file or not session.is_terminal()
    print_report(
        found,
        page,
        is_terminal=not is_plain,
        width=None if is_file else session.width(),
        verbose=is_verbose,
    )
    return [page.getvalue()]


def only_hosted(found: PassReport, names: tuple[DomainName, ...]) -> PassReport:
    """Leave out what was only looked at for the sake of the named ones.

    Raises:
        ConfigError: a name is hosted on none of the servers that answered, and all of them did.
    """
    from dataclasses import replace

    from mailswitch.core.reports import plan_of

    if not names:
        return found
    hosted = {entry.domain.name for server in found.servers for entry in server.domains}
    missing = [str(name) for name in names if name not in hosted]
    if missing:
        silent = [f"{server.name}: {server.error.text}" for server in found.servers if server.error is not None]
        for problem in silent:
            click.echo(f"mailswitch: {problem}", err=True)
        asked = ", ".join(server.name for server in found.servers)
        raise ConfigError(tuple(f"{name} is not hosted on any server that was asked ({asked})" for name in missing))
    servers = tuple(
        replace(server, domains=tuple(entry for entry in server.domains if entry.domain.name in names))
        for server in found.servers
    )
    alerts = tuple(alert for alert in found.alerts if alert.name is None or alert.name in names)
    return replace(found, servers=servers, plan=plan_of(servers), alerts=alerts)
