"""Statements whose text is made once: building and compiling one takes several times as long as running it."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.rows import AsyncRowFactory, namedtuple_row
from sqlalchemy import BindParameter, Executable, bindparam
from sqlalchemy.dialects.postgresql.psycopg import PGDialectAsync_psycopg
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.types import TypeEngine

from tessera.kit.db.engine import driver_of

_DIALECT = PGDialectAsync_psycopg()  # type: ignore[no-untyped-call]


def parameter(name: str, type_: TypeEngine[Any] | None = None) -> BindParameter[Any]:
    """A value that comes with each use; its type is that of what it is compared with, unless it is named."""
    return bindparam(name, type_=type_, required=False)


class CompiledQuery:
    """A query to be run with the values of its parameters; those of what is written out in it go along."""

    def __init__(self, built: Executable, *, rows: AsyncRowFactory[Any] = namedtuple_row) -> None:
        assert isinstance(built, ClauseElement)  # noqa: S101 - for the type checker
        compiled = built.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        self._text = str(compiled)
        self._rows = rows
        self._constants = {name: value for name, value in compiled.params.items() if value is not None}

    async def all(self, connection: AsyncConnection, values: Mapping[str, Any]) -> Sequence[Any]:
        """Every row, as the driver reads it."""
        return await (await self.send(await driver_of(connection), values)).fetchall()

    async def send(self, driver: psycopg.AsyncConnection[Any], values: Mapping[str, Any]) -> psycopg.AsyncCursor[Any]:
        """A cursor on every row; in a pipeline its rows may come later."""
        cursor = await driver.execute(self._text, {**self._constants, **values})
        cursor.row_factory = self._rows
        return cursor


async def execute_pipelined(
    connection: AsyncConnection, asked: Sequence[tuple[CompiledQuery, Mapping[str, Any]]]
) -> list[Sequence[Any]]:
    """Every row of each of these, all of which are sent before the first answer comes: one wait instead of many."""
    driver = await driver_of(connection)
    if len(asked) == 1:
        ((statement, values),) = asked
        return [await statement.all(connection, values)]
    async with driver.pipeline():
        cursors = [await statement.send(driver, values) for statement, values in asked]
        return [await cursor.fetchall() for cursor in cursors]


async def run(connection: AsyncConnection, text: str, values: Mapping[str, Any]) -> psycopg.AsyncCursor[Any]:
    """Send a text as it stands; raises the driver's own errors."""
    return await (await driver_of(connection)).execute(text, values)
