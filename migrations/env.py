"""Run migrations on the connection of `tessera migrate`, which acts as the owner of the tables."""

from alembic import context

from tessera.metadata import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
