"""Look-ups of single rows by their ids, inside other statements."""

from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, literal_column, select, true

AnySelect = TypeVar("AnySelect", bound=Select[*tuple[Any, ...]])


def with_id(
    rows: AnySelect,
    id_column: ColumnElement[UUID],
    wanted: SQLColumnExpression[UUID] | SQLColumnExpression[UUID | None],
) -> AnySelect:
    """The one of these rows that has the wanted id, found by the index of the ids of an organization.

    With `=`, the planner may read all rows of the organization in another index for each look-up. While its statistics
    are from before the rows were committed, a table is empty for it, and all indexes cost the same. Of indexes that
    cost the same it takes the one that returns the rows in their order.
    """
    return rows.where(id_column >= wanted, id_column <= wanted).order_by(id_column).limit(literal_column("1"))


def has_row(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a row meets the conditions, which name columns of the statement around; looked up for each of its rows.

    The planner may turn `exists` into a join, which reads all rows that meet the other conditions.
    """
    return select(true()).where(*conditions).limit(literal_column("1")).scalar_subquery()
