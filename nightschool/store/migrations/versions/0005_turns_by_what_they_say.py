"""Turns are known by what they say, however a client writes it, and by the exchange that they end."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

from nightschool.store import identity
from nightschool.types import Message

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TURNS = sa.table(
    "turns",
    sa.column("id", sa.Integer),
    sa.column("session_id", sa.String),
    sa.column("position", sa.Integer),
    sa.column("message", sa.JSON),
    sa.column("chain", sa.String),
    sa.column("exchange", sa.String),
    sa.column("superseded_at", sa.String),
)


def upgrade() -> None:
    op.add_column("turns", sa.Column("exchange", sa.String(), nullable=True))
    with op.batch_alter_table("turns", schema=None) as batch_op:
        batch_op.create_index("ix_turns_exchange", ["exchange"], unique=False)
    # The hashes are those that the code looks for; those of superseded turns are not looked for.
    hashes = [*_hashes()]
    if hashes:
        change = sa.update(_TURNS).where(_TURNS.c.id == sa.bindparam("turn"))
        op.get_bind().execute(change, hashes)


def downgrade() -> None:
    with op.batch_alter_table("turns", schema=None) as batch_op:
        batch_op.drop_index("ix_turns_exchange")
        batch_op.drop_column("exchange")


def _hashes() -> Iterator[dict[str, Any]]:
    query = sa.select(_TURNS.c.id, _TURNS.c.session_id, _TURNS.c.message)
    query = query.where(_TURNS.c.superseded_at.is_(None)).order_by(_TURNS.c.session_id, _TURNS.c.position)
    for _, turns in groupby(op.get_bind().execute(query), lambda turn: turn.session_id):
        rows = [*turns]
        found = identity.hashes(Message.from_json(row.message) for row in rows)
        for row, (chain, exchange) in zip(rows, found, strict=True):
            yield {"turn": row.id, "chain": chain, "exchange": exchange}
