"""Writing a ledger: each method is one transaction, on the disk when it returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mailswitch.core.errors import LedgerError
from mailswitch.core.ledger import (
    Approval,
    Change,
    Claim,
    DomainHistory,
    Outcome,
    Pause,
    Pin,
    Recheck,
    Run,
    ServerPass,
    ServerState,
)
from mailswitch.core.names import DomainName, NamePattern
from mailswitch.core.notices import NoticeMemory
from mailswitch.core.policy import Route
from mailswitch.ledger import tables
from mailswitch.ledger.mail import MailWriter
from mailswitch.ledger.marker import mark_of
from mailswitch.ledger.pruning import prune
from mailswitch.ledger.reader import StoredReader
from mailswitch.ledger.rescue import RescueWriter
from mailswitch.ledger.rows import columns_of, damage_told, row_of, value_maker

__all__ = ["StoredLedger"]

_CLAIM = ("claim", "claim_change", "claim_route", "claim_exchanges")


class StoredLedger(StoredReader, MailWriter, RescueWriter):
    """A ledger that can be written; satisfies Ledger. Safe to share between threads, which then take turns."""

    def begin_run(self, run: Run) -> None:
        """Record that a pass started.

        Raises:
            LedgerError: it cannot be written, or there is a run of this id.
        """
        with self._session.transaction("write to") as connection:
            connection.execute(insert(tables.runs), row_of(run))
        self._leave_mark()

    def finish_run(self, run: Run) -> None:
        """Record how the pass with ``run.id`` ended.

        Raises:
            LedgerError: it cannot be written, or there is no such run.
        """
        with self._session.transaction("write to") as connection:
            done = connection.execute(update(tables.runs).where(tables.runs.c.id == run.id).values(row_of(run)))
            if done.rowcount != 1:
                raise LedgerError(f"cannot write to the ledger {self._session.place}: it has no run {run.id!r}")

    def record_pass(
        self, state: ServerState | None, done: ServerPass, histories: Mapping[DomainName, DomainHistory]
    ) -> None:
        """Record one server's part of a pass in one transaction; names that are not in ``histories`` keep their rows.

        Recorded twice for one run and server, the later one counts.

        Raises:
            LedgerError: it cannot be written, or its run was not begun; nothing of it is kept then.
        """
        rows = [{"server": done.server, "name": name, **row_of(history)} for name, history in histories.items()]
        with self._session.transaction("write to") as connection:
            _upsert(connection, tables.server_passes, [row_of(done)], key=("run_id", "server"))
            if state is not None:
                _upsert(connection, tables.server_states, [row_of(state)], key=("server",))
            if rows:
                _upsert(connection, tables.names, rows, key=("server", "name"))

    def intend(self, change: Change) -> int:
        """Record the intent of a change, durably, and return its id.

        Raises:
            LedgerError: it cannot be written; the change must not be made then.
            ValueError: ``change`` has an id or an outcome already.
        """
        if change.id is not None or change.outcome is not None or change.finished_at is not None:
            raise ValueError(f"the change of {change.name} is no new intent: it has an id or an outcome")
        row = row_of(change)
        del row["id"]
        with self._session.transaction("write to") as connection:
            given: Any = connection.execute(insert(tables.changes).values(row)).inserted_primary_key
        self._leave_mark()
        return int(given[0])

    def settle(
        self,
        change_id: int,
        *,
        outcome: Outcome,
        error: str | None,
        at: datetime,
        claim: Claim | None,
        claim_route: Route | None = None,
        claim_exchanges: tuple[DomainName, ...] = (),
    ) -> None:
        """Record a change's outcome, and with ``claim`` whose the switch is now, in one transaction.

        A change that has an outcome already keeps it, and then the claim is left alone too.

        Raises:
            LedgerError: it cannot be written, or there is no such change.
        """
        table = tables.changes
        with self._session.transaction("write to") as connection:
            settled = connection.execute(
                update(table)
                .where(table.c.id == change_id, table.c.outcome.is_(None))
                .values(outcome=outcome, error=error, finished_at=at)
            )
            whose = connection.execute(
                select(table.c.server, table.c.name).where(table.c.id == change_id)
            ).one_or_none()
            if whose is None:
                raise LedgerError(f"cannot write to the ledger {self._session.place}: it has no change {change_id}")
            if settled.rowcount != 1 or claim is None:
                return
            claimed = DomainHistory(
                first_seen=at,
                claim=claim,
                claim_change=change_id,
                claim_route=claim_route,
                claim_exchanges=claim_exchanges,
            )
            row = {"server": whose.server, "name": whose.name, **row_of(claimed)}
            _upsert(connection, tables.names, [row], key=("server", "name"), only=_CLAIM)

    def add_pin(self, pin: Pin) -> None:
        """Record a pin; one for the same pattern replaces the former."""
        with self._session.transaction("write to") as connection:
            _upsert(connection, tables.pins, [row_of(pin)], key=("pattern",))

    def remove_pin(self, pattern: NamePattern) -> bool:
        """Remove the pin of exactly this pattern; return whether there was one."""
        with self._session.transaction("write to") as connection:
            return connection.execute(delete(tables.pins).where(tables.pins.c.pattern == pattern)).rowcount > 0

    def add_approval(self, approval: Approval) -> None:
        """Record an approval; one for the same server and name replaces the former."""
        with self._session.transaction("write to") as connection:
            _upsert(connection, tables.approvals, [row_of(approval)], key=("server", "name"))

    def set_pause(self, pause: Pause | None) -> None:
        """Pause, or with None resume.

        To resume also takes a ledger in doubt for what it is, but for its sightings: mail may have been here since.
        """
        is_in_doubt = pause is None and self._doubt() is not None
        unseen = {"sightings": 0, "last_sighting": None, "credited": timedelta(0)}
        with self._session.transaction("write to") as connection:
            connection.execute(delete(tables.pause))
            if is_in_doubt:
                connection.execute(update(tables.names).values(unseen))
            if pause is not None:
                connection.execute(insert(tables.pause), {"id": 1, **row_of(pause)})
        if pause is None:
            self._leave_mark(is_taken=True)

    def request_recheck(self, names: Iterable[DomainName], *, by: str, at: datetime) -> None:
        """Ask the running daemon to look at names now; a name asked for already stands as it is."""
        table = tables.rechecks
        rows = [row_of(Recheck(name=name, by=by, at=at)) for name in dict.fromkeys(names)]
        if rows:
            with self._session.transaction("write to") as connection:
                _upsert(connection, table, rows, key=("name",), only=("name",))

    def take_rechecks(self, *, limit: int) -> tuple[Recheck, ...]:
        """Return what the daemon was asked to look at, oldest first, and forget it."""
        table = tables.rechecks
        wanted = select(*columns_of(table, Recheck)).order_by(table.c.at, table.c.name).limit(limit)
        with self._session.transaction("write to") as connection:
            with damage_told(self._session.place):
                taken = tuple(map(value_maker(Recheck), connection.execute(wanted)))
            if taken:
                connection.execute(delete(table).where(table.c.name.in_([one.name for one in taken])))
            return taken

    def set_next_passes(self, moments: Mapping[str, datetime]) -> None:
        """Record when the daemon means to look at each server next, in place of what it meant before."""
        with self._session.transaction("write to") as connection:
            connection.execute(delete(tables.next_passes))
            if moments:
                connection.execute(
                    insert(tables.next_passes), [{"server": server, "at": at} for server, at in moments.items()]
                )

    def remember_notices(self, memory: NoticeMemory, *, former: NoticeMemory | None) -> bool:
        """Record what was told if ``former`` still is what is remembered; return whether it was."""
        table, row = tables.notice_memory, {"id": 1, **row_of(memory)}
        with self._session.transaction("write to") as connection:
            if former is None:
                return _inserted(connection, table, row)
            known = connection.execute(select(*columns_of(table, NoticeMemory)).with_for_update())
            with damage_told(self._session.place):
                is_so = list(map(value_maker(NoticeMemory), known)) == [former]
            if is_so:
                _upsert(connection, table, [row], key=("id",))
            return is_so

    def prune(self, *, before: datetime, limit: int) -> int:
        """Forget what ended before a moment and nothing refers to, ``limit`` rows of a kind at most; return how many.

        Kept whatever its age: what is not settled, what tells whose a switch is, and each server's last pass.
        """
        with self._session.transaction("prune") as connection:
            return prune(connection, before=before, limit=limit)

    def _leave_mark(self, *, is_taken: bool = False) -> None:
        """Leave a mark of what was recorded last outside the ledger, unless this is not the ledger to go on from."""
        if self._marker is None or not (is_taken or self._doubt() is None):
            return
        mark = mark_of(self.last_run(), next(iter(self.changes(limit=1)), None))
        if mark is not None:
            self._marker.write(mark)


def _inserted(connection: Connection, table: Table, row: dict[str, Any]) -> bool:
    """Insert a row unless one with its key is there; return whether it was."""
    insert_into = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    wanted = insert_into(table).on_conflict_do_nothing().returning(*table.primary_key)
    return connection.execute(wanted, row).first() is not None


def _upsert(
    connection: Connection,
    table: Table,
    rows: list[dict[str, Any]],
    *,
    key: tuple[str, ...],
    only: tuple[str, ...] | None = None,
) -> None:
    """Insert rows; where ``key`` is there already, write the columns ``only``, or all that the rows hold."""
    changed = [column for column in rows[0] if column not in key] if only is None else only
    # The two dialects spell the same clause, and SQLAlchemy has no common word for it.
    if connection.dialect.name == "postgresql":
        into = postgresql.insert(table)
        connection.execute(
            into.on_conflict_do_update(index_elements=key, set_={column: into.excluded[column] for column in changed}),
            rows,
        )
    else:
        onto = sqlite.insert(table)
        connection.execute(
            onto.on_conflict_do_update(index_elements=key, set_={column: onto.excluded[column] for column in changed}),
            rows,
        )
