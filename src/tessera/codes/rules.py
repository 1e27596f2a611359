"""What promo codes and vouchers have in common: what a code is used for, by whom, and why it cannot be used."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tessera.kit.errors import Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductChoice:
    """What is being sold, as a caller names it: a store exam by its code, or a product bundle by its id."""

    store_exam_code: str | None = None
    product_bundle_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """What a code would be used for: an exam or a bundle, by a candidate or by nobody in particular."""

    store_exam_id: UUID | None
    product_bundle_id: UUID | None
    has_candidate: bool
    candidate_email: str | None
    person_id: str | None = None


@dataclass(frozen=True, slots=True)
class Reason(Violation):
    """Why a code cannot be used: how many uses a limit leaves, and when what passes by itself has passed."""

    remaining: int | None = None
    valid_from: datetime | None = None
