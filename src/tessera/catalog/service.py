"""The products on sale: store exams and product bundles."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from tessera.catalog.repository import CatalogRepository, NewProductBundle, NewStoreExam, Product
from tessera.catalog.rules import Status
from tessera.codes.rules import ProductChoice
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.normalization import key_of

__all__ = ["NewProductBundle", "NewStoreExam", "Product"]


async def find_store_exams(work: UnitOfWork, codes: Collection[str]) -> dict[str, tuple[UUID, str]]:
    """The id and the spelling of the store exams on sale with these codes, by the key of the code."""
    return await CatalogRepository(work).find_store_exams(codes)


async def find_products(work: UnitOfWork, choices: Collection[ProductChoice]) -> dict[ProductChoice, Product]:
    """The products of those choices that are on sale."""
    catalog = CatalogRepository(work)
    codes = {choice.store_exam_code for choice in choices if choice.store_exam_code is not None}
    ids = {choice.product_bundle_id for choice in choices if choice.product_bundle_id is not None}
    exams = await catalog.find_store_exam_products(codes) if codes else {}
    bundles = await catalog.find_bundle_products(ids) if ids else {}
    products = {
        choice: exams.get(key_of(choice.store_exam_code))
        if choice.store_exam_code is not None
        else bundles.get(choice.product_bundle_id or UUID(int=0))
        for choice in choices
    }
    return {choice: product for choice, product in products.items() if product is not None}


async def find_past_store_exams(work: UnitOfWork, codes: Collection[str]) -> dict[str, Product]:
    """The store exams with these codes, archived ones included, by the key of the code."""
    return await CatalogRepository(work).find_store_exam_products(codes, statuses=tuple(Status))


async def find_product_bundle_ids(work: UnitOfWork, bundle_ids: Collection[UUID]) -> frozenset[UUID]:
    """Those of these ids that belong to product bundles on sale."""
    return await CatalogRepository(work).find_product_bundle_ids(bundle_ids)


async def add_store_exams(work: UnitOfWork, exams: Sequence[NewStoreExam], *, now: datetime) -> None:
    """Put exams on sale."""
    await CatalogRepository(work).add_store_exams(exams, now=now)


async def add_product_bundle(work: UnitOfWork, bundle: NewProductBundle, *, now: datetime) -> None:
    """Put a bundle of exams on sale."""
    await CatalogRepository(work).add_product_bundle(bundle, now=now)
