"""Values that promo codes and vouchers share: products, uses, and reasons against a use."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tessera.kit.errors import Violation


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
    """Why a code cannot be used: `remaining` uses of its limit are left, and the reason applies until `valid_from`."""

    remaining: int | None = None
    valid_from: datetime | None = None
