"""Statements on batches of promo codes of one tenant."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, case, func, insert, select, update

from tessera.catalog.tables import StoreExam
from tessera.kit.db.pages import CursorPage, fetch_cursor_page
from tessera.kit.db.records import fetch_first, record_of
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.identifiers import new_id
from tessera.kit.normalization import key_of
from tessera.promo_codes.batches.rules import BatchStatus, Pattern
from tessera.promo_codes.rules import TERM_COLUMNS, PromoCodeTerms, Status
from tessera.promo_codes.tables import PromoCodeBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch(PromoCodeTerms):
    """A batch to add, without codes yet."""

    id: UUID
    prefix: str
    length: int
    alphabet: str
    quantity: int
    code_status: Status
    store_exam_ids: tuple[UUID, ...]
    product_bundle_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch(PromoCodeTerms):
    """A batch: the quantity and pattern of its codes, their terms, and the progress of their creation."""

    id: UUID
    status: BatchStatus
    quantity: int
    made: int
    prefix: str
    length: int
    alphabet: str
    code_status: Status
    store_exam_codes: Sequence[str]
    product_bundle_ids: Sequence[UUID]
    created_at: datetime
    version: int

    @property
    def is_active(self) -> bool:
        """Whether its codes are usable at once."""
        return self.code_status == Status.ACTIVE

    @property
    def percent(self) -> int:
        """The progress in percent; 100 only after every code is created."""
        return 100 * self.made // self.quantity


_TERMS = ", ".join(TERM_COLUMNS)
_TERMS_OF_BATCH = ", ".join(f"batch.{name}" for name in TERM_COLUMNS)
# The fastest insert that row-level security allows, since it rejects COPY. Ids and names are two text parameters
# because the driver takes several times as long to encode arrays.
ADD_CODES = f"""
with batch as (
    select * from promo_code_batches where organization_id = %(organization_id)s and id = %(batch_id)s
), added as (
    insert into promo_codes (
        organization_id, id, name, status, {_TERMS}, redemption_count, held_count, restrict_to_email_addresses,
        has_store_exams, has_product_bundles, batch_id, created_at, version
    )
    select batch.organization_id, code.id, code.name, batch.code_status, {_TERMS_OF_BATCH}, 0, 0, false,
           cardinality(batch.store_exam_ids) > 0, cardinality(batch.product_bundle_ids) > 0, batch.id, %(now)s, 1
    from batch
    cross join unnest(
        string_to_array(%(ids)s, ',')::uuid[], string_to_array(%(names)s, ','),
        string_to_array(%(voucher_codes)s, ',')
    ) as code (id, name, voucher_code)
    where not exists (
        select from vouchers v
        where v.organization_id = %(organization_id)s and v.code = code.voucher_code
    )
    on conflict (organization_id, name_key) do nothing
    returning organization_id, id
), exams as (
    insert into promo_code_store_exams (organization_id, promo_code_id, store_exam_id, position)
    select added.organization_id, added.id, exam.id, exam.n - 1
    from added cross join batch cross join unnest(batch.store_exam_ids) with ordinality as exam (id, n)
    returning 1
), bundles as (
    insert into promo_code_product_bundles (organization_id, promo_code_id, product_bundle_id)
    select added.organization_id, added.id, bundle.id
    from added cross join batch cross join unnest(batch.product_bundle_ids) as bundle (id)
    returning 1
), texts as (
    insert into record_metadata (organization_id, kind, record_id, key, value)
    select added.organization_id, 'PromoCode', added.id, text.key, text.value
    from added cross join batch cross join jsonb_each_text(batch.metadata) as text (key, value)
    returning 1
)
select count(*) from added
"""  # noqa: S608 - the terms are names of our own columns


class BatchRepository:
    """The batches of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def count_used_names(self, pattern: Pattern) -> int:
        """The number of names of this pattern that earlier batches have used or can still use."""
        used_names = case(
            (PromoCodeBatch.status == BatchStatus.CANCELLED, PromoCodeBatch.made), else_=PromoCodeBatch.quantity
        )
        statement = select(func.coalesce(func.sum(used_names), 0)).where(
            PromoCodeBatch.organization_id == self._organization_id,
            PromoCodeBatch.prefix_key == key_of(pattern.prefix or ""),
            PromoCodeBatch.length == pattern.length,
        )
        return int((await self._connection.execute(statement)).scalar_one())

    async def count_open(self, *, limit: int) -> int:
        """The number of batches in progress, counted up to `limit`."""
        open_batches = (
            select(PromoCodeBatch.id)
            .where(
                PromoCodeBatch.organization_id == self._organization_id,
                PromoCodeBatch.status == BatchStatus.IN_PROGRESS,
            )
            .limit(limit)
        )
        statement = select(func.count()).select_from(open_batches.subquery())
        return int((await self._connection.execute(statement)).scalar_one())

    async def add(self, batch: NewBatch, *, now: datetime) -> None:
        """Add a batch."""
        row = asdict(batch) | {
            "organization_id": self._organization_id,
            "campaign_key": batch.campaign_key,
            "made": 0,
            "status": BatchStatus.IN_PROGRESS,
            "created_at": now,
            "store_exam_ids": list(batch.store_exam_ids),
            "product_bundle_ids": list(batch.product_bundle_ids),
        }
        await self._connection.execute(insert(PromoCodeBatch).values(row))

    async def find(self, batch_id: UUID) -> Batch | None:
        """The batch with this id."""
        return await fetch_first(self._connection, self._select().where(PromoCodeBatch.id == batch_id), _batch)

    async def lock(self, batch_id: UUID) -> Batch | None:
        """The batch with this id, locked FOR UPDATE."""
        statement = self._select().where(PromoCodeBatch.id == batch_id)
        return await fetch_first(self._connection, statement.with_for_update(), _batch)

    async def list_by_cursor(self, *, newest: bool = False, after: str | None, size: int) -> CursorPage[Batch]:
        """A page of batches, oldest or newest first."""
        order = [PromoCodeBatch.__table__.c.id]
        page = await fetch_cursor_page(
            self._connection, self._select(), order=order, after=after, size=size, descending=newest
        )
        return page.map(_batch)

    async def change(self, batch: Batch) -> None:
        """Write the status, the progress and the version of a locked batch."""
        await self._connection.execute(
            update(PromoCodeBatch)
            .where(PromoCodeBatch.organization_id == self._organization_id, PromoCodeBatch.id == batch.id)
            .values(status=batch.status, made=batch.made, version=batch.version)
        )

    async def add_codes(self, batch_id: UUID, names: Sequence[str], *, now: datetime) -> int:
        """Add codes with these names to the batch, except for taken names; returns the number of added codes."""
        result = await self._connection.exec_driver_sql(
            ADD_CODES,
            {
                "organization_id": self._organization_id,
                "batch_id": batch_id,
                "now": now,
                "ids": ",".join(new_id().hex for _ in names),
                "names": ",".join(names),
                # A function of a column could not use the index of vouchers.
                "voucher_codes": ",".join(names).upper(),
            },
        )
        return int(result.scalar_one())

    def _select(self) -> Select[*tuple[Any, ...]]:
        columns = [column for column in PromoCodeBatch.__table__.columns if column.key != "organization_id"]
        codes = (
            select(StoreExam.code)
            .where(
                StoreExam.organization_id == self._organization_id,
                StoreExam.id == func.any(PromoCodeBatch.store_exam_ids),
            )
            .order_by(func.array_position(PromoCodeBatch.store_exam_ids, StoreExam.id))
            .correlate(PromoCodeBatch)
        )
        exam_codes = func.array(codes.scalar_subquery()).label("store_exam_codes")
        return select(*columns, exam_codes).where(PromoCodeBatch.organization_id == self._organization_id)


def _batch(row: AnyRow) -> Batch:
    return record_of(Batch, row)
