"""``explain``: everything about one domain."""

from __future__ import annotations

import click

from mailswitch.cli import session
from mailswitch.cli.invocation import Invocation
from mailswitch.core.errors import ConfigError

__all__ = ["explain"]


@click.command()
@click.argument("domain")
@session.server_option
@session.format_option
@click.pass_obj
def explain(invocation: Invocation, *, domain: str, server: str | None, form: str) -> int:
    """Tell everything about DOMAIN: what each vantage answers, every guard, and what happens next and when.

    Asks every vantage anew. Changes nothing and records nothing. A name on several servers is explained for each;
    --format json is about one of them, so name it with --server.
    """
    from mailswitch.report.explain import explain_json, print_explain
    from mailswitch.service.explain import explain as explained

    (name,) = session.typed_names((domain,))
    _, setup = session.opened(invocation, server=server)
    found = explained(setup, name, by=session.who(), server=server)
    if form == "json" and len(found) > 1:
        servers = ", ".join(one.server for one in found)
        raise ConfigError(f"{name} is hosted on several servers ({servers}): say which with --server")
    for one in found:
        session.show(form, explain_json(one), lambda page, look, one=one: print_explain(one, page, **look))  # type: ignore[misc]
    return 0
