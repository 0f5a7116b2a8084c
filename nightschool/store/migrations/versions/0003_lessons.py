"""What a dream practised of each session, and what it did not."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("dreams", sa.Column("lessons", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("dreams", schema=None) as batch_op:
        batch_op.drop_column("lessons")
