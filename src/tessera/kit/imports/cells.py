"""The parsers of the cells of imported CSV files."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from tessera.kit.errors import Violation
from tessera.kit.normalization import key_of, parse_time

# Spreadsheets write whole numbers with decimals, such as 10.0.
_WHOLE = re.compile(r"[0-9]{1,12}(\.0{1,10})?", re.ASCII)
_MONEY = re.compile(r"[0-9]{1,15}(\.[0-9]{1,10})?", re.ASCII)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?)?", re.ASCII)
_FLAGS = {"true": True, "yes": True, "false": False, "no": False}

Parser = Callable[[str], Any]


class InvalidCell(Exception):
    """The text of a cell is not a value of its column."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def parse_all(cells: Mapping[str, str], parsers: Mapping[str, Parser]) -> tuple[dict[str, Any], list[Violation]]:
    """The values of cells by column, and the violations of cells that cannot be parsed, whose values are None."""
    values: dict[str, Any] = {}
    violations = []
    for column, text in cells.items():
        try:
            values[column] = parsers[column](text)
        except InvalidCell as error:
            values[column] = None
            violations.append(Violation(error.code, column, str(error)))
    return values, violations


def whole_number(text: str) -> int:
    """A whole number; raises InvalidCell."""
    if not _WHOLE.fullmatch(text):
        raise InvalidCell("NotInteger", "must be a whole number")
    return int(text.partition(".")[0])


def money(text: str) -> Decimal:
    """An amount or another decimal number; raises InvalidCell."""
    if not _MONEY.fullmatch(text):
        raise InvalidCell("NotNumber", "must be a number such as 12.50")
    return Decimal(text)


def instant(text: str) -> datetime:
    """A time; a date is its first moment in UTC. Raises InvalidCell."""
    message = "must be an ISO 8601 date and time, such as 2026-01-01T00:00:00Z, or a date for its first moment in UTC"
    if not _TIME.fullmatch(text):
        raise InvalidCell("NotDateTime", message)
    try:
        return parse_time(text)
    except (ValueError, OverflowError) as error:
        raise InvalidCell("NotDateTime", message) from error


def flag(text: str) -> bool:
    """A flag; raises InvalidCell."""
    if key_of(text) not in _FLAGS:
        raise InvalidCell("NotBoolean", "must be true or false")
    return _FLAGS[key_of(text)]
