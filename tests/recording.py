"""What an engine really sends: a record of its statements, and a way to change them on their way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
from sqlalchemy import event

from tessera.kit.database import Database


class Statement(NamedTuple):
    """One statement as the driver got it."""

    text: str
    parameters: Any


@contextmanager
def recorded(database: Database) -> Iterator[list[Statement]]:
    """Every statement that goes to the database meanwhile, in its order."""
    found: list[Statement] = []

    def note(_: Any, __: Any, text: str, parameters: Any, *___: Any) -> None:
        found.append(Statement(text, parameters))

    async def execute(reader: Any, text: str, parameters: Any = None, **options: Any) -> Any:
        found.append(Statement(text, parameters))
        return await read(reader, text, parameters, **options)

    engine = database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    # What goes to the driver without SQLAlchemy, as look-ups outside a transaction do.
    read, psycopg.AsyncConnection.execute = psycopg.AsyncConnection.execute, execute  # type: ignore[method-assign]
    try:
        yield found
    finally:
        psycopg.AsyncConnection.execute = read  # type: ignore[method-assign]
        event.remove(engine, "before_cursor_execute", note)


@contextmanager
def rewritten(database: Database, rewrite: Callable[[str], str]) -> Iterator[None]:
    """Every statement goes through `rewrite` first."""

    def change(_: Any, __: Any, text: str, parameters: Any, *___: Any) -> tuple[str, Any]:
        return rewrite(text), parameters

    engine = database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", change, retval=True)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", change)
