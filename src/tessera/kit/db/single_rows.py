"""Look-ups of single rows by their ids, inside other statements."""

from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, literal_column

AnySelect = TypeVar("AnySelect", bound=Select[*tuple[Any, ...]])


def with_id(rows: AnySelect, id_column: ColumnElement[UUID], wanted: SQLColumnExpression[UUID]) -> AnySelect:
    """The one of these rows that has the wanted id, found by the index of the ids of an organization.

    With `=`, the planner may read all rows of the organization in another index for each look-up. While its statistics
    are from before the rows were committed, a table is empty for it, and all indexes cost the same. Of indexes that
    cost the same it takes the one that returns the rows in their order.
    """
    return rows.where(id_column >= wanted, id_column <= wanted).order_by(id_column).limit(literal_column("1"))
