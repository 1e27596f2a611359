"""CSV files for spreadsheets, made part by part, so that their length takes no memory."""

import csv
import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from tessera.kit.wire import wire_name

# What spreadsheets take for the beginning of a formula (OWASP, CSV injection); the last four are full-width.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# What stands between the values of one cell; inside a value it has a backslash before it, as a backslash has.
SEPARATOR = "|"
_SPECIAL = re.compile(r"[\\|]")
_VALUE = re.compile(r"(?:\\[\\|]|[^|])++")
_ESCAPED = re.compile(r"\\([\\|])")


class Record(Protocol):
    """What has an id, by whose order it is exported."""

    @property
    def id(self) -> UUID:
        """Its id."""


async def file(
    fields: Sequence[str], list_after: Callable[[UUID | None], Awaitable[Sequence[Record]]]
) -> AsyncIterator[bytes]:
    """The parts of a CSV file: a first line with the wire names of these fields, then the records.

    `list_after` returns the records that follow an id, and none at the end. Each call opens its own unit of work, so
    that a slow reader holds neither a connection nor old row versions; a later part has the later state.
    """
    yield lines([[wire_name(field) for field in fields]])
    after: UUID | None = None
    while records := await list_after(after):
        yield lines([[getattr(record, field) for field in fields] for record in records])
        after = records[-1].id


def lines(rows: Sequence[Sequence[object]]) -> bytes:
    """The rows as lines of a CSV file: UTF-8, commas, CRLF (RFC 4180)."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def cell(value: object) -> str:
    """A value as its cell has it; a text that would be a formula gets an apostrophe before it."""
    return neutral(value) if isinstance(value, str) else _other(value)


def _other(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case int() | Decimal() | UUID():  # which are no formulas
            return str(value)
        case list() | tuple():
            return neutral(join(value))
        case _:
            return neutral(str(value))


def join(values: Iterable[object]) -> str:
    """Values in one cell."""
    return SEPARATOR.join(_SPECIAL.sub(r"\\\g<0>", str(value)) for value in values)


def split(text: str) -> list[str]:
    """The values of one cell, without white space around them; empty ones count for nothing."""
    values = text.split(SEPARATOR)
    if "\\" in text:
        values = [_ESCAPED.sub(r"\1", value) for value in _VALUE.findall(text)]
    return [stripped for value in values if (stripped := value.strip())]


def neutral(text: str) -> str:
    """The text so that no spreadsheet computes it."""
    return f"'{text}" if text.lstrip("'").startswith(FORMULA_STARTS) else text


def plain(text: str) -> str:
    """The text of a cell as it was before `neutral`."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(FORMULA_STARTS) else text
