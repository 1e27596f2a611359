"""Cursors: positions in a list, as opaque text for clients."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from tessera.kit.errors import Invalid, Violation


def _boolean(text: str) -> bool:
    if text not in ("True", "False"):
        raise ValueError(text)
    return text == "True"


_READERS: dict[type[Any], Callable[[str], Any]] = {
    UUID: UUID,
    datetime: datetime.fromisoformat,
    str: str,
    int: int,
    bool: _boolean,
}


def encode(position: Sequence[object]) -> str:
    """The cursor of a row: the values of the columns that order the list, each of a type in `_READERS`."""
    return urlsafe_b64encode(orjson.dumps([_text(value) for value in position])).decode().rstrip("=")


def decode(cursor: str, types: Sequence[type[Any]]) -> list[Any]:
    """The values of a cursor, one for each type; raises Invalid for any other text."""
    try:
        texts = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        values = [_READERS[type_](text) for type_, text in zip(types, texts, strict=True)]
        if any(_is_unusable(value) for value in values):
            raise ValueError
    except (ValueError, TypeError, AttributeError) as error:
        raise Invalid([Violation("NotCursor", "cursor", "must be a cursor from a nextLink of this list")]) from error
    return values


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _is_unusable(value: object) -> bool:
    # The database would reject these values with its own error.
    match value:
        case datetime():
            return value.tzinfo is None
        case str():
            return "\0" in value
        case int():
            return abs(value) >= 2**63
        case _:
            return False
