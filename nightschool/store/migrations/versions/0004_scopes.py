"""Scopes (one so far, the shared one), and how often a server launched a dream."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_SCOPED = ("sessions", "dreams", "versions", "live")


def upgrade() -> None:
    for table in _SCOPED:
        op.add_column(table, sa.Column("scope", sa.String(), server_default="shared", nullable=False))
    op.add_column("dreams", sa.Column("launches", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("dreams", schema=None) as batch_op:
        batch_op.drop_column("launches")
    for table in _SCOPED:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column("scope")
