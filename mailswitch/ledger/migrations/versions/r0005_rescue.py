"""Make room for mail that is sent on from abandoned mailboxes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.String(32).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Add the tables; nothing was sent on before."""
    op.create_table(
        "rescues",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("exchanges", sa.Text, nullable=False),
        sa.Column("started", _MOMENT, nullable=False),
        sa.Column("finished", _MOMENT),
        sa.Column("counts", sa.Text, nullable=False),
        sa.Column("stopped", sa.Text),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rescues")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_rescues_name"), "rescues", ["name"])
    _make_messages()


def _make_messages() -> None:
    op.create_table(
        "rescued_messages",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("rescue_id", _NUMBER, nullable=False),
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("mailbox", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("octets", sa.BigInteger, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("intended_at", _MOMENT, nullable=False),
        sa.Column("queue_id", sa.Text),
        sa.Column("outcome", sa.String(32)),
        sa.Column("answer", sa.Text),
        sa.Column("finished_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rescued_messages")),
        sa.ForeignKeyConstraint(["rescue_id"], ["rescues.id"], name=op.f("fk_rescued_messages_rescue_id")),
        sa.UniqueConstraint(
            "server", "name", "mailbox", "sha256", name=op.f("uq_rescued_messages_server_name_mailbox_sha256")
        ),
        sa.CheckConstraint("octets >= 0", name=op.f("ck_rescued_messages_octets")),
        sa.CheckConstraint("(outcome IS NULL) = (finished_at IS NULL)", name=op.f("ck_rescued_messages_settled")),
        sa.CheckConstraint(
            sa.column("outcome").in_(("taken", "delivered", "rejected", "not-taken")),
            name=op.f("ck_rescued_messages_outcome"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_rescued_messages_rescue_id"), "rescued_messages", ["rescue_id"])
