"""Make room for the daemon: rechecks asked for, each server's next pass, passes over some names only, names gone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_MOMENT = sa.String(32).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Add the tables and columns; what is there already was about whole servers and names that are hosted."""
    op.create_table(
        "rechecks",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_rechecks")),
    )
    op.create_table(
        "next_passes",
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("server", name=op.f("pk_next_passes")),
    )
    op.add_column("server_passes", sa.Column("is_partial", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("names", sa.Column("gone_since", _MOMENT))
