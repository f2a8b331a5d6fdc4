"""Make room for what people were told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.String(32).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Add the table; nothing was told before."""
    op.create_table(
        "notice_memory",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("last_change", _NUMBER, nullable=False),
        sa.Column("open_changes", sa.Text, nullable=False),
        sa.Column("told", sa.Text, nullable=False),
        sa.Column("digest_at", _MOMENT),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("unsent", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice_memory")),
        sa.CheckConstraint("id = 1", name=op.f("ck_notice_memory_single")),
    )
