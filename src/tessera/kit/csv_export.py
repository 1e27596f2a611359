"""CSV files for spreadsheets, made part by part, so that their length takes no memory."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

# What spreadsheets take for the beginning of a formula (OWASP, CSV injection).
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
# What stands between the values of one cell.
SEPARATOR = "|"


def lines(rows: Sequence[Sequence[object]]) -> bytes:
    """The rows as lines of a CSV file: UTF-8, commas, CRLF (RFC 4180)."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def cell(value: object) -> str:
    """A value as its cell has it; a text that would be a formula gets an apostrophe before it."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case int() | Decimal():
            return str(value)
        case list() | tuple():
            return neutral(SEPARATOR.join(map(str, value)))
        case _:
            return neutral(str(value))


def neutral(text: str) -> str:
    """The text so that no spreadsheet computes it."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def plain(text: str) -> str:
    """The text of a cell as it was before `neutral`."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA_STARTS) else text
