"""Statements on the catalog of one tenant."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Text, Uuid, any_, insert, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from tessera.catalog.rules import Status
from tessera.catalog.tables import ProductBundle, ProductBundleStoreExam, StoreExam
from tessera.kit.db.arrays import Texts, Uuids
from tessera.kit.db.compiled_queries import CompiledQuery, Step, TextQuery, parameter
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.normalization import key_of


@dataclass(frozen=True, slots=True)
class NewStoreExam:
    """A store exam to put on sale."""

    id: UUID
    code: str
    name: str
    price: Decimal


@dataclass(frozen=True, slots=True)
class NewProductBundle:
    """A product bundle to put on sale, with its exams."""

    id: UUID
    name: str
    price: Decimal
    store_exam_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Product:
    """A store exam or a product bundle on sale, and its list price."""

    store_exam_id: UUID | None
    store_exam_code: str | None
    product_bundle_id: UUID | None
    price: Decimal


_PRODUCTS = TextQuery("""
select code_key, id as store_exam_id, code, null::uuid as product_bundle_id, price from store_exams
where organization_id = %(organization_id)s and code_key = any (%(code_keys)s) and status = 'Active'
union all
select null, null, null, id, price from product_bundles
where organization_id = %(organization_id)s and id = any (%(bundle_ids)s) and status = 'Active'
""")


class CatalogRepository:
    """The products of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def find_store_exams(self, codes: Collection[str]) -> dict[str, tuple[UUID, str]]:
        """The id and the spelling of the store exams on sale with these codes, by the key of the code."""
        values = {"organization_id": self._organization_id, "keys": Texts([key_of(code) for code in codes])}
        rows = await _STORE_EXAMS.all(self._connection, values)
        return {row.code_key: (row.id, row.code) for row in rows}

    async def find_store_exam_products(
        self, codes: Collection[str], *, statuses: Collection[Status] = (Status.ACTIVE,)
    ) -> dict[str, Product]:
        """The store exams with these codes and one of these statuses, by the key of the code."""
        statement = select(StoreExam.code_key, StoreExam.id, StoreExam.code, StoreExam.price).where(
            StoreExam.organization_id == self._organization_id,
            StoreExam.code_key == any_(literal([key_of(code) for code in codes], ARRAY(Text))),
            StoreExam.status.in_(statuses),
        )
        rows = await self._connection.execute(statement)
        return {row.code_key: Product(row.id, row.code, None, row.price) for row in rows}

    def finding_products(
        self, *, codes: Collection[str], bundle_ids: Collection[UUID]
    ) -> Step[dict[str | UUID, Product]]:
        """The step that finds products on sale: exams by the key of their code, and bundles by their id."""
        values = {
            "organization_id": self._organization_id,
            "code_keys": Texts([key_of(code) for code in codes]),
            "bundle_ids": Uuids([*bundle_ids]),
        }
        return Step(_PRODUCTS, values, _products)

    async def find_product_bundle_ids(self, bundle_ids: Collection[UUID]) -> frozenset[UUID]:
        """Those of these ids that belong to product bundles on sale."""
        statement = select(ProductBundle.id).where(
            ProductBundle.organization_id == self._organization_id,
            ProductBundle.id == any_(literal(list(bundle_ids), ARRAY(Uuid))),
            ProductBundle.status == Status.ACTIVE,
        )
        return frozenset((await self._connection.execute(statement)).scalars())

    async def add_store_exams(self, exams: Sequence[NewStoreExam], *, now: datetime) -> None:
        """Add store exams; a code that is used already raises the driver's error."""
        common = {"organization_id": self._organization_id, "status": Status.ACTIVE, "created_at": now}
        rows = [common | asdict(exam) for exam in exams]
        await self._connection.execute(insert(StoreExam), rows)

    async def add_product_bundle(self, bundle: NewProductBundle, *, now: datetime) -> None:
        """Add one product bundle with its exams."""
        await self._connection.execute(
            insert(ProductBundle).values(
                organization_id=self._organization_id,
                id=bundle.id,
                name=bundle.name,
                price=bundle.price,
                status=Status.ACTIVE,
                created_at=now,
            )
        )
        rows = [
            {"organization_id": self._organization_id, "product_bundle_id": bundle.id, "store_exam_id": exam_id}
            for exam_id in bundle.store_exam_ids
        ]
        await self._connection.execute(insert(ProductBundleStoreExam), rows)


def _products(rows: Sequence[AnyRow]) -> dict[str | UUID, Product]:
    return {
        row.code_key or row.product_bundle_id: Product(row.store_exam_id, row.code, row.product_bundle_id, row.price)
        for row in rows
    }


_STORE_EXAMS = CompiledQuery(
    select(StoreExam.code_key, StoreExam.id, StoreExam.code).where(
        StoreExam.organization_id == parameter("organization_id", Uuid()),
        # One array, because a statement cannot have more than 65,535 parameters.
        StoreExam.code_key == any_(parameter("keys", ARRAY(Text))),
        StoreExam.status == Status.ACTIVE.value,
    )
)
