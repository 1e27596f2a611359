"""The rules of store exams and product bundles."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from tessera.audit.rules import Action
from tessera.identity.rules import name_violations
from tessera.kit.editing import Move
from tessera.kit.errors import Violation
from tessera.kit.normalization import key_of, store_names

MAX_PRICE = Decimal("9999999999.99")
MAX_EXAMS = 100


class Status(StrEnum):
    """The status of a product; an archived one is off sale and can be reactivated."""

    ACTIVE = "Active"
    ARCHIVED = "Archived"


MOVES: Mapping[str, Move] = {
    Status.ACTIVE: Move({Status.ARCHIVED}, Action.ACTIVATED),
    Status.ARCHIVED: Move({Status.ACTIVE}, Action.ARCHIVED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreExamDraft:
    """A store exam to create or change; a field that could not be parsed is None and listed in `parse_violations`."""

    code: str | None = None
    name: str | None = None
    price: Decimal | None = None
    parse_violations: tuple[Violation, ...] = ()

    def __post_init__(self) -> None:
        store_names(self, "name")


def store_exam_violations(draft: StoreExamDraft) -> Iterator[Violation]:
    """The violations of a draft that need no query."""
    yield from draft.parse_violations
    if draft.code is not None:
        yield from _code_violations(draft.code)
    yield from product_violations(draft.name, draft.price)


def product_violations(name: str | None, price: Decimal | None) -> Iterator[Violation]:
    """The violations of a name and of a price in dollars."""
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
    """A bundle to create or change; a field that could not be parsed is None and listed in `parse_violations`."""

    name: str | None = None
    price: Decimal | None = None
    store_exam_codes: tuple[str, ...] | None = None
    parse_violations: tuple[Violation, ...] = ()

    def __post_init__(self) -> None:
        store_names(self, "name")


@dataclass(frozen=True, slots=True)
class ContainedExam:
    """A store exam named by a bundle. An archived exam can stay in a bundle but cannot be added to one."""

    id: UUID
    code: str
    status: Status


def product_bundle_violations(draft: ProductBundleDraft) -> Iterator[Violation]:
    """The violations of a draft that need no query."""
    yield from draft.parse_violations
    yield from product_violations(draft.name, draft.price)
    if draft.store_exam_codes is not None and not 1 <= len(draft.store_exam_codes) <= MAX_EXAMS:
        yield Violation("NumberOfExams", "store_exam_codes", f"must name 1 to {MAX_EXAMS} store exams")


def exam_violations(
    codes: Sequence[str], exams: Mapping[str, ContainedExam], *, current_keys: Collection[str]
) -> Iterator[Violation]:
    """The violations of the exam codes of a bundle.

    `exams` has the known exams by the key of their code; `current_keys` are those of the bundle before the edit.
    """
    for position, code in enumerate(codes[:MAX_EXAMS]):
        exam = exams.get(key_of(code))
        if exam is None or (exam.status != Status.ACTIVE and key_of(code) not in current_keys):
            field = f"store_exam_codes/{position}"
            yield Violation("StoreExamNotFound", field, "must name a store exam that is on sale")
