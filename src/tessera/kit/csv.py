"""CSV files for spreadsheets, written in parts, so that a file of any length takes little memory."""

import csv
import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from tessera.kit.wire import wire_name

# The characters with which spreadsheets begin a formula (OWASP, CSV injection); the last four are full-width.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# Separates the values in one cell; a backslash escapes it, and itself, in a value.
SEPARATOR = "|"
_SPECIAL = re.compile(r"[\\|]")
_VALUE = re.compile(r"(?:\\[\\|]|[^|])++")
_ESCAPED = re.compile(r"\\([\\|])")


class Record(Protocol):
    """A record with an id, which determines its place in an export."""

    @property
    def id(self) -> UUID:
        """The unique identifier."""


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
    """The text of the cell for a value; an apostrophe precedes a text that would be a formula."""
    return neutral(value) if isinstance(value, str) else _other(value)


def _other(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case int() | Decimal() | UUID():  # never formulas
            return str(value)
        case list() | tuple():
            return neutral(join(value))
        case _:
            return neutral(str(value))


def join(values: Iterable[object]) -> str:
    """The text of a cell with these values."""
    return SEPARATOR.join(_SPECIAL.sub(r"\\\g<0>", str(value)) for value in values)


def split(text: str) -> list[str]:
    """The values in a cell, stripped of white space; empty ones are ignored."""
    values = text.split(SEPARATOR)
    if "\\" in text:
        values = [_ESCAPED.sub(r"\1", value) for value in _VALUE.findall(text)]
    return [stripped for value in values if (stripped := value.strip())]


def neutral(text: str) -> str:
    """The text in a form that no spreadsheet evaluates."""
    return f"'{text}" if text.lstrip("'").startswith(FORMULA_STARTS) else text


def plain(text: str) -> str:
    """The original text of a cell that was written with `neutral`."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(FORMULA_STARTS) else text
