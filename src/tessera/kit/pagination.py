"""Lists, part by part: the documented ones by page number, with a cap; our own by cursor, of any length."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from psycopg.rows import tuple_row
from sqlalchemy import ColumnElement, Integer, Select, Subquery, func, literal_column, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from tessera.kit import cursors
from tessera.kit.database import AnyRow
from tessera.kit.errors import TooManyResults
from tessera.kit.statements import Statement, parameter

PAGE_SIZE = 100
MAX_RESULTS = 10_000

T = TypeVar("T")
Item = TypeVar("Item", bound=NamedTuple)
Rows = Callable[[Subquery], Select[*tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list; `number` counts from 1."""

    items: Sequence[T]
    number: int
    has_next: bool


def _literal(number: int) -> ColumnElement[int]:
    return literal_column(str(number), Integer)


async def fetch_page(
    connection: AsyncConnection,
    *,
    matching: Select[UUID],
    rows: Rows,
    number: int,
) -> Page[AnyRow]:
    """Page `number`, in id order, of the rows whose ids `matching` selects; raises TooManyResults.

    `rows` is given the page as a subquery with the column `id`, to join what it shows. Count and page are one
    statement. Since a list over the cap is refused, at most 10,001 ids are ever read and sorted: a filter needs an
    index that finds its rows, and none for their order.
    """
    statement, total = _paged(matching, rows)
    values = {"offset": _offset(number)}
    found = (await connection.execute(statement, values)).all()
    count = found[0].total if found else (await connection.execute(total)).scalar_one()
    return _page(found, number=number, count=count)


class PageStatement(Generic[Item]):
    """The same for a list that is asked for often: its statements are made once, for all values of its parameters."""

    def __init__(self, kind: type[Item], *, matching: Select[UUID], rows: Rows) -> None:
        """Items are of `kind`, whose fields are columns of `rows`."""
        statement, total = _paged(matching, rows)
        columns = statement.selected_columns
        self._kind = kind
        shown = statement.with_only_columns(*(columns[name] for name in kind._fields), columns.total)
        self._page, self._total = Statement(shown, rows=tuple_row), Statement(total, rows=tuple_row)

    async def fetch(self, connection: AsyncConnection, values: Mapping[str, Any], *, number: int) -> Page[Item]:
        """Page `number` of the rows that match these values; raises TooManyResults."""
        found = await self._page.all(connection, {**values, "offset": _offset(number)})
        count = found[0][-1] if found else (await self._total.all(connection, values))[0][0]
        return _page([self._kind._make(row[:-1]) for row in found], number=number, count=count)


def _paged(matching: Select[UUID], rows: Rows) -> tuple[Select[*tuple[Any, ...]], Select[int]]:
    # The limits stand in the statement itself: as parameters they would be unknown to a plan that is made once for
    # all, which then expects a tenth of the table and reads all of it.
    matches = matching.limit(_literal(MAX_RESULTS + 1)).cte("matches").prefix_with("MATERIALIZED")
    total = select(func.count()).select_from(matches)
    offset: ColumnElement[int] = parameter("offset", Integer())
    page = select(matches.c.id).order_by(matches.c.id).offset(offset).limit(_literal(PAGE_SIZE)).subquery("page")
    return rows(page).add_columns(total.scalar_subquery().label("total")).order_by(page.c.id), total


def _offset(number: int) -> int:
    # Past the cap there is nothing to show, so no page number, however large, reaches the database.
    return min((number - 1) * PAGE_SIZE, MAX_RESULTS)


def _page(items: Sequence[T], *, number: int, count: int) -> Page[T]:
    if count > MAX_RESULTS:
        raise TooManyResults(MAX_RESULTS)
    return Page(items=items, number=number, has_next=count > _offset(number) + PAGE_SIZE)


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """A part of a list without a cap; `cursor` leads to the next part, and is None at the end."""

    items: Sequence[T]
    cursor: str | None


async def fetch_slice(
    connection: AsyncConnection,
    statement: Select[*tuple[Any, ...]],
    *,
    order: Sequence[ColumnElement[Any]],
    after: str | None,
    size: int,
    descending: bool = False,
) -> Slice[AnyRow]:
    """The first `size` rows of `statement` behind the cursor `after`, in an order that ends with something unique.

    A row is found by where it stands, not by a count, so any depth costs the same and what is added meanwhile moves
    nothing. Needs an index that has the order behind the filter. Raises Invalid for a cursor of another list.
    """
    keys = [column.label(f"cursor_{number}") for number, column in enumerate(order)]
    if after is not None:
        place = cursors.decode(after, [column.type.python_type for column in order])
        here, there = tuple_(*order), tuple_(*place)
        statement = statement.where(here < there if descending else here > there)
    # One row more tells whether there is a next part.
    ordered = statement.add_columns(*keys).order_by(*(key.desc() for key in order) if descending else order)
    found = (await connection.execute(ordered.limit(_literal(size + 1)))).all()
    rows = found[:size]
    cursor = cursors.encode([getattr(rows[-1], key.name) for key in keys]) if len(found) > size else None
    return Slice(rows, cursor)
