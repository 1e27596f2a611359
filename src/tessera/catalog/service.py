"""What is sold: store exams and product bundles."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from tessera.catalog.repository import CatalogRepository, NewProductBundle, NewStoreExam
from tessera.kit.database import UnitOfWork

__all__ = ["NewProductBundle", "NewStoreExam", "add_product_bundle", "add_store_exams", "find_store_exams"]


async def find_store_exams(work: UnitOfWork, codes: Collection[str]) -> dict[str, tuple[UUID, str]]:
    """Id and own spelling of the store exams with these codes, by the code's key; unknown ones are absent."""
    return await CatalogRepository(work).find_store_exams(codes)


async def add_store_exams(work: UnitOfWork, exams: Sequence[NewStoreExam], *, now: datetime) -> None:
    """Put exams on sale."""
    await CatalogRepository(work).add_store_exams(exams, now=now)


async def add_product_bundle(work: UnitOfWork, bundle: NewProductBundle, *, now: datetime) -> None:
    """Put a bundle of exams on sale."""
    await CatalogRepository(work).add_product_bundle(bundle, now=now)
