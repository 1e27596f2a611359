"""Product bundles and their whole life: put on sale, changed, archived, put on sale again."""

from collections.abc import Collection
from dataclasses import asdict, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.service import Action, Change
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
from tessera.kit.errors import Invalid, NotFound, WrongState
from tessera.kit.identifiers import new_id
from tessera.kit.normalization import distinct, key_of

__all__ = ["ManagedProductBundle", "ProductBundleFilter"]

KIND = "ProductBundle"


async def create(work: UnitOfWork, *, draft: ProductBundleDraft, now: datetime) -> ManagedProductBundle:
    """Put a bundle on sale; raises Invalid with every violation, also of the exams that it names."""
    name, price, exams = await _checked(work, draft)
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
    await audit.record(work, Change(action=Action.CREATED, kind=KIND, id=bundle.id, after=asdict(bundle)), now=now)
    return bundle


async def get(work: UnitOfWork, bundle_id: UUID) -> ManagedProductBundle:
    """The product bundle with this id; raises NotFound."""
    return _found(await ProductBundleRepository(work).find(bundle_id))


async def list_by_cursor(
    work: UnitOfWork, *, wanted: ProductBundleFilter, after: str | None, size: int
) -> CursorPage[ManagedProductBundle]:
    """A part of the product bundles, oldest first; raises Invalid for a cursor of another list."""
    return await ProductBundleRepository(work).list_by_cursor(wanted, after=after, size=size)


async def update(work: UnitOfWork, target: Target, *, draft: ProductBundleDraft, now: datetime) -> ManagedProductBundle:
    """Give a bundle another name, price and exams; raises Invalid, NotFound, VersionStale."""
    bundle = await _lock(work, target)
    name, price, exams = await _checked(work, draft, kept=bundle.store_exam_codes)
    await ProductBundleRepository(work).contain(bundle.id, [exam.id for exam in exams])
    after = replace(bundle, name=name, price=price, store_exam_codes=_codes(exams))
    return await _change(work, bundle, after, Action.UPDATED, now=now)


async def archive(work: UnitOfWork, target: Target, *, now: datetime) -> ManagedProductBundle:
    """Sell it no longer; raises NotFound, VersionStale, WrongState."""
    bundle = await _lock(work, target)
    if bundle.status == Status.ARCHIVED:
        raise WrongState("product bundle", bundle.status)
    return await _change(work, bundle, replace(bundle, status=Status.ARCHIVED), Action.ARCHIVED, now=now)


async def activate(work: UnitOfWork, target: Target, *, now: datetime) -> ManagedProductBundle:
    """Sell an archived one again; raises NotFound, VersionStale, WrongState."""
    bundle = await _lock(work, target)
    if bundle.status == Status.ACTIVE:
        raise WrongState("product bundle", bundle.status)
    return await _change(work, bundle, replace(bundle, status=Status.ACTIVE), Action.ACTIVATED, now=now)


async def _checked(
    work: UnitOfWork, draft: ProductBundleDraft, *, kept: Collection[str] = ()
) -> tuple[str, Decimal, list[ContainedExam]]:
    codes = distinct(draft.store_exam_codes or ())
    known = await ProductBundleRepository(work).find_exams(codes[: rules.MAX_EXAMS])
    violations = list(rules.product_bundle_violations(draft))
    given = draft.store_exam_codes or ()
    violations += rules.contained_violations(given, known, kept={key_of(code) for code in kept})
    if violations or draft.name is None or draft.price is None:
        raise Invalid(violations)
    return draft.name, round(draft.price, 2), [known[key_of(code)] for code in codes]


async def _lock(work: UnitOfWork, target: Target) -> ManagedProductBundle:
    bundle = _found(await ProductBundleRepository(work).lock(target.id))
    target.ensure(bundle.version)
    return bundle


async def _change(
    work: UnitOfWork, before: ManagedProductBundle, after: ManagedProductBundle, action: Action, *, now: datetime
) -> ManagedProductBundle:
    after = replace(after, version=before.version + 1)
    await ProductBundleRepository(work).change(after)
    change = Change(action=action, kind=KIND, id=after.id, before=asdict(before), after=asdict(after))
    await audit.record(work, change, now=now)
    return after


def _codes(exams: Collection[ContainedExam]) -> tuple[str, ...]:
    return tuple(sorted((exam.code for exam in exams), key=key_of))


def _found(bundle: ManagedProductBundle | None) -> ManagedProductBundle:
    if bundle is None:
        raise NotFound("There is no such product bundle.")
    return bundle
