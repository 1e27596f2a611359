"""Values that promo codes and vouchers share: products, uses, reasons against a use, and the form of codes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tessera.kit.errors import Violation

_MONTHS = (
    *("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec"),
    *(
        "january",
        "february",
        "march",
        "april",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ),
)
_MONTH = "|".join(_MONTHS)
_CONVERTED = re.compile(
    rf"-?[0-9]+(e-?[0-9]+)?|[0-9]{{0,2}}({_MONTH})[0-9]{{1,4}}|[0-9]{{1,2}}({_MONTH})", re.ASCII | re.IGNORECASE
)


def looks_like_number_or_date(code: str) -> bool:
    """Whether a spreadsheet would convert this code, such as `6976E7`, `076478` or `12MAR31`, and destroy it."""
    return _CONVERTED.fullmatch(code) is not None


def numbers_and_dates(length: int) -> Iterator[str]:
    """The forms of the letters and digits that look like a number or a date; `#` is any digit.

    No text has two of these forms.
    """
    yield "#" * length
    for digits in range(1, length - 1):
        yield "#" * digits + "e" + "#" * (length - digits - 1)
    for month in _MONTHS:
        for day in range(3):
            year = length - day - len(month)
            if 0 <= year <= 4 and day + year > 0:
                yield "#" * day + month + "#" * year


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductChoice:
    """The product of a request: a store exam by its code, or a product bundle by its id."""

    store_exam_code: str | None = None
    product_bundle_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """A possible use of a code: for an exam or a bundle, by a candidate if `has_candidate`."""

    store_exam_id: UUID | None
    product_bundle_id: UUID | None
    has_candidate: bool
    candidate_email: str | None
    person_id: str | None = None


@dataclass(frozen=True, slots=True)
class Reason(Violation):
    """A reason against the use of a code; it applies until `valid_from`, and its limit has `remaining` uses left."""

    remaining: int | None = None
    valid_from: datetime | None = None
