"""Run migrations on the connection of `tessera migrate`, which acts as the owner of the tables."""

from collections.abc import Collection

from alembic import context
from alembic.runtime.migration import MigrationContext

from tessera.metadata import metadata


def record_compatibility(ctx: MigrationContext, step: object, heads: Collection[str], run_args: object) -> None:
    """Record the oldest revision whose code can use the schema, in the transaction that changes the schema.

    Serving processes read this comment together with the revision (`Database.schema_version`).
    """
    scripts = (context.script.get_revision(head) for head in heads)
    revisions = [getattr(script.module, "compatible_since", script.revision) for script in scripts if script]
    value = f"'{revisions[0]}'" if revisions else "null"
    assert ctx.connection is not None  # noqa: S101 - for the type checker
    ctx.connection.exec_driver_sql(f"comment on table alembic_version is {value}")


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=True,
    on_version_apply=record_compatibility,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
