"""Steps of a migration that must not block the processes that serve the database meanwhile."""

from alembic import op


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
