"""Alembic's entry point; always run through `store.engine.migrate`, which hands over a connection."""

from alembic import context

from nightschool.store.schema import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
