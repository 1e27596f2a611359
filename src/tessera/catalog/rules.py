"""Words about what is sold, and to whom, and the rules of what may be sold."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from tessera.identity.rules import name_violations
from tessera.kit.errors import Violation

MAX_PRICE = Decimal("9999999999.99")


class Status(StrEnum):
    """How a product stands: what is archived is no longer sold, and can be put on sale again."""

    ACTIVE = "Active"
    ARCHIVED = "Archived"


@dataclass(frozen=True, slots=True)
class Use:
    """What a code would be used for: an exam or a bundle, by a candidate or by nobody in particular."""

    store_exam_id: UUID | None
    product_bundle_id: UUID | None
    has_candidate: bool
    candidate_email: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreExamDraft:
    """A store exam as somebody wants it; `refused` is what its reader could not read, which is None here."""

    code: str | None = None
    name: str | None = None
    price: Decimal | None = None
    refused: tuple[Violation, ...] = ()


def store_exam_violations(draft: StoreExamDraft) -> Iterator[Violation]:
    """Everything that is wrong with a draft by itself."""
    yield from draft.refused
    if draft.code is not None:
        yield from _code_violations(draft.code)
    yield from product_violations(draft.name, draft.price)


def product_violations(name: str | None, price: Decimal | None) -> Iterator[Violation]:
    """What is wrong with a name and a price, in dollars and whole cents."""
    if name is not None:
        yield from name_violations("name", name)
    if price is not None and not 0 <= price <= MAX_PRICE:
        yield Violation("PriceRange", "price", f"must be between 0 and {MAX_PRICE:,}")
    elif price is not None and price != round(price, 2):
        yield Violation("PriceCents", "price", "must have at most two decimals")


def _code_violations(code: str) -> Iterator[Violation]:
    if not 1 <= len(code) <= 100 or not all(33 <= ord(character) <= 126 for character in code):
        yield Violation("NotStoreExamCode", "code", "must have 1 to 100 printable ASCII characters and no spaces")
