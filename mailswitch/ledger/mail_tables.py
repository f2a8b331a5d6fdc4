"""The table of log-ins that mail logs showed; see `mailswitch.ledger.tables`."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Date, Index, PrimaryKeyConstraint, Table

from mailswitch.ledger.columns import Moment, Name, Words
from mailswitch.ledger.tables import METADATA

__all__ = ["mail_logins"]

mail_logins = Table(
    "mail_logins",
    METADATA,
    Column("server", Words, nullable=False),
    Column("name", Name, nullable=False),
    Column("mailbox", Words, nullable=False),
    Column("day", Date, nullable=False),
    Column("logins", BigInteger, nullable=False),
    Column("last", Moment, nullable=False),
    PrimaryKeyConstraint("server", "name", "mailbox", "day"),
    CheckConstraint("logins >= 1", name="logins"),
    Index(None, "server", "day"),
)
