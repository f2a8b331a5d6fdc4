"""Make the first tables: runs, passes, server states, changes, names, pins, approvals, pause."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.String(32).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
_CHOICE = sa.String(32)

_SWITCHES = ("on", "off", "not-configured", "unknown")
_ROUTES = (
    "no-domain",
    "no-mail",
    "here",
    "unknown",
    "backup-here",
    "forwarder",
    "gateway",
    "parked",
    "dangling",
    "elsewhere",
    "implicit-here",
    "implicit-elsewhere",
)


def upgrade() -> None:
    """Make the tables, those that others refer to first."""
    _make_runs()
    _make_server_states()
    _make_changes()
    _make_names()
    _make_operators_words()


def _one_of(column: str, values: Collection[str], table: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(sa.column(column).in_(values), name=op.f(f"ck_{table}_{column}"))


def _make_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("mode", _CHOICE, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("started", _MOMENT, nullable=False),
        sa.Column("finished", _MOMENT),
        sa.Column("plan", sa.Text),
        sa.Column("changes_done", sa.Integer, nullable=False),
        sa.Column("changes_failed", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_runs")),
        sa.UniqueConstraint("id", name=op.f("uq_runs_id")),
        sa.CheckConstraint("changes_done >= 0 AND changes_failed >= 0", name=op.f("ck_runs_counts")),
        _one_of("mode", ("report", "approve", "enforce"), "runs"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "server_passes",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("run_id", sa.Text, sa.ForeignKey("runs.id", name=op.f("fk_server_passes_run_id")), nullable=False),
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("finished", _MOMENT, nullable=False),
        sa.Column("error_code", sa.Text),
        sa.Column("error_text", sa.Text),
        sa.Column("counts", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_server_passes")),
        sa.UniqueConstraint("run_id", "server", name=op.f("uq_server_passes_run_id_server")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_server_passes_server_number"), "server_passes", ["server", "number"])


def _make_server_states() -> None:
    op.create_table(
        "server_states",
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("first_pass", _MOMENT, nullable=False),
        sa.Column("last_pass", _MOMENT, nullable=False),
        sa.Column("inventory_size", sa.Integer, nullable=False),
        sa.Column("smaller_since", _MOMENT),
        sa.PrimaryKeyConstraint("server", name=op.f("pk_server_states")),
        sa.CheckConstraint("inventory_size >= 0", name=op.f("ck_server_states_inventory_size")),
    )


def _make_changes() -> None:
    op.create_table(
        "changes",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("run_id", sa.Text, sa.ForeignKey("runs.id", name=op.f("fk_changes_run_id"))),
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", _CHOICE, nullable=False),
        sa.Column("panel_id", sa.Text, nullable=False),
        sa.Column("switch_from", _CHOICE, nullable=False),
        sa.Column("switch_to", _CHOICE, nullable=False),
        sa.Column("actor", _CHOICE, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("route", _CHOICE),
        sa.Column("exchanges", sa.Text, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("is_reviewed", sa.Boolean, nullable=False),
        sa.Column("is_never_local", sa.Boolean, nullable=False),
        sa.Column("reverts", _NUMBER, sa.ForeignKey("changes.id", name=op.f("fk_changes_reverts"))),
        sa.Column("intended_at", _MOMENT, nullable=False),
        sa.Column("finished_at", _MOMENT),
        sa.Column("outcome", _CHOICE),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changes")),
        sa.CheckConstraint("(outcome IS NULL) = (finished_at IS NULL)", name=op.f("ck_changes_settled")),
        _one_of("kind", ("domain", "addon", "subdomain", "alias"), "changes"),
        _one_of("switch_from", _SWITCHES, "changes"),
        _one_of("switch_to", _SWITCHES, "changes"),
        _one_of("actor", ("mailswitch", "person"), "changes"),
        _one_of("route", _ROUTES, "changes"),
        _one_of("outcome", ("done", "failed"), "changes"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_changes_server_name"), "changes", ["server", "name"])
    op.create_index(op.f("ix_changes_intended_at"), "changes", ["intended_at"])
    op.create_index(op.f("ix_changes_run_id"), "changes", ["run_id"])
    unsettled = sa.column("outcome").is_(None)
    op.create_index(op.f("ix_changes_unsettled"), "changes", ["id"], sqlite_where=unsettled, postgresql_where=unsettled)


def _make_names() -> None:
    op.create_table(
        "names",
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("first_seen", _MOMENT, nullable=False),
        sa.Column("is_from_first_pass", sa.Boolean, nullable=False),
        sa.Column("route", _CHOICE),
        sa.Column("since", _MOMENT),
        sa.Column("sightings", sa.Integer, nullable=False),
        sa.Column("last_sighting", _MOMENT),
        sa.Column("credited", sa.BigInteger, nullable=False),
        sa.Column("ttl", sa.BigInteger, nullable=False),
        sa.Column("last_seen_here", _MOMENT),
        sa.Column("was_here", sa.Boolean, nullable=False),
        sa.Column("unknown_since", _MOMENT),
        sa.Column("claim", _CHOICE, nullable=False),
        sa.Column("claim_change", _NUMBER, sa.ForeignKey("changes.id", name=op.f("fk_names_claim_change"))),
        sa.Column("claim_route", _CHOICE),
        sa.Column("claim_exchanges", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("server", "name", name=op.f("pk_names")),
        sa.CheckConstraint("sightings >= 0", name=op.f("ck_names_sightings")),
        _one_of("route", _ROUTES, "names"),
        _one_of("claim", ("none", "ours", "re-enabled"), "names"),
        _one_of("claim_route", _ROUTES, "names"),
    )


def _make_operators_words() -> None:
    op.create_table(
        "pins",
        sa.Column("pattern", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("until", _MOMENT),
        sa.PrimaryKeyConstraint("pattern", name=op.f("pk_pins")),
    )
    op.create_table(
        "approvals",
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("route", _CHOICE, nullable=False),
        sa.Column("exchanges", sa.Text, nullable=False),
        sa.Column("despite", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("expires", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("server", "name", name=op.f("pk_approvals")),
        _one_of("route", _ROUTES, "approvals"),
    )
    op.create_table(
        "pause",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("reason", sa.Text),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pause")),
        sa.CheckConstraint("id = 1", name=op.f("ck_pause_single")),
    )
