"""Make room for what the servers' own mail logs show."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_MOMENT = sa.String(32).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    """Add the tables; no log was read before."""
    op.create_table(
        "mail_counts",
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("traffic", sa.String(32), nullable=False),
        sa.Column("network", sa.Text, nullable=False),
        sa.Column("messages", sa.BigInteger, nullable=False),
        sa.Column("last", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("server", "name", "day", "traffic", "network", name=op.f("pk_mail_counts")),
        sa.CheckConstraint("messages >= 1", name=op.f("ck_mail_counts_messages")),
        sa.CheckConstraint(
            sa.column("traffic").in_(("outside", "co-tenant", "refused")), name=op.f("ck_mail_counts_traffic")
        ),
    )
    op.create_index(op.f("ix_mail_counts_server_day"), "mail_counts", ["server", "day"])
    op.create_table(
        "mail_readings",
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("since", _MOMENT, nullable=False),
        sa.Column("until", _MOMENT, nullable=False),
        sa.Column("bookmark", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("server", name=op.f("pk_mail_readings")),
    )
