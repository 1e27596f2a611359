"""Conversion of rows to the dataclasses that repositories return."""

from collections.abc import Callable
from dataclasses import Field
from typing import Any, ClassVar, Protocol, TypeVar

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncConnection

from tessera.kit.db.unit_of_work import AnyRow


class Dataclass(Protocol):
    """An instance of a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


T = TypeVar("T")
D = TypeVar("D", bound=Dataclass)


def record_of(record: type[D], row: AnyRow, **overrides: Any) -> D:  # noqa: ANN401 - values of any field
    """A record from the columns with the names of its fields; `overrides` replaces the values of some fields."""
    return record(**{name: getattr(row, name) for name in record.__dataclass_fields__} | overrides)


async def fetch_first(
    connection: AsyncConnection, statement: Select[*tuple[Any, ...]], read: Callable[[AnyRow], T]
) -> T | None:
    """The first row of a query as a record, or None."""
    row = (await connection.execute(statement)).first()
    return read(row) if row else None
