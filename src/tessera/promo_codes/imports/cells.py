"""The columns of a CSV file of promo codes: their order, and the parsers of their cells."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from tessera.kit.csv import SEPARATOR, split
from tessera.kit.errors import Violation
from tessera.kit.normalization import key_of, parse_time
from tessera.promo_codes.rules import Status

# Spreadsheets write whole numbers with decimals, such as 10.0.
_WHOLE = re.compile(r"[0-9]{1,12}(\.0{1,10})?", re.ASCII)
_MONEY = re.compile(r"[0-9]{1,15}(\.[0-9]{1,10})?", re.ASCII)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?)?", re.ASCII)
_FLAGS = {"true": True, "yes": True, "false": False, "no": False}
_STATUSES = {key_of(status): status for status in Status}


class _InvalidCell(Exception):
    """The text of a cell is not a value of its column."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _whole_number(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise _InvalidCell("NotInteger", "must be a whole number")
    return int(text.partition(".")[0])


def _money(text: str) -> Decimal:
    if not _MONEY.fullmatch(text):
        raise _InvalidCell("NotNumber", "must be a number such as 12.50")
    return Decimal(text)


def _instant(text: str) -> datetime:
    message = "must be an ISO 8601 date and time, such as 2026-01-01T00:00:00Z, or a date for its first moment in UTC"
    if not _TIME.fullmatch(text):
        raise _InvalidCell("NotDateTime", message)
    try:
        return parse_time(text)
    except (ValueError, OverflowError) as error:
        raise _InvalidCell("NotDateTime", message) from error


def _flag(text: str) -> bool:
    if key_of(text) not in _FLAGS:
        raise _InvalidCell("NotBoolean", "must be true or false")
    return _FLAGS[key_of(text)]


def _status(text: str) -> Status:
    if key_of(text) not in _STATUSES:
        raise _InvalidCell("NotAmongValues", "must be Inactive, Active or Archived")
    return _STATUSES[key_of(text)]


def _texts(text: str) -> tuple[str, ...]:
    return tuple(split(text))


def _uuids(text: str) -> tuple[UUID, ...]:
    try:
        return tuple(UUID(part) for part in _texts(text))
    except ValueError as error:
        raise _InvalidCell("NotUuid", f"must be UUIDs, with {SEPARATOR} between them") from error


# The parser of each column, in the order of an exported file.
_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "name": str,
    "status": _status,
    "discount_percent": _whole_number,
    "flat_discount": _money,
    "store_exam_codes": _texts,
    "product_bundle_ids": _uuids,
    "restrict_to_email_addresses": _flag,
    "email_addresses": _texts,
    "starts_at": _instant,
    "expires_at": _instant,
    "max_redemptions": _whole_number,
    "max_redemptions_per_candidate": _whole_number,
    "max_redemptions_per_organization": _whole_number,
    "is_combinable": _flag,
    "campaign": str,
    "notes": str,
}
IMPORTED_COLUMNS = tuple(_PARSERS)
# An import ignores the columns that only an export has.
COLUMNS = (*IMPORTED_COLUMNS, "redemption_count", "batch_id", "created_at", "id")


def parse(cells: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a draft, from the text of its cells by column.

    A field that cannot be parsed is None and is listed in `parse_violations`.
    """
    fields: dict[str, Any] = {}
    violations = []
    for column, text in cells.items():
        try:
            fields[column] = _PARSERS[column](text)
        except _InvalidCell as error:
            fields[column] = None
            violations.append(Violation(error.code, column, str(error)))
    if "status" in fields:
        status = fields.pop("status")
        fields |= {"is_active": status and status is Status.ACTIVE, "is_archived": status is Status.ARCHIVED}
    return {**fields, "parse_violations": tuple(violations)}
