"""What an engine really sends: a record of its statements, and a way to change them on their way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
from sqlalchemy import event

from tessera.kit.db.database import Database


class Statement(NamedTuple):
    """One statement as the driver got it."""

    text: str
    parameters: Any


# What goes to the driver without SQLAlchemy, from whatever database, in the order of SQLAlchemy's own events.
_rewrites: list[Callable[[str], str]] = []
_records: list[list[Statement]] = []
_execute = psycopg.AsyncConnection.execute


async def _execute_observed(connection: Any, query: Any, params: Any = None, **options: Any) -> Any:
    for rewrite in _rewrites:
        query = rewrite(query)
    for found in _records:
        found.append(Statement(query, params))
    return await _execute(connection, query, params, **options)


psycopg.AsyncConnection.execute = _execute_observed  # type: ignore[assignment,method-assign]  # overloads


@contextmanager
def record_statements(database: Database) -> Iterator[list[Statement]]:
    """Every statement that goes to the database meanwhile, in its order."""
    found: list[Statement] = []

    def note(_: Any, __: Any, text: str, parameters: Any, *___: Any) -> None:
        found.append(Statement(text, parameters))

    engine = database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    _records.append(found)
    try:
        yield found
    finally:
        _records[:] = [each for each in _records if each is not found]
        event.remove(engine, "before_cursor_execute", note)


@contextmanager
def rewrite_statements(database: Database, rewrite: Callable[[str], str]) -> Iterator[None]:
    """Every statement goes through `rewrite` first."""

    def change(_: Any, __: Any, text: str, parameters: Any, *___: Any) -> tuple[str, Any]:
        return rewrite(text), parameters

    engine = database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", change, retval=True)
    _rewrites.append(rewrite)
    try:
        yield
    finally:
        _rewrites.remove(rewrite)
        event.remove(engine, "before_cursor_execute", change)
