"""Product bundles: creation, edits, archiving and reactivation."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from tessera.audit.editing import Editable
from tessera.audit.rules import Action
from tessera.catalog import rules
from tessera.catalog.product_bundles.repository import (
    ManagedProductBundle,
    ProductBundleFilter,
    ProductBundleRepository,
)
from tessera.catalog.rules import ContainedExam, ProductBundleDraft, Status
from tessera.kit import editing
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid
from tessera.kit.identifiers import new_id
from tessera.kit.normalization import distinct, key_of

__all__ = ["ManagedProductBundle", "ProductBundleFilter"]

_BUNDLES: Editable[ManagedProductBundle] = Editable(kind="ProductBundle", noun="product bundle", moves=rules.MOVES)


async def create(work: UnitOfWork, *, draft: ProductBundleDraft, now: datetime) -> ManagedProductBundle:
    """Put a bundle on sale; raises Invalid with every violation, including those of its exam codes."""
    name, price, exams = await _validate(work, draft)
    bundle = ManagedProductBundle(
        id=new_id(),
        name=name,
        price=price,
        store_exam_codes=_codes(exams),
        status=Status.ACTIVE,
        created_at=now,
        version=editing.FIRST,
    )
    await ProductBundleRepository(work).add(bundle, exam_ids=[exam.id for exam in exams])
    await _BUNDLES.record_created(work, bundle, now=now)
    return bundle


async def get(work: UnitOfWork, bundle_id: UUID) -> ManagedProductBundle:
    """The product bundle with this id; raises NotFound."""
    return _BUNDLES.require(await ProductBundleRepository(work).find(bundle_id))


async def list_by_cursor(
    work: UnitOfWork, *, filters: ProductBundleFilter, after: str | None, size: int
) -> CursorPage[ManagedProductBundle]:
    """A page of product bundles, oldest first; raises Invalid for a cursor of another list."""
    return await ProductBundleRepository(work).list_by_cursor(filters, after=after, size=size)


async def update(work: UnitOfWork, target: Target, *, draft: ProductBundleDraft, now: datetime) -> ManagedProductBundle:
    """Change the name, the price and the exams of a bundle; raises Invalid, NotFound, VersionStale."""
    repository = ProductBundleRepository(work)
    bundle = await _BUNDLES.lock(repository, target)
    name, price, exams = await _validate(work, draft, current_codes=bundle.store_exam_codes)
    await repository.replace_exams(bundle.id, [exam.id for exam in exams])
    after = replace(bundle, name=name, price=price, store_exam_codes=_codes(exams))
    return await _BUNDLES.save(work, repository, bundle, after, Action.UPDATED, now=now)


async def archive(work: UnitOfWork, target: Target, *, now: datetime) -> ManagedProductBundle:
    """Take a bundle off sale; raises NotFound, VersionStale, WrongState."""
    return await _BUNDLES.move(work, ProductBundleRepository(work), target, Status.ARCHIVED, now=now)


async def activate(work: UnitOfWork, target: Target, *, now: datetime) -> ManagedProductBundle:
    """Put an archived bundle on sale again; raises NotFound, VersionStale, WrongState."""
    return await _BUNDLES.move(work, ProductBundleRepository(work), target, Status.ACTIVE, now=now)


async def _validate(
    work: UnitOfWork, draft: ProductBundleDraft, *, current_codes: Collection[str] = ()
) -> tuple[str, Decimal, list[ContainedExam]]:
    codes = distinct(draft.store_exam_codes or ())
    exams = await ProductBundleRepository(work).find_exams(codes[: rules.MAX_EXAMS])
    current_keys = {key_of(code) for code in current_codes}
    violations = list(rules.product_bundle_violations(draft))
    violations += rules.exam_violations(draft.store_exam_codes or (), exams, current_keys=current_keys)
    if violations or draft.name is None or draft.price is None:
        raise Invalid(violations)
    return draft.name, round(draft.price, 2), [exams[key_of(code)] for code in codes]


def _codes(exams: Collection[ContainedExam]) -> tuple[str, ...]:
    return tuple(sorted((exam.code for exam in exams), key=key_of))
