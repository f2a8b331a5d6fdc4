"""``doctor``: a check-up that changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import click

from mailswitch.cli import session
from mailswitch.cli.exit_codes import DONE, FAILED
from mailswitch.cli.invocation import Invocation

if TYPE_CHECKING:
    from mailswitch.config.settings import Settings
    from mailswitch.core.names import DomainName
    from mailswitch.service.doctor import LedgerState
    from mailswitch.service.vantage_check import RootState, VantageState

__all__ = ["doctor"]


@click.command()
@session.server_option
@session.format_option
@click.pass_obj
def doctor(invocation: Invocation, *, server: str | None, form: str) -> int:
    """Check panels, rights, versions, addresses, vantages, clock and ledger, and say what each failure means.

    Reads only. Shows what your Plesk really answers where its documentation does not say.

    \b
    Exit codes: 0 nothing to put right, 1 something is, 2 wrong usage or configuration.
    """
    from dataclasses import replace

    from mailswitch.config.cautions import cautions
    from mailswitch.report.doctor import Grade, doctor_json, print_doctor
    from mailswitch.service.doctor import check_up
    from mailswitch.service.resolver_wiring import own_resolver_prober

    settings, setup = session.opened(invocation, server=server)
    if server is not None:
        setup = replace(setup, servers=tuple(one for one in setup.servers if one.name == server))
    found = check_up(
        setup,
        probe_vantages=lambda hosted: _vantages(settings, hosted),
        inspect_ledger=lambda: _ledger(settings),
        probe_root=lambda: _root(settings),
        probe_own_resolvers=own_resolver_prober(settings),
        cautions=cautions(settings),
    )
    session.show(form, doctor_json(found), lambda page, look: print_doctor(found, page, **look))
    return FAILED if any(one.grade is Grade.PROBLEM for one in found) else DONE


def _vantages(settings: Settings, hosted: Sequence[DomainName]) -> Iterable[VantageState]:
    from mailswitch.service.wiring import vantage_prober

    prober, vantages = vantage_prober(settings, hosted)
    with ThreadPoolExecutor(max_workers=max(len(vantages), 1)) as pool:
        return list(pool.map(prober, vantages))


def _root(settings: Settings) -> RootState | None:
    from mailswitch.service.wiring import tried_root

    return tried_root(settings)


def _ledger(settings: Settings) -> LedgerState:
    from mailswitch.service.wiring import inspected_ledger

    return inspected_ledger(settings)
