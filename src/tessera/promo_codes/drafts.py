"""Drafts of promo codes: their references to the catalog, and the promo codes that they describe."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from tessera.catalog import service as catalog
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import DomainError, Invalid, Violation
from tessera.kit.identifiers import new_id
from tessera.kit.normalization import distinct, email_key, key_of
from tessera.promo_codes import rules
from tessera.promo_codes.repository import NewPromoCode, PromoCodeRepository
from tessera.promo_codes.rules import PromoCodeDraft, Status, terms_of


@dataclass(frozen=True, slots=True)
class ResolvedReferences:
    """The references that exist: the id and stored code of exams, by the key of the code, and the ids of bundles."""

    exams: Mapping[str, tuple[UUID, str]] = field(default_factory=dict)
    bundle_ids: Collection[UUID] = frozenset()


async def resolve_references(work: UnitOfWork, *drafts: PromoCodeDraft) -> ResolvedReferences:
    """The existing exams and bundles to which these drafts refer; drafts without references cause no query."""
    exam_codes = {code for draft in drafts for code in draft.store_exam_codes or ()}
    bundle_ids = {bundle_id for draft in drafts for bundle_id in draft.product_bundle_ids or ()}
    exams = await catalog.find_store_exams(work, exam_codes) if exam_codes else {}
    return ResolvedReferences(
        exams, await catalog.find_product_bundle_ids(work, bundle_ids) if bundle_ids else frozenset()
    )


def unknown_references(draft: PromoCodeDraft, references: ResolvedReferences) -> Iterator[Violation]:
    """A violation for the unknown exams of the draft, and one for its unknown bundles."""
    exams = [code for code in draft.store_exam_codes or () if key_of(code) not in references.exams]
    if exams:
        message = f"has unknown store exams: {rules.some_of(exams)}"
        yield Violation("StoreExamNotFound", "store_exam_codes", message)
    bundles = [str(bundle_id) for bundle_id in draft.product_bundle_ids or () if bundle_id not in references.bundle_ids]
    if bundles:
        message = f"has unknown product bundles: {rules.some_of(bundles)}"
        yield Violation("ProductBundleNotFound", "product_bundle_ids", message)


def valid_name(draft: PromoCodeDraft, violations: Collection[Violation]) -> str | None:
    """The draft's name, unless one of its violations is about the name."""
    return draft.name if all(each.field != "name" for each in violations) else None


async def find_taken_names(work: UnitOfWork, names: Collection[str]) -> dict[str, Violation]:
    """The names in use by a promo code (archived or not) or a voucher: a violation for each, by the key of the name."""
    used_names = await PromoCodeRepository(work).find_used_names(names)
    return {key: name_taken(name, by_voucher=used_names[key]) for name in names if (key := key_of(name)) in used_names}


class TakenByVoucher(Violation):
    """The violation of a name that a voucher has. It is shown like any other: callers may have no right to vouchers."""


def name_taken(name: str, *, by_voucher: bool) -> Violation:
    """The violation of a name that a promo code or a voucher has."""
    violation = TakenByVoucher if by_voucher else Violation
    return violation("NameTaken", "name", f"must be unique, and '{name[:25]}' is taken")


def tells_of_vouchers(error: DomainError) -> bool:
    """Whether the refusal of a draft tells if a voucher has its name, so that the caller has guessed a code.

    A name that has another violation is not looked up among vouchers, or a promo code has it.
    """
    return isinstance(error, Invalid) and all(
        isinstance(each, TakenByVoucher) for each in error.violations if each.field == "name"
    )


def exams_of(draft: PromoCodeDraft, references: ResolvedReferences) -> tuple[tuple[UUID, str], ...]:
    """The id and stored code of the draft's exams, in its order and without duplicates; all exams must exist."""
    return tuple(references.exams[key_of(code)] for code in distinct(draft.store_exam_codes or ()))


def bundles_of(draft: PromoCodeDraft) -> tuple[UUID, ...]:
    """The bundles of the draft, without duplicates."""
    return tuple(dict.fromkeys(draft.product_bundle_ids or ()))


def status_of(draft: PromoCodeDraft) -> Status:
    """The status that the draft describes."""
    if draft.is_archived:
        return Status.ARCHIVED
    return Status.ACTIVE if draft.is_active else Status.INACTIVE


def new_promo_code(draft: PromoCodeDraft, references: ResolvedReferences) -> NewPromoCode:
    """The promo code that a valid draft describes."""
    return NewPromoCode(
        id=new_id(),
        name=draft.name or "",
        status=status_of(draft),
        **terms_of(draft),
        restrict_to_email_addresses=bool(draft.restrict_to_email_addresses),
        store_exam_ids=tuple(exam_id for exam_id, _ in exams_of(draft, references)),
        product_bundle_ids=bundles_of(draft),
        email_addresses=distinct(draft.email_addresses or (), key=email_key),
    )
