"""The products on sale: store exams and product bundles."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from tessera.catalog.repository import CatalogRepository, NewProductBundle, NewStoreExam, Product
from tessera.catalog.rules import Status
from tessera.codes.rules import ProductChoice
from tessera.kit.db.compiled_queries import Step, run
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.normalization import key_of

__all__ = ["NewProductBundle", "NewStoreExam", "Product"]


async def find_store_exams(work: UnitOfWork, codes: Collection[str]) -> dict[str, tuple[UUID, str]]:
    """The id and the spelling of the store exams on sale with these codes, by the key of the code."""
    return await CatalogRepository(work).find_store_exams(codes)


async def find_products(work: UnitOfWork, choices: Collection[ProductChoice]) -> dict[ProductChoice, Product]:
    """The products of those choices that are on sale."""
    return await run(work.connection, finding_products(work, choices)) if choices else {}


def finding_products(work: UnitOfWork, choices: Collection[ProductChoice]) -> Step[dict[ProductChoice, Product]]:
    """The step that finds the products of those choices that are on sale."""
    codes = {choice.store_exam_code for choice in choices if choice.store_exam_code is not None}
    ids = {choice.product_bundle_id for choice in choices if choice.product_bundle_id is not None}
    step = CatalogRepository(work).finding_products(codes=codes, bundle_ids=ids)
    return step.then(lambda products: _by_choice(choices, products))


def _by_choice(
    choices: Collection[ProductChoice], products: Mapping[str | UUID, Product]
) -> dict[ProductChoice, Product]:
    found = {choice: products.get(_key_of(choice)) for choice in choices}
    return {choice: product for choice, product in found.items() if product is not None}


def _key_of(choice: ProductChoice) -> str | UUID:
    return key_of(choice.store_exam_code) if choice.store_exam_code is not None else choice.product_bundle_id or ""


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
