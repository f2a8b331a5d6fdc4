"""Mail that was sent on from abandoned mailboxes: each message at most once ever, whatever happens in between."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mailswitch.core.errors import LedgerError
from mailswitch.core.names import DomainName
from mailswitch.core.rescue import Rescue, RescuedMessage, RescueOutcome
from mailswitch.ledger.rescue_tables import rescued_messages, rescues
from mailswitch.ledger.rows import columns_of, damage_told, row_of, value_maker
from mailswitch.ledger.session import Session

__all__ = ["EmptyRescues", "RescueReader", "RescueWriter"]

_V = TypeVar("_V", Rescue, RescuedMessage)
_IDENTITY = ("server", "name", "mailbox", "sha256")


class RescueReader:
    """What was sent on, as values; part of LedgerReader."""

    _session: Session

    def rescues(
        self, *, server: str | None = None, name: DomainName | None = None, limit: int | None = None
    ) -> tuple[Rescue, ...]:
        """Return the runs that match all that is given, newest first."""
        given = {rescues.c.server: server, rescues.c.name: name}
        wanted = select(*columns_of(rescues, Rescue)).where(
            *(column == value for column, value in given.items() if value is not None)
        )
        return self._rows_of(Rescue, wanted.order_by(rescues.c.id.desc()).limit(limit))

    def rescued(
        self, server: str, name: DomainName, mailbox: str, *, files: Collection[str] = (), sums: Collection[str] = ()
    ) -> tuple[RescuedMessage, ...]:
        """Return a mailbox's messages on record that are among these files or have one of these contents."""
        table = rescued_messages
        is_one_of_these = or_(table.c.file.in_(files), table.c.sha256.in_(sums))
        return self._messages(server, name, (table.c.mailbox == mailbox) & is_one_of_these)

    def unanswered(self, server: str, name: DomainName) -> tuple[RescuedMessage, ...]:
        """Return a name's messages of which it is not known yet whether the other side has them, oldest first."""
        outcome = rescued_messages.c.outcome
        return self._messages(server, name, outcome.is_(None) | (outcome == RescueOutcome.TAKEN))

    def rescue_counts(self, server: str, name: DomainName) -> dict[RescueOutcome | None, int]:
        """Return how many of a name's messages are on record, by outcome."""
        table = rescued_messages
        wanted = (
            select(table.c.outcome, func.count())
            .where(table.c.server == server, table.c.name == name)
            .group_by(table.c.outcome)
        )

        def act(connection: Connection) -> dict[RescueOutcome | None, int]:
            with damage_told(self._session.place):
                return {outcome: int(number) for outcome, number in connection.execute(wanted)}

        return self._session.read(act)

    def _messages(self, server: str, name: DomainName, which: ColumnElement[bool]) -> tuple[RescuedMessage, ...]:
        table = rescued_messages
        wanted = select(*columns_of(table, RescuedMessage)).where(table.c.server == server, table.c.name == name, which)
        return self._rows_of(RescuedMessage, wanted.order_by(table.c.id))

    def _rows_of(self, kind: type[_V], wanted: Select[Any]) -> tuple[_V, ...]:
        def act(connection: Connection) -> tuple[_V, ...]:
            with damage_told(self._session.place):
                return tuple(map(value_maker(kind), connection.execute(wanted)))

        return self._session.read(act)


class RescueWriter(RescueReader):
    """Recording what is sent on; part of Ledger. Each method is one transaction, on the disk when it returns."""

    def begin_rescue(self, rescue: Rescue) -> int:
        """Record that a run started and return its id.

        Raises:
            LedgerError: it cannot be written; nothing must be sent then.
            ValueError: it has an id already.
        """
        if rescue.id is not None:
            raise ValueError(f"rescue {rescue.id} of {rescue.name} began already")
        row = row_of(rescue)
        del row["id"]
        with self._session.transaction("write to") as connection:
            given: Any = connection.execute(rescues.insert().values(row)).inserted_primary_key
            return int(given[0])

    def finish_rescue(
        self, rescue_id: int, *, at: datetime, counts: tuple[tuple[str, int], ...], stopped: str | None
    ) -> None:
        """Record how a run ended.

        Raises:
            LedgerError: it cannot be written, or there is no such run.
        """
        with self._session.transaction("write to") as connection:
            done = connection.execute(
                update(rescues).where(rescues.c.id == rescue_id).values(finished=at, counts=counts, stopped=stopped)
            )
            if done.rowcount != 1:
                raise LedgerError(f"cannot write to the ledger {self._session.place}: it has no rescue {rescue_id}")

    def intend_message(
        self, message: RescuedMessage, *, despite: Collection[RescueOutcome] = (RescueOutcome.NOT_TAKEN,)
    ) -> RescuedMessage | None:
        """Record the intent to send one message, durably; None where it is on record already and must not be sent.

        One whose outcome is in ``despite`` is intended anew. Two processes that ask at once are never both told to.

        Raises:
            LedgerError: it cannot be written; the message must not be sent then.
            ValueError: the message has an id or an outcome already.
        """
        if message.id is not None or message.outcome is not None or message.finished_at is not None:
            raise ValueError(f"the message {message.file!r} is no new intent: it has an id or an outcome")
        table, row = rescued_messages, row_of(message)
        del row["id"]
        with self._session.transaction("write to") as connection:
            # The two dialects spell the same clause, and SQLAlchemy has no common word for it.
            into: Any = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table).values(row)
            written = connection.execute(
                into.on_conflict_do_update(
                    index_elements=_IDENTITY,
                    set_={column: into.excluded[column] for column in row if column not in _IDENTITY},
                    where=table.c.outcome.in_(tuple(despite)),
                ).returning(table.c.id)
            ).one_or_none()
        return None if written is None else replace(message, id=int(written[0]))

    def settle_message(
        self,
        message_id: int,
        *,
        outcome: RescueOutcome,
        at: datetime,
        queue_id: str | None = None,
        answer: str | None = None,
    ) -> None:
        """Record what became of a message that was intended, or taken before; a last word on record stays.

        Raises:
            LedgerError: it cannot be written.
        """
        table = rescued_messages
        learnt: dict[str, Any] = {"outcome": outcome, "finished_at": at, "answer": answer}
        if queue_id is not None:
            learnt["queue_id"] = queue_id
        is_open = table.c.outcome.is_(None) | (table.c.outcome == RescueOutcome.TAKEN)
        with self._session.transaction("write to") as connection:
            connection.execute(update(table).where(table.c.id == message_id, is_open).values(learnt))


class EmptyRescues:
    """What a ledger that does not exist yet knows of all this; part of LedgerReader."""

    def rescues(
        self, *, server: str | None = None, name: DomainName | None = None, limit: int | None = None
    ) -> tuple[Rescue, ...]:
        """Return nothing."""
        return ()

    def rescued(
        self, server: str, name: DomainName, mailbox: str, *, files: Collection[str] = (), sums: Collection[str] = ()
    ) -> tuple[RescuedMessage, ...]:
        """Return nothing."""
        return ()

    def unanswered(self, server: str, name: DomainName) -> tuple[RescuedMessage, ...]:
        """Return nothing."""
        return ()

    def rescue_counts(self, server: str, name: DomainName) -> dict[RescueOutcome | None, int]:
        """Return nothing."""
        return {}
