"""The ledger's tables; every change to them needs a migration (a test compares the two).

Columns bear the names of the core values' fields, so that a row and a value are told apart by nothing but their type.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from mailswitch.core.domain import Kind, Switch
from mailswitch.core.evidence import Traffic
from mailswitch.core.ledger import Actor, Claim, Outcome
from mailswitch.core.policy import Mode, Route
from mailswitch.ledger.columns import (
    Counts,
    Duration,
    Guards,
    Moment,
    Name,
    Names,
    Number,
    Pattern,
    SenderNetwork,
    Words,
    choice,
)
from mailswitch.ledger.notice_columns import Numbers, ToldTroubles, UnsentBulletins

__all__ = [
    "METADATA",
    "REVISIONS",
    "approvals",
    "changes",
    "mail_counts",
    "mail_readings",
    "names",
    "next_passes",
    "notice_memory",
    "pause",
    "pins",
    "rechecks",
    "runs",
    "schema_revision",
    "server_passes",
    "server_states",
]

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006")
"""Every revision of the schema this program knows, oldest first; the last is the one it works with."""

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

schema_revision = Table("alembic_version", MetaData(), Column("version_num", Text, primary_key=True))
"""Alembic's own table, read to know a ledger's revision without Alembic."""

runs = Table(
    "runs",
    METADATA,
    Column("number", Number, primary_key=True),
    Column("id", Words, nullable=False, unique=True),
    Column("mode", choice(Mode, "mode"), nullable=False),
    Column("by", Words, nullable=False),
    Column("started", Moment, nullable=False),
    Column("finished", Moment),
    Column("plan", Words),
    Column("changes_done", Integer, nullable=False),
    Column("changes_failed", Integer, nullable=False),
    CheckConstraint("changes_done >= 0 AND changes_failed >= 0", name="counts"),
    sqlite_autoincrement=True,
)

server_passes = Table(
    "server_passes",
    METADATA,
    Column("number", Number, primary_key=True),
    Column("run_id", Words, ForeignKey("runs.id"), nullable=False),
    Column("server", Words, nullable=False),
    Column("finished", Moment, nullable=False),
    Column("error_code", Words),
    Column("error_text", Words),
    Column("counts", Counts, nullable=False),
    Column("is_partial", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("run_id", "server"),
    Index(None, "server", "number"),
    sqlite_autoincrement=True,
)

server_states = Table(
    "server_states",
    METADATA,
    Column("server", Words, primary_key=True),
    Column("first_pass", Moment, nullable=False),
    Column("last_pass", Moment, nullable=False),
    Column("inventory_size", Integer, nullable=False),
    Column("smaller_since", Moment),
    CheckConstraint("inventory_size >= 0", name="inventory_size"),
)

changes = Table(
    "changes",
    METADATA,
    Column("id", Number, primary_key=True),
    Column("run_id", Words, ForeignKey("runs.id")),
    Column("server", Words, nullable=False),
    Column("name", Name, nullable=False),
    Column("kind", choice(Kind, "kind"), nullable=False),
    Column("panel_id", Words, nullable=False),
    Column("switch_from", choice(Switch, "switch_from"), nullable=False),
    Column("switch_to", choice(Switch, "switch_to"), nullable=False),
    Column("actor", choice(Actor, "actor"), nullable=False),
    Column("by", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("route", choice(Route, "route")),
    Column("exchanges", Names, nullable=False),
    Column("evidence", Words, nullable=False),
    Column("is_reviewed", Boolean, nullable=False),
    Column("is_never_local", Boolean, nullable=False),
    Column("reverts", Number, ForeignKey("changes.id")),
    Column("intended_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("outcome", choice(Outcome, "outcome")),
    Column("error", Words),
    CheckConstraint("(outcome IS NULL) = (finished_at IS NULL)", name="settled"),
    Index(None, "server", "name"),
    Index(None, "intended_at"),
    Index(None, "run_id"),
    sqlite_autoincrement=True,
)

_is_unsettled = changes.c.outcome.is_(None)
Index("ix_changes_unsettled", changes.c.id, sqlite_where=_is_unsettled, postgresql_where=_is_unsettled)

names = Table(
    "names",
    METADATA,
    Column("server", Words, nullable=False),
    Column("name", Name, nullable=False),
    Column("first_seen", Moment, nullable=False),
    Column("is_from_first_pass", Boolean, nullable=False),
    Column("route", choice(Route, "route")),
    Column("since", Moment),
    Column("sightings", Integer, nullable=False),
    Column("last_sighting", Moment),
    Column("credited", Duration, nullable=False),
    Column("ttl", Duration, nullable=False),
    Column("last_seen_here", Moment),
    Column("was_here", Boolean, nullable=False),
    Column("unknown_since", Moment),
    Column("claim", choice(Claim, "claim"), nullable=False),
    Column("claim_change", Number, ForeignKey("changes.id")),
    Column("claim_route", choice(Route, "claim_route")),
    Column("claim_exchanges", Names, nullable=False),
    Column("gone_since", Moment),
    PrimaryKeyConstraint("server", "name"),
    CheckConstraint("sightings >= 0", name="sightings"),
)

pins = Table(
    "pins",
    METADATA,
    Column("pattern", Pattern, primary_key=True),
    Column("reason", Words, nullable=False),
    Column("by", Words, nullable=False),
    Column("at", Moment, nullable=False),
    Column("until", Moment),
)

approvals = Table(
    "approvals",
    METADATA,
    Column("server", Words, nullable=False),
    Column("name", Name, nullable=False),
    Column("route", choice(Route, "route"), nullable=False),
    Column("exchanges", Names, nullable=False),
    Column("despite", Guards, nullable=False),
    Column("by", Words, nullable=False),
    Column("at", Moment, nullable=False),
    Column("expires", Moment, nullable=False),
    PrimaryKeyConstraint("server", "name"),
)

pause = Table(
    "pause",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("by", Words, nullable=False),
    Column("at", Moment, nullable=False),
    Column("reason", Words),
    CheckConstraint("id = 1", name="single"),
)

rechecks = Table(
    "rechecks",
    METADATA,
    Column("name", Name, primary_key=True),
    Column("by", Words, nullable=False),
    Column("at", Moment, nullable=False),
)

next_passes = Table(
    "next_passes",
    METADATA,
    Column("server", Words, primary_key=True),
    Column("at", Moment, nullable=False),
)

notice_memory = Table(
    "notice_memory",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("last_change", Number, nullable=False),
    Column("open_changes", Numbers, nullable=False),
    Column("told", ToldTroubles, nullable=False),
    Column("digest_at", Moment),
    Column("done", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("unsent", UnsentBulletins, nullable=False),
    CheckConstraint("id = 1", name="single"),
)

mail_counts = Table(
    "mail_counts",
    METADATA,
    Column("server", Words, nullable=False),
    Column("name", Name, nullable=False),
    Column("day", Date, nullable=False),
    Column("traffic", choice(Traffic, "traffic"), nullable=False),
    Column("network", SenderNetwork, nullable=False),
    Column("messages", BigInteger, nullable=False),
    Column("last", Moment, nullable=False),
    PrimaryKeyConstraint("server", "name", "day", "traffic", "network"),
    CheckConstraint("messages >= 1", name="messages"),
    Index(None, "server", "day"),
)

mail_readings = Table(
    "mail_readings",
    METADATA,
    Column("server", Words, primary_key=True),
    Column("since", Moment, nullable=False),
    Column("until", Moment, nullable=False),
    Column("bookmark", Words, nullable=False),
)
