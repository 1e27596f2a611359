"""Rows as JSON, written by the database: a page of them then is one text, and is serialized once."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    DateTime,
    Integer,
    Subquery,
    Text,
    Uuid,
    case,
    cast,
    func,
    literal_column,
)


@dataclass(frozen=True, slots=True)
class Time:
    """A time in UTC in whole seconds, with this zone behind it."""

    field: str
    zone: str = "Z"


@dataclass(frozen=True, slots=True, eq=False)
class JsonProjection:
    """An object: its names, each with the field that it shows; what is null is absent.

    With `only_if`, the name of a boolean field, the object is absent where that is false.
    """

    members: Mapping[str, "str | Time | JsonProjection"]
    only_if: str | None = None


def json_object(row: Subquery, projection: JsonProjection) -> ColumnElement[str]:
    """The text of the object for a row."""
    members = (_member(name, row, shown) for name, shown in projection.members.items())
    return _text("{").concat(func.concat_ws(_text(","), *members)).concat(_text("}"))


def _member(name: str, row: Subquery, shown: str | Time | JsonProjection) -> ColumnElement[str]:
    value = _object_or_null(row, shown) if isinstance(shown, JsonProjection) else _value(row, shown)
    return _text(f'"{name}":').concat(value)


def _object_or_null(row: Subquery, projection: JsonProjection) -> ColumnElement[str]:
    written = json_object(row, projection)
    return written if projection.only_if is None else case((row.c[projection.only_if], written))


def _value(row: Subquery, shown: str | Time) -> ColumnElement[str]:
    if isinstance(shown, Time):
        # By name, because a session behind a pooler may have a time zone of its own.
        moment = func.timezone(_text("UTC"), row.c[shown.field])
        written = func.to_char(moment, _text('YYYY-MM-DD"T"HH24:MI:SS'))
        return _text('"').concat(written).concat(_text(f'{shown.zone}"'))
    column = row.c[shown]
    match column.type:
        case Boolean() | Integer():
            return cast(column, Text)
        case Uuid():
            return _text('"').concat(cast(column, Text)).concat(_text('"'))
        case Text() | ARRAY():
            return cast(func.to_json(column), Text)
        case DateTime():
            raise TypeError(f"{shown} needs a Time")
        case _:
            raise TypeError(f"{shown} cannot be written: {column.type!r}")


def _text(constant: str) -> ColumnElement[str]:
    # Written out, because as parameters they would go over the wire with each use.
    return literal_column(f"'{constant}'", Text)
