"""Drafts of promo codes: what they name in the catalog, and the promo codes that they become."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from tessera.catalog import service as catalog
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Violation
from tessera.kit.identifiers import new_id
from tessera.kit.normalization import distinct, key_of
from tessera.promo_codes import rules
from tessera.promo_codes.repository import NewPromoCode
from tessera.promo_codes.rules import PromoCodeDraft, Status, terms_of


@dataclass(frozen=True, slots=True)
class ResolvedReferences:
    """What of that which drafts name there is: exams as (id, own spelling) by their code's key, and bundles."""

    exams: Mapping[str, tuple[UUID, str]] = field(default_factory=dict)
    bundle_ids: Collection[UUID] = frozenset()


async def find_named_by(work: UnitOfWork, *drafts: PromoCodeDraft) -> ResolvedReferences:
    """Those exams and bundles that these drafts name and that there are; asks nothing where nothing is named."""
    exam_codes = {code for draft in drafts for code in draft.store_exam_codes or ()}
    bundle_ids = {bundle_id for draft in drafts for bundle_id in draft.product_bundle_ids or ()}
    exams = await catalog.find_store_exams(work, exam_codes) if exam_codes else {}
    return ResolvedReferences(
        exams, await catalog.find_product_bundle_ids(work, bundle_ids) if bundle_ids else frozenset()
    )


def unknown(draft: PromoCodeDraft, named: ResolvedReferences) -> Iterator[Violation]:
    """What the draft names and the organization does not have."""
    exams = [code for code in draft.store_exam_codes or () if key_of(code) not in named.exams]
    if exams:
        message = f"must be known store exams, unlike {rules.some_of(exams)}"
        yield Violation("StoreExamNotFound", "store_exam_codes", message)
    bundles = [str(bundle_id) for bundle_id in draft.product_bundle_ids or () if bundle_id not in named.bundle_ids]
    if bundles:
        message = f"must be known product bundles, unlike {rules.some_of(bundles)}"
        yield Violation("ProductBundleNotFound", "product_bundle_ids", message)


def name_taken(name: str) -> Violation:
    """The violation of a name that another promo code has, archived or not."""
    return Violation("NameTaken", "name", f"must be unique, and '{name[:25]}' is taken")


def exams_of(draft: PromoCodeDraft, named: ResolvedReferences) -> tuple[tuple[UUID, str], ...]:
    """Id and own spelling of the draft's exams in its order, each once; all must be known."""
    return tuple(named.exams[key_of(code)] for code in distinct(draft.store_exam_codes or ()))


def bundles_of(draft: PromoCodeDraft) -> tuple[UUID, ...]:
    """The draft's bundles, each once."""
    return tuple(dict.fromkeys(draft.product_bundle_ids or ()))


def new_promo_code(draft: PromoCodeDraft, named: ResolvedReferences) -> NewPromoCode:
    """The promo code that a draft without violations becomes."""
    return NewPromoCode(
        id=new_id(),
        name=draft.name or "",
        status=Status.ACTIVE if draft.is_active else Status.INACTIVE,
        **terms_of(draft),
        restrict_to_email_addresses=bool(draft.restrict_to_email_addresses),
        store_exam_ids=tuple(exam_id for exam_id, _ in exams_of(draft, named)),
        product_bundle_ids=bundles_of(draft),
        email_addresses=distinct(draft.email_addresses or ()),
    )
