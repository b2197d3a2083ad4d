"""What Alembic runs for one chain: its connection and schema come from jornada.db.migrations."""

from alembic import context

_given = context.config.attributes

context.configure(
    connection=_given["connection"],
    version_table_schema=_given["schema"],
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
