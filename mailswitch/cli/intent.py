"""``pin``, ``unpin``, ``approve``, ``pause``, ``resume``: what operators want, kept in the ledger with who and when."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import click

from mailswitch.cli import session
from mailswitch.cli.invocation import Invocation
from mailswitch.core.errors import ConfigError
from mailswitch.core.ledger import Guard

if TYPE_CHECKING:
    from mailswitch.core.ledger import Approval
    from mailswitch.service.ports import LedgerPlace

__all__ = ["approve", "pause", "pin", "resume", "unpin"]

_WAIT = timedelta(seconds=30)
"""How long a busy ledger is waited for."""

_LIFTABLE = [guard.value for guard in Guard if guard.is_liftable]
_AHEAD = re.compile(r"([0-9]{1,4})([dh])")


@click.command()
@click.argument("domain", required=False)
@click.option("--reason", metavar="TEXT", help="Why, for the record. Needed to pin.")
@click.option("--until", metavar="DATE", help="When the pin ends by itself: 2027-01-31, 2027-01-31T18:00, or 30d.")
@click.option("--list", "is_listing", is_flag=True, help="List the pins instead.")
@session.format_option
@click.pass_obj
def pin(
    invocation: Invocation, *, domain: str | None, reason: str | None, until: str | None, is_listing: bool, form: str
) -> int:
    """Never turn DOMAIN off; it may be a pattern such as '*.example.jp'. Never switches anything by itself.

    A pin on '*.example.jp' does not include example.jp. A second pin on the same pattern replaces the first.
    """
    from mailswitch.config.names import parse_pattern
    from mailswitch.core.ledger import Pin

    now = datetime.now(UTC)
    if is_listing:
        _show_pins(_place(invocation), form, now)
        return 0
    if domain is None or not (reason or "").strip():
        raise ConfigError("pin needs a DOMAIN and a --reason (mailswitch pin --list shows the pins)")
    made = Pin(pattern=parse_pattern(domain), reason=reason or "", by=session.who(), at=now, until=_moment(until, now))
    with _place(invocation).writer(wait=_WAIT) as ledger:
        ledger.add_pin(made)
    session.say(f"{made.pattern} is pinned" + ("" if made.until is None else f" until {made.until:%Y-%m-%d %H:%M} UTC"))
    return 0


@click.command()
@click.argument("domain")
@click.pass_obj
def unpin(invocation: Invocation, *, domain: str) -> int:
    """Take the pin on DOMAIN (a name or pattern, as it was pinned) away."""
    from mailswitch.config.names import parse_pattern

    pattern = parse_pattern(domain)
    with _place(invocation).writer(wait=_WAIT) as ledger:
        was_there = ledger.remove_pin(pattern)
    if not was_there:
        raise ConfigError(f"there is no pin on {pattern} (mailswitch pin --list shows the pins)")
    session.say(f"{pattern} is no longer pinned")
    return 0


@click.command()
@click.argument("domains", nargs=-1, metavar="DOMAIN...")
@click.option(
    "--despite",
    "guards",
    multiple=True,
    metavar="GUARD",
    help=f"Also lift this guard (repeat it for more): {', '.join(_LIFTABLE)}.",
)
@session.server_option
@click.option("--list", "is_listing", is_flag=True, help="List the approvals instead.")
@session.format_option
@click.pass_obj
def approve(
    invocation: Invocation,
    *,
    domains: tuple[str, ...],
    guards: tuple[str, ...],
    server: str | None,
    is_listing: bool,
    form: str,
) -> int:
    """Say yes to turning DOMAINs off, as they are routed now.

    The approval is bound to the route and exchanges seen now and ends after 30 days. It is used by the next pass in
    mode approve or enforce; with --despite also against guards that a review may lift.
    """
    from mailswitch.service.approve import approve as give

    if is_listing:
        reader = _place(invocation).reader()
        try:
            _show_approvals(reader.approvals(), form)
        finally:
            reader.close()
        return 0
    if not domains:
        raise ConfigError("approve needs at least one DOMAIN (mailswitch approve --list shows the approvals)")
    despite = _guards(guards)
    names = session.typed_names(domains)
    _, setup = session.opened(invocation, server=server)
    _show_approvals(give(setup, names, despite, by=session.who(), server=server), form)
    return 0


@click.command()
@click.option("--reason", metavar="TEXT", help="Why, for the record.")
@click.pass_obj
def pause(invocation: Invocation, *, reason: str | None) -> int:
    """Stop all changes, those by hand included. Observation goes on, so that nothing is forgotten."""
    from mailswitch.core.ledger import Pause

    with _place(invocation).writer(wait=_WAIT) as ledger:
        former = ledger.pause()
        if former is not None:
            session.say(f"paused already, by {former.by} since {former.at:%Y-%m-%d %H:%M} UTC")
            return 0
        ledger.set_pause(Pause(by=session.who(), at=datetime.now(UTC), reason=reason))
    session.say("paused: nothing is changed until 'mailswitch resume'")
    return 0


@click.command()
@click.pass_obj
def resume(invocation: Invocation) -> int:
    """End a pause."""
    with _place(invocation).writer(wait=_WAIT) as ledger:
        was_paused = ledger.pause() is not None
        ledger.set_pause(None)
    session.say("changes are made again" if was_paused else "there was no pause")
    return 0


def _place(invocation: Invocation) -> LedgerPlace:
    from mailswitch.service.wiring import ledger_of

    return ledger_of(session.settings_of(invocation))


def _show_pins(place: LedgerPlace, form: str, now: datetime) -> None:
    from mailswitch.report.records import pins_json, print_pins

    reader = place.reader()
    try:
        pins = reader.pins()
    finally:
        reader.close()
    session.show(form, pins_json(pins, now=now), lambda page, look: print_pins(pins, page, now=now, **look))


def _show_approvals(approvals: tuple[Approval, ...], form: str) -> None:
    from mailswitch.config.names import shown_name
    from mailswitch.report.records import approvals_json, print_approvals

    now = datetime.now(UTC)
    session.show(
        form,
        approvals_json(approvals, now=now),
        lambda page, look: print_approvals(approvals, page, now=now, display=shown_name, **look),
    )


def _guards(texts: tuple[str, ...]) -> frozenset[Guard]:
    wrong = [text for text in texts if text not in _LIFTABLE]
    if wrong:
        known = {guard.value for guard in Guard}
        raise ConfigError(
            tuple(
                f"--despite {text}: "
                + (
                    "no review lifts this guard"
                    if text in known
                    else f"no such guard (there are: {', '.join(_LIFTABLE)})"
                )
                for text in wrong
            )
        )
    return frozenset(Guard(text) for text in texts)


def _moment(text: str | None, now: datetime) -> datetime | None:
    """Return when a pin ends: a date means the end of that day in UTC."""
    if text is None:
        return None
    ahead = _AHEAD.fullmatch(text)
    if ahead is not None:
        amount, unit = int(ahead[1]), ahead[2]
        return now + (timedelta(days=amount) if unit == "d" else timedelta(hours=amount))
    try:
        if len(text) == len("2027-01-31"):
            end = datetime.combine(date.fromisoformat(text), time.max, UTC).replace(microsecond=0)
        else:
            end = datetime.fromisoformat(text)
            end = end.replace(tzinfo=UTC) if end.tzinfo is None else end.astimezone(UTC)
    except ValueError as error:
        raise ConfigError(f"--until {text}: no date (write 2027-01-31, 2027-01-31T18:00 in UTC, or 30d)") from error
    if end <= now:
        raise ConfigError(f"--until {text}: that is in the past")
    return end
