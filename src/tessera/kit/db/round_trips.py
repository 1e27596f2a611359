"""Steps of a transaction: statements that are sent together take one round trip."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from sqlalchemy.ext.asyncio import AsyncConnection

from tessera.kit.db.compiled_queries import Query
from tessera.kit.db.unit_of_work import driver_of

T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")


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
