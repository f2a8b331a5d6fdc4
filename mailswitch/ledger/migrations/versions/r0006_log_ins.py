"""Make room for log-ins, and tell what is refused to a known filter from what is refused to others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_MOMENT = sa.String(32).with_variant(sa.TIMESTAMP(timezone=True), "postgresql")
_TRAFFIC = "ck_mail_counts_traffic"


def upgrade() -> None:
    """Add the table, and one more kind of traffic; nothing of either was counted before."""
    with op.batch_alter_table("mail_counts") as counts:
        counts.drop_constraint(op.f(_TRAFFIC), type_="check")
        counts.create_check_constraint(
            op.f(_TRAFFIC), sa.column("traffic").in_(("outside", "co-tenant", "refused", "refused-gateway"))
        )
    op.create_table(
        "mail_logins",
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("mailbox", sa.Text, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("logins", sa.BigInteger, nullable=False),
        sa.Column("last", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("server", "name", "mailbox", "day", name=op.f("pk_mail_logins")),
        sa.CheckConstraint("logins >= 1", name=op.f("ck_mail_logins_logins")),
    )
    op.create_index(op.f("ix_mail_logins_server_day"), "mail_logins", ["server", "day"])
