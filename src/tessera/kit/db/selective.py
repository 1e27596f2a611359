"""Lists with several filters: their plans start from the filter that matches the fewest records.

The planner cannot tell which one that is: a generic plan does not know the values, and statistics are averages over all
organizations, so it may read all the records of the filter that matches the most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from psycopg.rows import tuple_row
from sqlalchemy import ColumnElement, FromClause, Integer, Select, func, literal_column, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from tessera.kit.db import cursors
from tessera.kit.db.compiled_queries import CompiledQuery, Step, run_all
from tessera.kit.db.pages import MAX_RESULTS, CursorOrder, CursorPage, fetch_cursor_page
from tessera.kit.db.unit_of_work import AnyRow

# So many records are looked up by their ids. Where each filter matches more, a page has other records to show.
FEW = 1_000
SEVERAL = 2
AnySelect = Select[*tuple[Any, ...]]
Filter = AnySelect
F = TypeVar("F")


async def find_selective(connection: AsyncConnection, filters: Sequence[Filter]) -> Filter | None:
    """The filter that selects the fewest ids, of several; None if each selects more than 1,000."""
    if len(filters) < SEVERAL:
        return None
    return _fewest(filters, (await connection.execute(_counts(filters))).one())


@dataclass(frozen=True, slots=True)
class SelectivityQuery(Generic[F]):
    """As `find_selective`, compiled once for filters with parameters; its result is the name of a filter."""

    names: Sequence[F]
    query: CompiledQuery

    @classmethod
    def of(cls, filters: Mapping[F, Filter]) -> "SelectivityQuery[F]":
        """The query for these filters by name."""
        return cls(list(filters), CompiledQuery(_counts(list(filters.values())), rows=tuple_row))

    def step(self, values: Mapping[str, Any]) -> Step[F | None]:
        """The step that finds the filter."""
        return Step(self.query, values, lambda rows: _fewest(self.names, rows[0]))


async def find_selective_names(
    connection: AsyncConnection, requests: Sequence[tuple[SelectivityQuery[F], Mapping[str, Any]]]
) -> list[F | None]:
    """The filter that each request starts from; None also for a request with less than two filters."""
    several = {n: query.step(values) for n, (query, values) in enumerate(requests) if len(query.names) >= SEVERAL}
    if not several:
        return [None] * len(requests)
    found = dict(zip(several, await run_all(connection, list(several.values())), strict=True))
    return [found.get(number) for number in range(len(requests))]


def _counts(filters: Sequence[Filter]) -> AnySelect:
    limit = literal_column(str(FEW + 1), Integer)
    few = [ids.limit(limit).subquery() for ids in filters]
    return select(*(select(func.count()).select_from(ids).scalar_subquery() for ids in few))


def _fewest(filters: Sequence[F], counts: Sequence[int]) -> F | None:
    count, position = min(zip(counts, range(len(filters)), strict=True))
    return filters[position] if count <= FEW else None


def with_ids(records: AnySelect, id_column: ColumnElement[UUID], ids: Filter) -> AnySelect:
    """Those of these records that have one of these ids, each looked up on its own."""
    return _looked_up(records, id_column, ids.cte("selected").prefix_with("MATERIALIZED"))


def _looked_up(records: AnySelect, id_column: ColumnElement[UUID], base: FromClause) -> AnySelect:
    # Not a range as in `with_id`: with other filters, the planner would take the index of one of them for each.
    record = records.where(id_column == list(base.c)[-1]).limit(literal_column("1")).lateral("record")
    return select(record).select_from(base).join(record, true())


async def fetch_selected_page(
    connection: AsyncConnection,
    records: AnySelect,
    *,
    ids: Filter,
    order: CursorOrder,
    after: str | None,
    size: int,
) -> CursorPage[AnyRow]:
    """A page of those of these records that have one of these few ids; raises Invalid."""
    statement = with_ids(records, order.columns[-1], ids)
    columns = [statement.selected_columns[column.key or ""] for column in order.columns]
    order = CursorOrder(columns=columns, descending=order.descending)
    return await fetch_cursor_page(connection, statement, order=order, after=after, size=size)


async def fetch_filtered_page(
    connection: AsyncConnection,
    records: AnySelect,
    *,
    filters: Sequence[Filter],
    order: CursorOrder,
    after: str | None,
    size: int,
) -> CursorPage[AnyRow]:
    """A page of these records, which meet all filters and perhaps other conditions; raises Invalid.

    An index finds the ids that each filter selects, in its last column. The first filter selects the columns of the
    order, and its index returns them in this order.

    Unless one of several filters matches few records, the page compares no more than 10,000 of those of the first one.
    So it may have a cursor although it has fewer than `size` records, or none.
    """
    ids = await find_selective(connection, filters)
    if ids is not None:
        return await fetch_selected_page(connection, records, ids=ids, order=order, after=after, size=size)
    base = filters[0]
    return await fetch_page_from(connection, records, base=base, order=order, after=after, size=size)


async def fetch_page_from(
    connection: AsyncConnection,
    records: AnySelect,
    *,
    base: Filter,
    order: CursorOrder,
    after: str | None,
    size: int,
) -> CursorPage[AnyRow]:
    """A page of those of these records that `base` selects, of which it compares no more than 10,000."""
    rows, id_column = base.subquery("base"), order.columns[-1]
    order = CursorOrder(columns=list(rows.c), descending=order.descending)
    statement = _looked_up(records, id_column, rows)
    return await fetch_compared_page(connection, statement, base=select(rows), order=order, after=after, size=size)


async def fetch_compared_page(
    connection: AsyncConnection,
    statement: AnySelect,
    *,
    base: AnySelect,
    order: CursorOrder,
    after: str | None,
    size: int,
) -> CursorPage[AnyRow]:
    """A page of `statement`, which compares no more than 10,000 of the rows of `base`, from which it starts.

    So it may have a cursor although it has fewer than `size` records, or none. An index returns `base`, which selects
    the columns of the order, in this order. Raises Invalid.
    """
    bounded = order.first_rows(base, after=after, size=0).offset(literal_column(str(MAX_RESULTS - 1)))
    last = (await connection.execute(bounded)).first()
    if last is None:
        return await fetch_cursor_page(connection, statement, order=order, after=after, size=size)
    position = order.position(last)
    statement = statement.where(order.is_up_to(position))
    page = await fetch_cursor_page(connection, statement, order=order, after=after, size=size)
    return CursorPage(page.items, page.cursor or cursors.encode(position))
