"""The tables of mail that was sent on from abandoned mailboxes; see `mailswitch.ledger.tables`."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Table, UniqueConstraint

from mailswitch.core.rescue import RescueOutcome
from mailswitch.ledger.columns import Counts, Moment, Name, Names, Number, Words, choice
from mailswitch.ledger.tables import METADATA

__all__ = ["rescued_messages", "rescues"]

rescues = Table(
    "rescues",
    METADATA,
    Column("id", Number, primary_key=True),
    Column("server", Words, nullable=False),
    Column("name", Name, nullable=False),
    Column("by", Words, nullable=False),
    Column("exchanges", Names, nullable=False),
    Column("started", Moment, nullable=False),
    Column("finished", Moment),
    Column("counts", Counts, nullable=False),
    Column("stopped", Words),
    Index(None, "name"),
    sqlite_autoincrement=True,
)

rescued_messages = Table(
    "rescued_messages",
    METADATA,
    Column("id", Number, primary_key=True),
    Column("rescue_id", Number, ForeignKey("rescues.id"), nullable=False),
    Column("server", Words, nullable=False),
    Column("name", Name, nullable=False),
    Column("mailbox", Words, nullable=False),
    Column("sha256", Words, nullable=False),
    Column("file", Words, nullable=False),
    Column("octets", BigInteger, nullable=False),
    Column("token", Words, nullable=False),
    Column("intended_at", Moment, nullable=False),
    Column("queue_id", Words),
    Column("outcome", choice(RescueOutcome, "outcome")),
    Column("answer", Words),
    Column("finished_at", Moment),
    UniqueConstraint("server", "name", "mailbox", "sha256"),
    CheckConstraint("octets >= 0", name="octets"),
    CheckConstraint("(outcome IS NULL) = (finished_at IS NULL)", name="settled"),
    Index(None, "rescue_id"),
    sqlite_autoincrement=True,
)
"""Never pruned: each message is sent at most once ever."""
