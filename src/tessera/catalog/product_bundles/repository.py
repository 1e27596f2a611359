"""Statements for the management of the product bundles of one tenant."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, any_, delete, func, insert, literal, select, true, update
from sqlalchemy.dialects.postgresql import ARRAY

from tessera.catalog.rules import ContainedExam, Status
from tessera.catalog.tables import ProductBundle, ProductBundleStoreExam, StoreExam
from tessera.kit.db.pages import CursorOrder, CursorPage, fetch_cursor_page
from tessera.kit.db.records import fetch_first, record_of
from tessera.kit.db.selective import fetch_page_from
from tessera.kit.db.single_rows import with_id
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.normalization import key_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedProductBundle:
    """A product bundle with its exams, its status and its version."""

    id: UUID
    name: str
    price: Decimal
    store_exam_codes: tuple[str, ...]
    status: Status
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductBundleFilter:
    """Filters of product bundles; None matches every bundle."""

    store_exam_code: str | None = None
    status: Status | None = None


class ProductBundleRepository:
    """The product bundles of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def find_exams(self, codes: Collection[str]) -> dict[str, ContainedExam]:
        """The store exams with these codes, including archived ones, by the key of the code."""
        statement = select(StoreExam.code_key, StoreExam.id, StoreExam.code, StoreExam.status).where(
            StoreExam.organization_id == self._organization_id,
            StoreExam.code_key == any_(literal([key_of(code) for code in codes], ARRAY(Text))),
        )
        rows = await self._connection.execute(statement)
        return {row.code_key: ContainedExam(row.id, row.code, Status(row.status)) for row in rows}

    async def add(self, bundle: ManagedProductBundle, *, exam_ids: Collection[UUID]) -> None:
        """Add a product bundle with its exams."""
        await self._connection.execute(
            insert(ProductBundle).values(
                organization_id=self._organization_id, id=bundle.id, created_at=bundle.created_at, **_columns(bundle)
            )
        )
        await self._add_exams(bundle.id, exam_ids)

    async def find(self, bundle_id: UUID) -> ManagedProductBundle | None:
        """The product bundle with this id."""
        return await fetch_first(self._connection, self._select().where(ProductBundle.id == bundle_id), _managed)

    async def lock(self, bundle_id: UUID) -> ManagedProductBundle | None:
        """The product bundle with this id, locked FOR UPDATE."""
        statement = select(ProductBundle.id).where(
            ProductBundle.organization_id == self._organization_id, ProductBundle.id == bundle_id
        )
        await self._connection.execute(statement.with_for_update())
        # A separate read, because Postgres rereads only the locked row itself after waiting for a lock, not the exams.
        return await self.find(bundle_id)

    async def list_by_cursor(
        self, filters: ProductBundleFilter, *, after: str | None, size: int
    ) -> CursorPage[ManagedProductBundle]:
        """A page of product bundles, oldest first."""
        statement = self._select()
        id_column: ColumnElement[UUID] = ProductBundle.__table__.c.id
        if filters.status is not None:
            statement = statement.where(ProductBundle.status == filters.status)
        order = CursorOrder(columns=[id_column])
        if filters.store_exam_code is None:
            page = await fetch_cursor_page(self._connection, statement, order=order, after=after, size=size)
        else:
            base = self._ids_with(filters.store_exam_code)
            page = await fetch_page_from(self._connection, statement, base=base, order=order, after=after, size=size)
        return page.map(_managed)

    def _ids_with(self, store_exam_code: str) -> Select[UUID]:
        """The ids of the bundles that contain an exam."""
        bundled = ProductBundleStoreExam.__table__.c
        exam = select(StoreExam.id).where(
            StoreExam.organization_id == self._organization_id, StoreExam.code_key == key_of(store_exam_code)
        )
        return select(bundled.product_bundle_id).where(
            bundled.organization_id == self._organization_id, bundled.store_exam_id == exam.scalar_subquery()
        )

    async def change(self, bundle: ManagedProductBundle) -> None:
        """Write the state and the version of a locked product bundle, without its exams."""
        await self._connection.execute(
            update(ProductBundle)
            .where(ProductBundle.organization_id == self._organization_id, ProductBundle.id == bundle.id)
            .values(_columns(bundle))
        )

    async def replace_exams(self, bundle_id: UUID, exam_ids: Collection[UUID]) -> None:
        """Replace the exams of a locked product bundle."""
        await self._connection.execute(
            delete(ProductBundleStoreExam).where(
                ProductBundleStoreExam.organization_id == self._organization_id,
                ProductBundleStoreExam.product_bundle_id == bundle_id,
            )
        )
        await self._add_exams(bundle_id, exam_ids)

    async def _add_exams(self, bundle_id: UUID, exam_ids: Collection[UUID]) -> None:
        common = {"organization_id": self._organization_id, "product_bundle_id": bundle_id}
        await self._connection.execute(
            insert(ProductBundleStoreExam), [common | {"store_exam_id": exam_id} for exam_id in exam_ids]
        )

    def _select(self) -> Select[*tuple[Any, ...]]:
        bundled = ProductBundleStoreExam
        own = (
            select(bundled.store_exam_id)
            .where(
                bundled.organization_id == self._organization_id,
                bundled.product_bundle_id >= ProductBundle.id,
                bundled.product_bundle_id <= ProductBundle.id,
            )
            # The order of the primary key, which the planner then takes even if the table is empty for it.
            .order_by(bundled.product_bundle_id, bundled.store_exam_id)
            .correlate(ProductBundle)
            .subquery("own")
        )
        exams = select(StoreExam.code, StoreExam.code_key).where(StoreExam.organization_id == self._organization_id)
        exam = with_id(exams, StoreExam.__table__.c.id, own.c.store_exam_id).lateral("exam")
        exam_codes = select(exam.c.code).select_from(own).join(exam, true()).order_by(exam.c.code_key)
        return select(
            ProductBundle.id,
            ProductBundle.name,
            ProductBundle.price,
            func.array(exam_codes.scalar_subquery()).label("store_exam_codes"),
            ProductBundle.status,
            ProductBundle.created_at,
            ProductBundle.version,
        ).where(ProductBundle.organization_id == self._organization_id)


def _columns(bundle: ManagedProductBundle) -> dict[str, Any]:
    return {"name": bundle.name, "price": bundle.price, "status": bundle.status, "version": bundle.version}


def _managed(row: AnyRow) -> ManagedProductBundle:
    return record_of(ManagedProductBundle, row, store_exam_codes=tuple(row.store_exam_codes), status=Status(row.status))
