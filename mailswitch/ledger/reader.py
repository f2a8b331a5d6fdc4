"""Reading a ledger: the stored one, and the empty one that stands for a ledger not made yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, Table, func, select

from mailswitch.core.ledger import Approval, Change, DomainHistory, Pause, Pin, Recheck, Run, ServerPass, ServerState
from mailswitch.core.names import DomainName
from mailswitch.core.notices import NoticeMemory
from mailswitch.ledger import tables
from mailswitch.ledger.mail import EmptyMail, MailReader
from mailswitch.ledger.marker import Mark, MarkerFile, mark_of
from mailswitch.ledger.rescue import EmptyRescues, RescueReader
from mailswitch.ledger.rows import columns_of, damage_told, raw, shared_value_maker, value_maker
from mailswitch.ledger.schema import check_readable
from mailswitch.ledger.session import Session

__all__ = ["EmptyLedger", "StoredReader", "reader_of"]

_V = TypeVar("_V", Approval, Change, NoticeMemory, Pause, Pin, Recheck, Run, ServerPass, ServerState)
_R = TypeVar("_R")


class StoredReader(MailReader, RescueReader):
    """A ledger's rows as values; satisfies LedgerReader. Each method sees one state of the ledger."""

    def __init__(self, session: Session, *, marker: MarkerFile | None = None) -> None:
        """Read through ``session``, which is closed with the reader; ``marker`` tells whether it is an old ledger."""
        self._session = session
        self._marker = marker

    def run_count(self) -> int:
        """Return how many runs were ever recorded, those included that were pruned."""
        wanted = select(func.max(tables.runs.c.number))
        return self._session.read(lambda connection: connection.execute(wanted).scalar_one()) or 0

    def histories(self, server: str) -> dict[DomainName, DomainHistory]:
        """Return what is remembered of each name of a server."""
        table = tables.names
        columns = [table.c.name, *columns_of(table, DomainHistory)]
        wanted = select(*map(raw, columns)).where(table.c.server == server)

        def act(connection: Connection) -> dict[DomainName, DomainHistory]:
            history = shared_value_maker(table, DomainHistory, connection.dialect)
            rows = connection.execute(wanted)
            return {DomainName(row[0]): history(row[1:]) for row in rows}

        return self._act(act)

    def server_state(self, server: str) -> ServerState | None:
        """Return what is remembered of a server; None before its first pass."""
        return self._one(
            ServerState, _all(tables.server_states, ServerState).where(tables.server_states.c.server == server)
        )

    def pins(self) -> tuple[Pin, ...]:
        """Return every pin, expired ones included, oldest first."""
        table = tables.pins
        return self._many(Pin, _all(table, Pin).order_by(table.c.at, table.c.pattern))

    def approvals(self) -> tuple[Approval, ...]:
        """Return every approval, expired ones included, oldest first."""
        table = tables.approvals
        return self._many(Approval, _all(table, Approval).order_by(table.c.at, table.c.server, table.c.name))

    def pause(self) -> Pause | None:
        """Return the pause in force, if any: one of its own accord while this is not the ledger written last."""
        return self._doubt() or self._one(Pause, _all(tables.pause, Pause))

    def changes(
        self,
        *,
        server: str | None = None,
        name: DomainName | None = None,
        run_id: str | None = None,
        change_id: int | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> tuple[Change, ...]:
        """Return changes and open intents that match all that is given, newest first."""
        table = tables.changes
        given = {table.c.server: server, table.c.name: name, table.c.run_id: run_id, table.c.id: change_id}
        wanted = _all(table, Change).where(*(column == value for column, value in given.items() if value is not None))
        if since is not None:
            wanted = wanted.where(table.c.intended_at >= since)
        return self._many(Change, wanted.order_by(table.c.id.desc()).limit(limit))

    def unsettled(self, server: str | None = None) -> tuple[Change, ...]:
        """Return the intents without an outcome, oldest first."""
        table = tables.changes
        wanted = _all(table, Change).where(table.c.outcome.is_(None))
        if server is not None:
            wanted = wanted.where(table.c.server == server)
        return self._many(Change, wanted.order_by(table.c.id))

    def last_run(self) -> Run | None:
        """Return the run started last; by the order of recording, which no clock can turn round."""
        return self._one(Run, _all(tables.runs, Run).order_by(tables.runs.c.number.desc()).limit(1))

    def last_passes(self) -> tuple[ServerPass, ...]:
        """Return the last pass over each server's names ever recorded, by server name."""
        table = tables.server_passes
        last = select(func.max(table.c.number)).where(~table.c.is_partial).group_by(table.c.server)
        found = self._many(ServerPass, _all(table, ServerPass).where(table.c.number.in_(last)))
        return tuple(sorted(found, key=lambda done: done.server))

    def recent_passes(self, server: str, *, limit: int) -> tuple[ServerPass, ...]:
        """Return the last passes over a server's names, newest first."""
        table = tables.server_passes
        wanted = _all(table, ServerPass).where(table.c.server == server, ~table.c.is_partial)
        return self._many(ServerPass, wanted.order_by(table.c.number.desc()).limit(limit))

    def rechecks(self, *, limit: int) -> tuple[Recheck, ...]:
        """Return what the daemon was asked to look at and has not taken up yet, oldest first."""
        table = tables.rechecks
        return self._many(Recheck, _all(table, Recheck).order_by(table.c.at, table.c.name).limit(limit))

    def next_passes(self) -> dict[str, datetime]:
        """Return when the daemon meant to look at each server next; it may have ended since."""
        wanted = select(tables.next_passes.c.server, tables.next_passes.c.at)
        return self._read(wanted, lambda rows: {row.server: row.at for row in rows})

    def changes_after(self, number: int) -> tuple[Change, ...]:
        """Return the changes and open intents recorded after change ``number``, oldest first."""
        table = tables.changes
        return self._many(Change, _all(table, Change).where(table.c.id > number).order_by(table.c.id))

    def notice_memory(self) -> NoticeMemory | None:
        """Return what is remembered of notices; None before the first."""
        return self._one(NoticeMemory, _all(tables.notice_memory, NoticeMemory))

    def close(self) -> None:
        """Give back connections. Harmless when called again."""
        self._session.close()

    def _doubt(self) -> Pause | None:
        return None if self._marker is None else self._marker.doubt(self._holds)

    def _holds(self, mark: Mark) -> bool:
        runs = select(tables.runs.c.id).where(tables.runs.c.id == mark.run_id)
        is_run_known = mark.run_id is None or bool(self._read(runs, list))
        if mark.change is None or not is_run_known:
            return is_run_known
        (found,) = self.changes(change_id=mark.change[0]) or (None,)
        mine = mark_of(None, found)
        return mine is not None and mine.change == mark.change

    def _read(self, wanted: Select[Any], make: Callable[[Iterable[Row[Any]]], _R]) -> _R:
        return self._act(lambda connection: make(connection.execute(wanted)))

    def _act(self, act: Callable[[Connection], _R]) -> _R:
        """Return what ``act`` reads in one transaction, damage told as such."""

        def told(connection: Connection) -> _R:
            with damage_told(self._session.place):
                return act(connection)

        return self._session.read(told)

    def _many(self, kind: type[_V], wanted: Select[Any]) -> tuple[_V, ...]:
        return self._read(wanted, lambda rows: tuple(map(value_maker(kind), rows)))

    def _one(self, kind: type[_V], wanted: Select[Any]) -> _V | None:
        return next(iter(self._many(kind, wanted)), None)


class EmptyLedger(EmptyMail, EmptyRescues):
    """A ledger that does not exist yet; satisfies LedgerReader."""

    def __init__(self, *, marker: MarkerFile | None = None) -> None:
        """Keep the marker: where it names anything, there was a ledger."""
        self._marker = marker

    def run_count(self) -> int:
        """Return 0."""
        return 0

    def histories(self, server: str) -> dict[DomainName, DomainHistory]:
        """Return nothing."""
        return {}

    def server_state(self, server: str) -> ServerState | None:
        """Return None."""

    def pins(self) -> tuple[Pin, ...]:
        """Return nothing."""
        return ()

    def approvals(self) -> tuple[Approval, ...]:
        """Return nothing."""
        return ()

    def pause(self) -> Pause | None:
        """Return the pause of a ledger that was there and is gone; None where there never was one."""
        return None if self._marker is None else self._marker.doubt(lambda _: False)

    def changes(
        self,
        *,
        server: str | None = None,
        name: DomainName | None = None,
        run_id: str | None = None,
        change_id: int | None = None,
        since: datetime | None = None,
        limit: int | None = None,
    ) -> tuple[Change, ...]:
        """Return nothing."""
        return ()

    def unsettled(self, server: str | None = None) -> tuple[Change, ...]:
        """Return nothing."""
        return ()

    def last_run(self) -> Run | None:
        """Return None."""

    def last_passes(self) -> tuple[ServerPass, ...]:
        """Return nothing."""
        return ()

    def recent_passes(self, server: str, *, limit: int) -> tuple[ServerPass, ...]:
        """Return nothing."""
        return ()

    def rechecks(self, *, limit: int) -> tuple[Recheck, ...]:
        """Return nothing."""
        return ()

    def next_passes(self) -> dict[str, datetime]:
        """Return nothing."""
        return {}

    def changes_after(self, number: int) -> tuple[Change, ...]:
        """Return nothing."""
        return ()

    def notice_memory(self) -> NoticeMemory | None:
        """Return None."""

    def close(self) -> None:
        """Do nothing."""


def reader_of(session: Session, marker: MarkerFile | None = None) -> StoredReader | EmptyLedger:
    """Return what reads through ``session``; one that holds no ledger yet is closed and reads as empty.

    Raises:
        LedgerError: it cannot be read, or has a schema that this program does not know; the session is closed.
    """
    try:
        if check_readable(session):
            return StoredReader(session, marker=marker)
    except BaseException:
        session.close()
        raise
    session.close()
    return EmptyLedger(marker=marker)


def _all(table: Table, kind: type[_V]) -> Select[Any]:
    return select(*columns_of(table, kind))
