"""How mailswitch fares, by what the ledger says: for ``status``, and for whoever watches its exit code."""

from __future__ import annotations

from datetime import datetime, timedelta

from mailswitch.core.ledger import Claim, DomainHistory, ServerPass
from mailswitch.core.policy import HERE_ROUTES, Mode, Route
from mailswitch.core.reports import ServerError
from mailswitch.core.words import counted
from mailswitch.report.status import ServerStatus, Status
from mailswitch.service.ports import LedgerReader
from mailswitch.service.setup import ManagedServer, Setup

__all__ = ["status_of"]


def status_of(setup: Setup, *, stale_after: timedelta) -> Status:
    """Return how each configured server fares.

    Args:
        setup: What passes work with; no panel and no vantage is asked.
        stale_after: How old a last pass may be.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    now = setup.now()
    reader = setup.ledger.reader()
    try:
        passes = {one.server: one for one in reader.last_passes()}
        owned = {one.name: _owned(reader, one) for one in setup.servers}
        unsettled = reader.unsettled()
        known = {one.name for one in setup.servers}
        lost = sorted({change.server for change in unsettled} - known)
        return Status(
            now=now,
            mode=setup.mode,
            servers=tuple(_server(one.name, passes.get(one.name), now, stale_after) for one in setup.servers),
            last_run=reader.last_run(),
            paused=reader.pause(),
            unsettled=len(unsettled),
            refused_mail=tuple(name for one in setup.servers for name in _refused(one, owned[one.name])),
            problems=tuple(
                f"a change on {name} is not settled, and {name} is no longer in the configuration" for name in lost
            ),
            warnings=_unwatched(setup.mode, sum(len(histories) for histories in owned.values())),
        )
    finally:
        reader.close()


def _server(name: str, last: ServerPass | None, now: datetime, stale_after: timedelta) -> ServerStatus:
    if last is None:
        return ServerStatus(server=name, last_pass=None, age=None)
    age = now - last.finished
    error = None if last.error_code is None else ServerError(code=last.error_code, text=last.error_text or "")
    return ServerStatus(
        server=name, last_pass=last.finished, age=age, error=error, counts=last.counts, is_stale=age > stale_after
    )


def _owned(reader: LedgerReader, server: ManagedServer) -> list[tuple[str, DomainHistory]]:
    """Return the names of a server that are off by us."""
    histories = reader.histories(server.name)
    return sorted((name.text, one) for name, one in histories.items() if one.claim is Claim.OURS)


def _refused(server: ManagedServer, owned: list[tuple[str, DomainHistory]]) -> list[str]:
    """Return the names that we turned off and whose mail is routed here again: it is being refused."""
    grounds = HERE_ROUTES | {Route.GATEWAY}
    return [
        f"{name} ({server.name})"
        for name, history in owned
        if history.route in grounds and history.route is not history.claim_route
    ]


def _unwatched(mode: Mode, owned: int) -> tuple[str, ...]:
    if mode is not Mode.REPORT or not owned:
        return ()
    switches = counted(owned, "switch is", "switches are")
    return (
        f"{switches} off by mailswitch, and in mode report nobody turns them on again when mail comes back: "
        "use mode enforce, or restore them with mailswitch revert --all",
    )
