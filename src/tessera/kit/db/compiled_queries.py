"""Queries that are compiled once, and steps of a transaction: queries that are sent together take one round trip.

To build and compile a query takes several times as long as its execution.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, overload

import psycopg
from psycopg.rows import AsyncRowFactory, namedtuple_row
from sqlalchemy import BindParameter, Executable, bindparam
from sqlalchemy.dialects.postgresql.psycopg import PGDialectAsync_psycopg
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.types import TypeEngine

from tessera.kit.db.unit_of_work import driver_of

T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")

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


@dataclass(frozen=True, slots=True)
class Step(Generic[T]):
    """A statement with its values, and the function that reads its rows."""

    query: Query
    values: Mapping[str, Any]
    read: Callable[[Sequence[Any]], T]

    def then(self, convert: Callable[[T], T1]) -> "Step[T1]":
        """The same statement with another result."""
        return Step(self.query, self.values, lambda rows: convert(self.read(rows)))


async def run(connection: AsyncConnection, step: Step[T]) -> T:
    """The result of one step; raises the driver's own errors."""
    cursor = await step.query.send(await driver_of(connection), step.values)
    return step.read(await cursor.fetchall())


async def run_all(connection: AsyncConnection, steps: Sequence[Step[T]]) -> list[T]:
    """The results of steps that the server executes in this order; raises the driver's own errors.

    As without a pipeline, each statement sees what others had committed when it began, so a read may follow its lock.
    """
    if len(steps) == 1:
        return [await run(connection, steps[0])]
    driver = await driver_of(connection)
    async with driver.pipeline():
        cursors = [await step.query.send(driver, step.values) for step in steps]
        rows = [await cursor.fetchall() for cursor in cursors]
    return [step.read(each) for step, each in zip(steps, rows, strict=True)]


@overload
async def run_together(connection: AsyncConnection, first: Step[T1], second: Step[T2], /) -> tuple[T1, T2]: ...
@overload
async def run_together(
    connection: AsyncConnection, first: Step[T1], second: Step[T2], third: Step[T3], fourth: Step[T4], /
) -> tuple[T1, T2, T3, T4]: ...
async def run_together(connection: AsyncConnection, *steps: Step[Any]) -> tuple[Any, ...]:
    """The result of each step, as those of `run_all`."""
    return tuple(await run_all(connection, steps))
