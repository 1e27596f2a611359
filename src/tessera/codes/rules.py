"""Values that promo codes and vouchers share: products, uses, reasons against a use, and the form of codes."""

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tessera.kit.errors import Violation

_NUMBER = re.compile(r"-?[0-9]+(E-?[0-9]+)?", re.ASCII | re.IGNORECASE)


def looks_like_number(code: str) -> bool:
    """Whether a spreadsheet would read this code as a number, such as `6976E7` or `076478`, and destroy it."""
    return _NUMBER.fullmatch(code) is not None


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
