"""What is sold: store exams and product bundles."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from tessera.catalog.repository import CatalogRepository, NewProductBundle, NewStoreExam, Product
from tessera.kit.database import UnitOfWork

__all__ = ["NewProductBundle", "NewStoreExam", "Product", "add_product_bundle", "add_store_exams", "find_store_exams"]


async def find_store_exams(work: UnitOfWork, codes: Collection[str]) -> dict[str, tuple[UUID, str]]:
    """Id and own spelling of the store exams with these codes, by the code's key; unknown ones are absent."""
    return await CatalogRepository(work).find_store_exams(codes)


async def find_product_bundle_ids(work: UnitOfWork, bundle_ids: Collection[UUID]) -> frozenset[UUID]:
    """Those of these bundles that are on sale."""
    return await CatalogRepository(work).find_product_bundle_ids(bundle_ids)


async def find_product(
    work: UnitOfWork, *, store_exam_code: str | None, product_bundle_id: UUID | None
) -> Product | None:
    """The product that is named, by the code of an exam or else by the id of a bundle, if it is on sale."""
    repository = CatalogRepository(work)
    if store_exam_code is not None:
        return await repository.find_store_exam(store_exam_code)
    return None if product_bundle_id is None else await repository.find_product_bundle(product_bundle_id)


async def add_store_exams(work: UnitOfWork, exams: Sequence[NewStoreExam], *, now: datetime) -> None:
    """Put exams on sale."""
    await CatalogRepository(work).add_store_exams(exams, now=now)


async def add_product_bundle(work: UnitOfWork, bundle: NewProductBundle, *, now: datetime) -> None:
    """Put a bundle of exams on sale."""
    await CatalogRepository(work).add_product_bundle(bundle, now=now)
