"""CSV files for spreadsheets, produced in chunks, so that memory use does not grow with their length."""

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, Protocol
from uuid import UUID

from tessera.kit.control_characters import escape, unescape
from tessera.kit.wire import wire_name

# Characters that start a formula in a spreadsheet (OWASP, CSV injection); the last four are full-width.
_FORMULA_START = "[-=+@\uff1d\uff0b\uff0d\uff20]"
# Blanks, quotation marks and characters without a width, which may precede a formula.
_SKIPPED = "[ '\"\u00a0\u00ad\u180e\u2000-\u200f\u2028-\u202f\u2060-\u206f\u3000\ufeff]*+"
# A text that begins with tab, CR or LF counts as a formula. A program that separates cells by semicolon or tab starts
# cells inside the text as well.
_PLACES = (
    ("^", rf"(?={_SKIPPED}(?:{_FORMULA_START}|[\t\r\n]))"),
    (r"(?<=[;\t\r\n])", f"(?={_SKIPPED}{_FORMULA_START})"),
)
_FORMULA = re.compile("|".join(before + formula for before, formula in _PLACES))
_NEUTRAL = re.compile("|".join(f"{before}'{formula}" for before, formula in _PLACES))
# Most cells: printable ASCII that begins with a letter or a digit, without semicolons and backslashes. Without this
# test, each of the millions of cells of a long file would take ten times as long.
_HARMLESS = re.compile(r"[0-9A-Za-z][ -:<-\[\]-~]*+")
# Separates the values of one cell. Inside a value, a backslash escapes a separator or a backslash.
SEPARATOR = "|"
_SPECIAL = re.compile(r"[\\|]")


class Record(Protocol):
    """A record of an export; records are exported in the order of their ids."""

    @property
    def id(self) -> UUID:
        """The id of the record."""


# The value of each column in a record, by the title of the column.
Columns = dict[str, Callable[[Any], object]]


def columns_of(fields: Iterable[str]) -> Columns:
    """The columns with these attributes of records, which have their wire names as titles."""
    return {wire_name(field): attrgetter(field) for field in fields}


async def file(
    columns: Columns, list_after: Callable[[UUID | None], Awaitable[Sequence[Record]]]
) -> AsyncIterator[bytes]:
    """Yield a file in chunks: a first line with the titles of the columns, then the records.

    `list_after` returns the next records after an id, and none at the end. It must open a unit of work for each call,
    so that a slow reader holds neither a connection nor old row versions. Rows reflect the time of their call.
    """
    yield lines([list(columns)])
    after: UUID | None = None
    while records := await list_after(after):
        yield await page(records, lambda record: [read(record) for read in columns.values()])
        after = records[-1].id


async def page(records: Sequence[Any], cells: Callable[[Any], Sequence[object]]) -> bytes:
    """The lines of some records, written in a thread, because those of long texts take a while."""
    return await asyncio.to_thread(lambda: lines([cells(record) for record in records]))


def lines(rows: Sequence[Sequence[object]]) -> bytes:
    """The rows as lines of a CSV file: UTF-8, commas, CRLF (RFC 4180)."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def cell(value: object) -> str:
    """The text of a cell; text is made harmless, see `neutral`."""
    return neutral(value) if isinstance(value, str) else _format(value)


def _format(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case int() | Decimal() | UUID():  # a leading minus of a number does not start a formula
            return str(value)
        case list() | tuple():
            return neutral(join(value))
        case _:
            return neutral(str(value))


def join(values: Iterable[object]) -> str:
    """Join values into the text of one cell."""
    return SEPARATOR.join(_SPECIAL.sub(r"\\\g<0>", str(value)) for value in values)


def split(text: str) -> list[str]:
    """The values of one cell, which has no NUL characters, without surrounding white space and without empty values."""
    # Regular expressions would keep the interpreter from all requests for as long as a cell of a mebibyte takes. NUL
    # stands for an escaped separator, and pairs of backslashes are replaced first, as they are read from the left.
    pairs = text.split(r"\\")
    marked = "\\".join(part.replace(rf"\{SEPARATOR}", "\0") for part in pairs)
    return [value.replace("\0", SEPARATOR) for each in marked.split(SEPARATOR) if (value := each.strip())]


def neutral(text: str) -> str:
    r"""The text of a cell without a formula and without control characters; see `plain`.

    An apostrophe precedes each formula, and an escape such as `\u001b` replaces a control character.
    """
    return text if _HARMLESS.fullmatch(text) else _FORMULA.sub("'", escape(text))


def plain(text: str) -> str:
    """The text from which `neutral` made this one."""
    return text if _HARMLESS.fullmatch(text) else unescape(_NEUTRAL.sub("", text))
