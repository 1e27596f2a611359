"""Steps of migrations: those that must not block the processes that serve the database, and settings of the role."""

from collections.abc import Iterable, Mapping

from alembic import op

# A role may change its own settings, which takes no right that a managed login lacks. A login that may not act as the
# application has a database administrator, who can run the same statements.
_AS_APPLICATION = """
do $$ begin
    set local role tessera_app;
    {statements}
    set local role tessera_owner;
exception when insufficient_privilege then
    raise warning 'the settings of the role tessera_app are not changed: %', sqlerrm;
end $$
"""


def commit() -> None:
    """Commit the statements so far, which releases their locks; the rest of the revision is another transaction.

    A revision that fails afterwards is applied again from its beginning, so all statements before must be repeatable.
    """
    with op.get_context().autocommit_block():
        pass


def create_index(name: str, definition: str, *, unique: bool = False) -> None:
    """Create an index concurrently, after committing the statements so far as `commit` does."""
    with op.get_context().autocommit_block():
        # A concurrent build waits for transactions, and nothing waits for it.
        op.execute("set lock_timeout = 0")
        # An interrupted build leaves an invalid index.
        op.execute(f"drop index concurrently if exists {name}")
        op.execute(f"create {'unique ' if unique else ''}index concurrently {name} on {definition}")
        op.execute("set lock_timeout = '200ms'")


def drop_index(name: str) -> None:
    """Drop an index concurrently, after committing the statements so far as `commit` does."""
    with op.get_context().autocommit_block():
        op.execute("set lock_timeout = 0")
        op.execute(f"drop index concurrently if exists {name}")
        op.execute("set lock_timeout = '200ms'")


def set_for_application(settings: Mapping[str, str]) -> None:
    """Give the application's role these settings in this database."""
    _alter_role([f"set {name} = ''{value}''" for name, value in settings.items()])


def reset_for_application(names: Iterable[str]) -> None:
    """Take these settings from the application's role in this database."""
    _alter_role([f"reset {name}" for name in names])


def _alter_role(changes: list[str]) -> None:
    statements = "\n    ".join(
        f"execute format('alter role tessera_app in database %I {change}', current_database());" for change in changes
    )
    op.execute(_AS_APPLICATION.format(statements=statements))
