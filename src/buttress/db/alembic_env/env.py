"""Run by Alembic for every command; connection and options come from `buttress.db.migrations`."""

from alembic import context

attributes = context.config.attributes
context.configure(connection=attributes["connection"], **attributes["options"])
with context.begin_transaction():
    context.run_migrations()
