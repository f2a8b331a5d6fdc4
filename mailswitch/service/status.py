"""How mailswitch fares, by what the ledger says: for ``status``, and for whoever watches its exit code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from mailswitch.core.domain import HostedDomain, Kind, Switch
from mailswitch.core.evidence import LogReading
from mailswitch.core.ledger import Claim, DomainHistory, Outcome, ServerPass
from mailswitch.core.names import DomainName
from mailswitch.core.policy import Mode, Policy, Route
from mailswitch.core.reports import ServerError
from mailswitch.core.senders import LOG_SPAN, refused_here
from mailswitch.core.table import is_ground_for_turning_on
from mailswitch.core.words import counted
from mailswitch.report.status import ServerStatus, Status
from mailswitch.service.local_evidence import SILENCE, mail_log
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
        refused = {one.name: _refused(reader, one, owned[one.name], now) for one in setup.servers}
        unsettled = reader.unsettled()
        known = {one.name for one in setup.servers}
        lost = sorted({change.server for change in unsettled} - known)
        return Status(
            now=now,
            mode=setup.mode,
            servers=tuple(_server(one.name, passes.get(one.name), now, stale_after) for one in setup.servers),
            last_run=reader.last_run(),
            paused=reader.pause(),
            next_pass=_next_pass(setup, reader, known),
            unsettled=len(unsettled),
            refused_mail=tuple(name for names in refused.values() for name in names),
            problems=(
                *(f"a change on {name} is not settled, and {name} is no longer in the configuration" for name in lost),
                *_held_back(setup, reader, passes, owned, refused),
            ),
            warnings=_unwatched(setup.mode, sum(len(histories) for histories in owned.values())),
        )
    finally:
        reader.close()


def _next_pass(setup: Setup, reader: LedgerReader, known: set[str]) -> datetime | None:
    """Return when a daemon looks next, if one is running: one that was killed left its intentions behind."""
    moments = [moment for server, moment in reader.next_passes().items() if server in known]
    return min(moments) if moments and setup.ledger.has_daemon() else None


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
    return sorted((name.text, one) for name, one in histories.items() if one.claim is Claim.OURS and not one.gone_since)


def _refused(
    reader: LedgerReader, server: ManagedServer, owned: list[tuple[str, DomainHistory]], now: datetime
) -> list[str]:
    """Return the names that we turned off and whose mail is routed here again, or sent here all the same: refused."""
    reading = reader.mail_reading(server.name)
    return [
        f"{name} ({server.name})"
        for name, history in owned
        if (history.route is not None and _is_ground(server.policy, name, history.route))
        or (reading is not None and _is_still_sent(reader, server, name, history, log=reading, now=now))
    ]


def _is_still_sent(
    reader: LedgerReader, server: ManagedServer, name: str, history: DomainHistory, *, log: LogReading, now: datetime
) -> bool:
    """Whether the server's own mail log is a ground to turn a name on again, as far as it is in the ledger."""
    domain = DomainName(name)
    if domain in server.policy.never_local or not domain.is_host_name or now - log.until > SILENCE:
        return False
    counts = reader.mail_counts(server.name, domain, since=(now - LOG_SPAN).date())
    turned = reader.changes(change_id=history.claim_change) if counts and history.claim_change is not None else ()
    turned_off = turned[0].finished_at if turned else None
    found = refused_here(mail_log(counts, log, now), history, now, turned_off=turned_off)
    return found is not None and found.is_ground_for_turning_on


def _is_ground(policy: Policy, name: str, route: Route) -> bool:
    off = HostedDomain(name=DomainName(name), display_name=name, kind=Kind.DOMAIN, switch=Switch.OFF, panel_id="")
    return is_ground_for_turning_on(route, policy.action(off, route))


def _held_back(
    setup: Setup,
    reader: LedgerReader,
    passes: Mapping[str, ServerPass],
    owned: Mapping[str, list[tuple[str, DomainHistory]]],
    refused: Mapping[str, list[str]],
) -> Iterator[str]:
    """Tell of turn-ons the last pass could not make, and that neither route nor mail log shows."""
    for one in setup.servers:
        last = passes.get(one.name)
        if last is None:
            continue
        counts = dict(last.counts)
        since = reader.changes(server=one.name, since=last.finished)
        made = sum(1 for change in since if change.switch_to is Switch.ON and change.outcome is Outcome.DONE)
        left = counts.get("turn_on", 0) - counts.get("done", 0) - made - len(refused[one.name])
        if left > 0 and len(owned[one.name]) >= left:
            names = counted(left, "name is", "names are")
            yield f"{one.name}: {names} still off by mailswitch and should be on: mailswitch report shows which and why"


def _unwatched(mode: Mode, owned: int) -> tuple[str, ...]:
    if mode is not Mode.REPORT or not owned:
        return ()
    switches = counted(owned, "switch is", "switches are")
    return (
        f"{switches} off by mailswitch, and in mode report nobody turns them on again when mail comes back: "
        "use mode enforce, or restore them with mailswitch revert --all",
    )
