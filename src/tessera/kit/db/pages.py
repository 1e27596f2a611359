"""Pages of lists: the Certiverse lists use page numbers, up to a cap; all other lists use cursors, without a cap."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from psycopg.rows import tuple_row
from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Subquery,
    UnaryExpression,
    and_,
    func,
    literal,
    literal_column,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.operators import custom_op

from tessera.kit.db import cursors
from tessera.kit.db.compiled_queries import CompiledQuery, Step, parameter
from tessera.kit.db.json_projection import JsonProjection, json_object
from tessera.kit.db.unit_of_work import AnyRow
from tessera.kit.errors import TooManyResults

PAGE_SIZE = 100
MAX_RESULTS = 10_000

T = TypeVar("T")
R = TypeVar("R")
Rows = Callable[[ColumnElement[UUID]], Select[*tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list; `number` counts from 1."""

    items: Sequence[T]
    number: int
    has_next: bool


def _literal(number: int) -> ColumnElement[int]:
    return literal_column(str(number), Integer)


async def fetch_page(connection: AsyncConnection, *, matching: Select[UUID], rows: Rows, number: int) -> Page[AnyRow]:
    """Page `number`, in the order of ids, of the rows whose ids `matching` selects; raises TooManyResults.

    `rows` receives an id, and selects the columns to return of the row with this id. One statement returns page and
    count. A list over the cap is rejected, so at most 10,001 ids are read and sorted: a filter needs an index
    that finds its rows, but not one that sorts them.
    """
    page, total = _sorted(matching)
    statement = _look_up(page, rows).add_columns(total.scalar_subquery().label("total")).order_by(page.c.id)
    records = (await connection.execute(statement, {"offset": _offset(number)})).all()
    count = records[0].total if records else (await connection.execute(total)).scalar_one()
    return _page(records, number=number, count=count)


@dataclass(frozen=True, slots=True)
class JsonPage:
    """One page of a list: its objects as JSON, separated by commas."""

    objects: str
    number: int
    has_next: bool


class JsonPageQuery:
    """The pages of a hot list: one statement, compiled once for all values of its parameters.

    `matching` is one select of ids, or a sequence of disjoint selects, each of which an index returns in the order of
    ids.
    """

    def __init__(
        self, projection: JsonProjection, *, matching: Select[UUID] | Sequence[Select[UUID]], rows: Rows
    ) -> None:
        page, total = _in_order(matching) if isinstance(matching, Sequence) else _sorted(matching)
        listed = _look_up(page, rows).add_columns(page.c.id.label("place")).subquery("listed")
        separator: ColumnElement[str] = aggregate_order_by(literal_column("','"), listed.c.place)
        joined = func.string_agg(json_object(listed, projection), separator)
        self._statement = CompiledQuery(select(joined, total.scalar_subquery()), rows=tuple_row)

    def page(self, values: Mapping[str, Any], *, number: int) -> Step[JsonPage | TooManyResults]:
        """The step that reads page `number` of the rows that match these values; TooManyResults is a result of it."""
        return Step(self._statement, {**values, "offset": _offset(number)}, lambda rows: _json_page(rows[0], number))


def _json_page(row: tuple[str | None, int], number: int) -> JsonPage | TooManyResults:
    objects, count = row
    if count > MAX_RESULTS:
        return TooManyResults(MAX_RESULTS)
    return JsonPage(objects or "", number, _has_next(count, number))


def _sorted(matching: Select[UUID]) -> tuple[Subquery, Select[int]]:
    # The limits are literals. The generic plan of a statement does not know its parameters, so it would expect a tenth
    # of the table to match and read all of it.
    matches = matching.limit(_literal(MAX_RESULTS + 1)).cte("matches").prefix_with("MATERIALIZED")
    return _page_ids(select(matches.c.id), matches.c.id), select(func.count()).select_from(matches)


def _in_order(matching: Sequence[Select[UUID]]) -> tuple[Subquery, Select[int]]:
    # Reading the page and the count separately takes less time than materializing 10,000 ids for both.
    last = parameter("offset", Integer()) + _literal(PAGE_SIZE)
    firsts = [ids.order_by(ids.selected_columns[0]).limit(last).subquery() for ids in matching]
    first = union_all(*(select(ids) for ids in firsts)).subquery("first")
    matches = union_all(*matching).limit(_literal(MAX_RESULTS + 1)).subquery("matches")
    return _page_ids(select(first.c.id), first.c.id), select(func.count()).select_from(matches)


def _page_ids(ids: Select[UUID], order: ColumnElement[UUID]) -> Subquery:
    return ids.order_by(order).offset(parameter("offset", Integer())).limit(_literal(PAGE_SIZE)).subquery("page")


def _look_up(page: Subquery, rows: Rows) -> Select[*tuple[Any, ...]]:
    """The columns of the rows on a page, each of which is looked up on its own.

    A join may start from the rows and compute the page again for each of them: for the planner, the table may be empty,
    because its statistics are from before its rows were committed. `rows` uses `with_id` for the same reason.
    """
    record = rows(page.c.id).lateral("record")
    return select(record).select_from(page).join(record, true())


def _offset(number: int) -> int:
    # No list has rows past the cap, so a huge page number need not reach the database.
    return min((number - 1) * PAGE_SIZE, MAX_RESULTS)


def _page(items: Sequence[T], *, number: int, count: int) -> Page[T]:
    if count > MAX_RESULTS:
        raise TooManyResults(MAX_RESULTS)
    return Page(items=items, number=number, has_next=_has_next(count, number))


def _has_next(count: int, number: int) -> bool:
    return count > _offset(number) + PAGE_SIZE


@dataclass(frozen=True, slots=True)
class CursorPage(Generic[T]):
    """One page of a list without a cap; `cursor` leads to the next page, and is None at the end."""

    items: Sequence[T]
    cursor: str | None

    def map(self, read: Callable[[T], R]) -> "CursorPage[R]":
        """The page with each item converted."""
        return CursorPage([read(item) for item in self.items], self.cursor)


def begins_with(column: ColumnElement[str], prefix: str) -> ColumnElement[bool]:
    """Whether a text begins with `prefix`, for an index with `text_pattern_ops`.

    Under row-level security LIKE, which is not leakproof, could not use an index; these operators can.
    """
    last = prefix + chr(sys.maxunicode)
    return and_(column.bool_op("~>=~")(literal(prefix)), column.bool_op("~<=~")(literal(last)))


@dataclass(frozen=True, slots=True, kw_only=True)
class CursorOrder:
    """The order of a list by cursor; the last column is unique, and the columns of one list have distinct names.

    `bytewise` is for one text column that an index with `text_pattern_ops` orders.
    """

    columns: Sequence[ColumnElement[Any]]
    descending: bool = False
    bytewise: bool = False

    def first_rows(
        self, statement: Select[*tuple[Any, ...]], *, after: str | None, size: int
    ) -> Select[*tuple[Any, ...]]:
        """The rows after a cursor, with one more than `size`, and their positions as `cursor_N`; raises Invalid."""
        keys = [column.label(f"cursor_{number}") for number, column in enumerate(self.columns)]
        if after is not None:
            statement = statement.where(self._is_after(cursors.decode(after, [key.type.python_type for key in keys])))
        # One extra row shows whether there is a next page.
        limit: ColumnElement[int] = _literal(size + 1)
        if size > PAGE_SIZE:
            # Policies compare settings, which the planner does not know, so it expects one row in 200 of a table. For a
            # limit above that it would read and sort all rows of an organization. For a limit that it does not know it
            # expects to read a tenth, and prefers an index in the order.
            limit = select(limit).scalar_subquery()
        return statement.add_columns(*keys).order_by(*self._sorted(keys)).limit(limit)

    def merged(self, parts: Sequence[Select[*tuple[Any, ...]]], *, size: int) -> Subquery:
        """The first rows of the union of all parts, each of which is limited to its own first rows."""
        merged = union_all(*(select(part.subquery()) for part in parts)).subquery("merged")
        return select(merged).order_by(*self._sorted(self.keys(merged))).limit(_literal(size + 1)).subquery("page")

    def joined(self, page: Subquery, rows: Rows) -> Select[*tuple[Any, ...]]:
        """The columns that `rows` selects for a page, in its order."""
        keys = self.keys(page)
        return _look_up(page, rows).add_columns(*keys).order_by(*self._sorted(keys))

    def keys(self, source: FromClause) -> list[ColumnElement[Any]]:
        """The columns of positions in a subquery."""
        return [source.c[f"cursor_{number}"] for number in range(len(self.columns))]

    def page(self, records: Sequence[AnyRow], *, size: int) -> CursorPage[AnyRow]:
        """The page of these records, which have their positions."""
        rows = records[:size]
        if len(records) <= size:
            return CursorPage(rows, None)
        return CursorPage(rows, cursors.encode(self.position(rows[-1])))

    def position(self, row: AnyRow) -> list[Any]:
        """The position of a row, which has it as `cursor_N`."""
        return [getattr(row, f"cursor_{number}") for number in range(len(self.columns))]

    def is_up_to(self, position: Sequence[Any]) -> ColumnElement[bool]:
        """Whether a row is at this position or before it."""
        current, end = tuple_(*self.columns), tuple_(*position)
        return current >= end if self.descending else current <= end

    def _is_after(self, position: Sequence[Any]) -> ColumnElement[bool]:
        if self.bytewise:
            return self.columns[0].bool_op("~>~")(literal(position[0]))
        current, start = tuple_(*self.columns), tuple_(*position)
        return current < start if self.descending else current > start

    def _sorted(self, keys: Sequence[ColumnElement[Any]]) -> list[ColumnElement[Any]]:
        if self.bytewise:
            return [UnaryExpression(key, modifier=custom_op("using ~<~")) for key in keys]
        return [key.desc() for key in keys] if self.descending else list(keys)


async def fetch_cursor_page(
    connection: AsyncConnection,
    statement: Select[*tuple[Any, ...]],
    *,
    order: Sequence[ColumnElement[Any]] | CursorOrder,
    after: str | None,
    size: int,
    descending: bool = False,
) -> CursorPage[AnyRow]:
    """The first `size` rows of `statement` after the cursor `after`; `order` must end with a unique column.

    The page starts at a position, not at an offset, so every page costs the same and new rows shift no page. Needs
    an index with the columns of the order after those of the filter. Raises Invalid for a cursor of another list.
    """
    if not isinstance(order, CursorOrder):
        order = CursorOrder(columns=order, descending=descending)
    rows = (await connection.execute(order.first_rows(statement, after=after, size=size))).all()
    await asyncio.sleep(0)  # lets other requests run before a large page is presented
    return order.page(rows, size=size)


async def fetch_merged_cursor_page(
    connection: AsyncConnection,
    parts: Sequence[Select[*tuple[Any, ...]]],
    *,
    rows: Rows,
    order: CursorOrder,
    after: str | None,
    size: int,
) -> CursorPage[AnyRow]:
    """A page of the ids that all parts select; the parts are disjoint, and an index returns each in this order.

    `rows` receives an id, and selects the columns to return of the row with this id. Raises Invalid.
    """
    page = order.merged([order.first_rows(part, after=after, size=size) for part in parts], size=size)
    return order.page((await connection.execute(order.joined(page, rows))).all(), size=size)


async def fetch_few(connection: AsyncConnection, matching: Select[*tuple[Any, ...]]) -> CTE:
    """The rows of `matching`, to be sorted in an order that no index has; raises TooManyResults if over 10,000 match.

    The statement that uses them reads them again: 10,000 at most, even if rows were added in the meantime.
    """
    total = select(func.count()).select_from(matching.limit(_literal(MAX_RESULTS + 1)).subquery())
    if (await connection.execute(total)).scalar_one() > MAX_RESULTS:
        raise TooManyResults(MAX_RESULTS)
    return matching.limit(_literal(MAX_RESULTS)).cte("matches").prefix_with("MATERIALIZED")
