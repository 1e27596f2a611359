"""The rules of store exams and product bundles."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from tessera.identity.rules import name_violations
from tessera.kit.errors import Violation
from tessera.kit.normalization import key_of

MAX_PRICE = Decimal("9999999999.99")
MAX_EXAMS = 100


class Status(StrEnum):
    """How a product stands: what is archived is no longer sold, and can be put on sale again."""

    ACTIVE = "Active"
    ARCHIVED = "Archived"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreExamDraft:
    """A store exam to write; a field that could not be parsed is None and listed in `parse_violations`."""

    code: str | None = None
    name: str | None = None
    price: Decimal | None = None
    parse_violations: tuple[Violation, ...] = ()


def store_exam_violations(draft: StoreExamDraft) -> Iterator[Violation]:
    """Everything that is wrong with a draft by itself."""
    yield from draft.parse_violations
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductBundleDraft:
    """A product bundle to write; a field that could not be parsed is None and listed in `parse_violations`."""

    name: str | None = None
    price: Decimal | None = None
    store_exam_codes: tuple[str, ...] | None = None
    parse_violations: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True)
class ContainedExam:
    """A store exam that a bundle may contain; one that was there already may stay when it is archived."""

    id: UUID
    code: str
    status: Status


def product_bundle_violations(draft: ProductBundleDraft) -> Iterator[Violation]:
    """Everything that is wrong with a draft by itself."""
    yield from draft.parse_violations
    yield from product_violations(draft.name, draft.price)
    if draft.store_exam_codes is not None and not 1 <= len(draft.store_exam_codes) <= MAX_EXAMS:
        yield Violation("NumberOfExams", "store_exam_codes", f"must name 1 to {MAX_EXAMS} store exams")


def contained_violations(
    codes: Sequence[str], known: Mapping[str, ContainedExam], *, kept: Collection[str]
) -> Iterator[Violation]:
    """Which of the codes name no exam that is on sale; `known` and `kept`, those in it now, are by the code's key."""
    for position, code in enumerate(codes[:MAX_EXAMS]):
        exam = known.get(key_of(code))
        if exam is None or (exam.status != Status.ACTIVE and key_of(code) not in kept):
            field = f"store_exam_codes/{position}"
            yield Violation("StoreExamNotFound", field, "must name a store exam that is on sale")
