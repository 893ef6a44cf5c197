"""Run revisions on the connection that ``bot.storage.sql.migration`` passes in."""

from __future__ import annotations

from alembic import context

from bot.storage.sql.schema.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
