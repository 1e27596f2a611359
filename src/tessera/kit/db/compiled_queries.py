"""Queries that are compiled once: building and compiling one takes several times as long as its execution."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import psycopg
from psycopg.rows import AsyncRowFactory, namedtuple_row
from sqlalchemy import BindParameter, Executable, bindparam
from sqlalchemy.dialects.postgresql.psycopg import PGDialectAsync_psycopg
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.types import TypeEngine

from tessera.kit.db.unit_of_work import driver_of

_DIALECT = PGDialectAsync_psycopg()  # type: ignore[no-untyped-call]


def parameter(name: str, type_: TypeEngine[Any] | None = None) -> BindParameter[Any]:
    """A parameter; without `type_` it has the type of the expression that it is compared with."""
    return bindparam(name, type_=type_, required=False)


class Query(Protocol):
    """A query that can be sent without waiting for its rows."""

    async def send(self, driver: psycopg.AsyncConnection[Any], values: Mapping[str, Any]) -> psycopg.AsyncCursor[Any]:
        """Execute the query; inside a pipeline the rows of the cursor arrive later."""


class TextQuery:
    """A query in the driver's own words, with named rows."""

    def __init__(self, text: str) -> None:
        self._text = text

    async def send(self, driver: psycopg.AsyncConnection[Any], values: Mapping[str, Any]) -> psycopg.AsyncCursor[Any]:
        """Execute the query; inside a pipeline the rows of the cursor arrive later."""
        cursor = await driver.execute(self._text, values)
        cursor.row_factory = namedtuple_row
        return cursor


class CompiledQuery:
    """A query that is compiled once; each execution sends the values of its parameters and its own constants."""

    def __init__(self, statement: Executable, *, rows: AsyncRowFactory[Any] = namedtuple_row) -> None:
        assert isinstance(statement, ClauseElement)  # noqa: S101 - for the type checker
        compiled = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        self._text = str(compiled)
        self._rows = rows
        self._constants = {name: value for name, value in compiled.params.items() if value is not None}

    async def all(self, connection: AsyncConnection, values: Mapping[str, Any]) -> Sequence[Any]:
        """All rows, as the driver returns them."""
        return await (await self.send(await driver_of(connection), values)).fetchall()

    async def send(self, driver: psycopg.AsyncConnection[Any], values: Mapping[str, Any]) -> psycopg.AsyncCursor[Any]:
        """Execute the query; inside a pipeline the rows of the cursor arrive later."""
        cursor = await driver.execute(self._text, {**self._constants, **values})
        cursor.row_factory = self._rows
        return cursor
