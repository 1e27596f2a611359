"""JSON written by the database: a page of rows arrives as one text and needs no further serialization."""

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
    """A UTC time in whole seconds, followed by `zone`."""

    field: str
    zone: str = "Z"


@dataclass(frozen=True, slots=True, eq=False)
class JsonProjection:
    """A JSON object: maps the names of members to fields; a member that is null is omitted.

    `only_if` names a boolean field; the object is omitted if the field is false.
    """

    members: Mapping[str, "str | Time | JsonProjection"]
    only_if: str | None = None


def json_object(row: Subquery, projection: JsonProjection) -> ColumnElement[str]:
    """The JSON text of the object for a row."""
    members = (_member(name, row, source) for name, source in projection.members.items())
    return _text("{").concat(func.concat_ws(_text(","), *members)).concat(_text("}"))


def _member(name: str, row: Subquery, source: str | Time | JsonProjection) -> ColumnElement[str]:
    value = _object_or_null(row, source) if isinstance(source, JsonProjection) else _value(row, source)
    return _text(f'"{name}":').concat(value)


def _object_or_null(row: Subquery, projection: JsonProjection) -> ColumnElement[str]:
    text = json_object(row, projection)
    return text if projection.only_if is None else case((row.c[projection.only_if], text))


def _value(row: Subquery, source: str | Time) -> ColumnElement[str]:
    if isinstance(source, Time):
        # An explicit zone, because a session behind a pooler may have another time zone.
        moment = func.timezone(_text("UTC"), row.c[source.field])
        text = func.to_char(moment, _text('YYYY-MM-DD"T"HH24:MI:SS'))
        return _text('"').concat(text).concat(_text(f'{source.zone}"'))
    column = row.c[source]
    match column.type:
        case Boolean() | Integer():
            return cast(column, Text)
        case Uuid():
            return _text('"').concat(cast(column, Text)).concat(_text('"'))
        case Text() | ARRAY():
            return cast(func.to_json(column), Text)
        case DateTime():
            raise TypeError(f"{source} needs a Time")
        case _:
            raise TypeError(f"{source} has a type without a JSON form: {column.type!r}")


def _text(constant: str) -> ColumnElement[str]:
    # A literal, because a parameter would be sent with every execution.
    return literal_column(f"'{constant}'", Text)
