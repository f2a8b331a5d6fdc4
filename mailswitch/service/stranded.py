"""Which names' mail has moved away, since when, and what is stranded in their mailboxes on this machine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from mailswitch.core.errors import ConfigError
from mailswitch.core.ledger import Claim, DomainHistory
from mailswitch.core.mailboxes import Exported, StrandedMail
from mailswitch.core.names import DomainName
from mailswitch.core.policy import Route
from mailswitch.service.ports import LedgerReader
from mailswitch.service.rescue_ports import MailboxSource

__all__ = ["MailHouse", "Wanted", "export_stranded", "moved_since", "stranded"]

_LOGINS_KEPT = timedelta(days=40)
"""How long the ledger keeps log-ins."""
_MOVED = frozenset({Route.ELSEWHERE, Route.IMPLICIT_ELSEWHERE, Route.FORWARDER})
"""Mail of a name on one of these does not come to this server any more, unless a co-tenant writes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailHouse:
    """A server of the configuration whose mailboxes are on this machine."""

    server: str
    mailboxes: MailboxSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for."""

    names: tuple[DomainName, ...] = ()
    """Empty: every name whose mail has moved away."""
    only: frozenset[str] = frozenset()
    """Local parts; empty: every mailbox."""
    since: datetime | None = None
    """Counts from here on, whatever is known of the move."""


def moved_since(reader: LedgerReader, server: str, history: DomainHistory) -> tuple[datetime | None, str | None]:
    """Return when a name's mail moved away, and what is to be said about that moment.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    if history.route not in _MOVED or history.since is None:
        where = "unknown" if history.route is None else str(history.route)
        return (
            None,
            f"its mail has not moved away as far as mailswitch knows (route {where}): say from when on with --since",
        )
    moments = [history.since]
    if history.last_seen_here is not None:
        moments.append(history.last_seen_here)
    if history.claim is Claim.OURS and history.claim_change is not None:
        moments += [change.intended_at for change in reader.changes(server=server, change_id=history.claim_change)]
    since = min(moments)
    if history.was_here:
        return since, None
    return since, (
        f"it was elsewhere when mailswitch first saw it, on {since:%Y-%m-%d}: what arrived before is not counted "
        "(say from when on with --since)"
    )


def stranded(
    reader: LedgerReader,
    houses: Collection[MailHouse],
    wanted: Wanted,
    *,
    as_caller: Callable[[], AbstractContextManager[None]],
) -> Iterator[StrandedMail]:
    """Yield each name with what is stranded in its mailboxes, one after another; nothing is changed.

    Args:
        reader: The ledger.
        houses: The servers whose mailboxes are on this machine.
        wanted: What is asked for.
        as_caller: Gives back the rights of whoever started the command, for the mailboxes (root's).

    Raises:
        ConfigError: there are no mailboxes here, or a name that was asked for is not known and no moment given.
        MailError: the mailboxes cannot be looked into.
        LedgerError: the ledger cannot be read.
    """
    with closing(reader):
        found = [(house, one, *_logins(reader, one)) for house, one in _subjects(reader, houses, wanted)]
    for house, one, logins, logins_since in found:
        if one.since is None:
            yield one
            continue
        with as_caller():
            tallies = tuple(house.mailboxes.tallies(one.name, since=one.since, only=wanted.only))
        yield replace(
            one,
            mailboxes=tuple(replace(tally, last_login=logins.get(tally.mailbox.lower())) for tally in tallies),
            logins_since=logins_since,
        )


def export_stranded(
    reader: LedgerReader,
    houses: Collection[MailHouse],
    wanted: Wanted,
    path: Path,
    *,
    is_with_spam: bool,
    as_caller: Callable[[], AbstractContextManager[None]],
) -> tuple[StrandedMail, Exported]:
    """Write one name's stranded mail to a new file.

    Raises:
        ConfigError: as `stranded`; or it is not exactly one name on one server, or there is a file already.
        MailError: the mailboxes cannot be read or the file cannot be written; there is none then.
        LedgerError: the ledger cannot be read.
    """
    with closing(reader):
        found = _subjects(reader, houses, wanted)
    if len(found) != 1:
        raise ConfigError("--export writes the mail of exactly one DOMAIN, for one customer: name it, and its --server")
    ((house, one),) = found
    if one.since is None:
        raise ConfigError(f"{one.name}: nothing to export, {one.remark}")
    with as_caller():
        done = house.mailboxes.export(one.name, path, since=one.since, only=wanted.only, is_with_spam=is_with_spam)
    return one, done


def _subjects(
    reader: LedgerReader, houses: Collection[MailHouse], wanted: Wanted
) -> list[tuple[MailHouse, StrandedMail]]:
    """Return whom to look at; where names are asked for, all of them."""
    if not houses:
        raise ConfigError(
            "no server of the configuration is this machine (panel: local, or a url at 127.0.0.1), so there are no "
            "mailboxes to look into: run this on the Plesk server itself"
        )
    found = [
        (house, one) for house in houses for one in _moves(reader, house.server, reader.histories(house.server), wanted)
    ]
    missing = [name for name in wanted.names if name not in {one.name for _, one in found}]
    if missing:
        asked = ", ".join(house.server for house in houses)
        raise ConfigError(
            tuple(f"{name}: no pass has seen it on {asked}: say from when on to count with --since" for name in missing)
        )
    return found


def _logins(reader: LedgerReader, one: StrandedMail) -> tuple[dict[str, datetime], datetime | None]:
    """Return the last log-in to each mailbox there is on record of, and from when on there is a record."""
    reading = reader.mail_reading(one.server)
    if reading is None or one.since is None:
        return {}, None
    last: dict[str, datetime] = {}
    for login in reader.mail_logins(one.server, one.name, since=(reading.until - _LOGINS_KEPT).date()):
        last[login.mailbox] = max(login.last, last.get(login.mailbox, login.last))
    return last, max(reading.since, reading.until - _LOGINS_KEPT)


def _moves(
    reader: LedgerReader, server: str, histories: dict[DomainName, DomainHistory], wanted: Wanted
) -> Iterable[StrandedMail]:
    if not wanted.names:
        for name, history in sorted(histories.items(), key=lambda item: item[0]):
            if history.route in _MOVED and history.gone_since is None:
                since, remark = moved_since(reader, server, history)
                yield _stranded(server, name, since, remark, wanted)
        return
    for name in wanted.names:
        if name in histories:
            since, remark = moved_since(reader, server, histories[name])
            yield _stranded(server, name, since, remark, wanted)
        elif wanted.since is not None:
            yield _stranded(server, name, None, None, wanted)


def _stranded(
    server: str, name: DomainName, since: datetime | None, remark: str | None, wanted: Wanted
) -> StrandedMail:
    if wanted.since is not None:
        return StrandedMail(server=server, name=name, since=wanted.since, remark=None)
    return StrandedMail(server=server, name=name, since=since, remark=remark)
