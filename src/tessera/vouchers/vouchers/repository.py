"""Statements on vouchers of one tenant."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, Select, Subquery, delete, insert, select, true
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import InstrumentedAttribute

from tessera.catalog.models import StoreExam
from tessera.kit.database import AnyRow, UnitOfWork
from tessera.kit.identifiers import new_id
from tessera.kit.pagination import Page, Slice, fetch_page, fetch_slice
from tessera.kit.text import key_of
from tessera.vouchers import codes
from tessera.vouchers.models import Voucher, VoucherCodeSpace, VoucherPurchase
from tessera.vouchers.rules import ReservationStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVoucher:
    """A voucher to be added in any state."""

    id: UUID
    purchase_id: UUID
    partner_id: UUID
    code: str
    expires_at: datetime
    is_active: bool = True
    assigned_at: datetime | None = None
    recipient_email: str | None = None
    reservation_code: str | None = None
    reservation_status: ReservationStatus | None = None
    store_exam_id: UUID | None = None
    used_at: datetime | None = None
    used_by_person_id: str | None = None
    used_by_client_candidate_id: str | None = None
    used_by_first_name: str | None = None
    used_by_last_name: str | None = None
    is_archived: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherFilter:
    """Which vouchers; None does not filter."""

    is_active: bool | None = None
    is_used: bool | None = None
    purchase_code: str | None = None
    recipient_email: str | None = None
    reservation_code: str | None = None
    store_exam_code: str | None = None
    voucher_code: str | None = None
    purchase_id: UUID | None = None
    partner_id: UUID | None = None
    is_archived: bool | None = None


# Whole batches in one statement, the fastest way in that row-level security allows: it refuses COPY. As texts of two
# parameters, because the driver takes several times as long over arrays.
ADD_BATCH = """
insert into vouchers (
    organization_id, purchase_id, partner_id, is_active, is_archived, version, expires_at, id, code
)
select %(organization_id)s, %(purchase_id)s, %(partner_id)s, true, false, 1, %(expires_at)s, batch.id, batch.code
from unnest(string_to_array(%(ids)s, ',')::uuid[], string_to_array(%(codes)s, ',')) as batch (id, code)
on conflict (organization_id, code) do nothing
"""


class VoucherRepository:
    """The vouchers that the unit of work may see."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id
        self._partner_id = work.partner_id

    async def count_code_space(self, prefix: str) -> int:
        """How many codes have this prefix."""
        statement = select(VoucherCodeSpace.issued).where(
            VoucherCodeSpace.organization_id == self._organization_id, VoucherCodeSpace.prefix == prefix
        )
        return (await self._connection.execute(statement)).scalar_one_or_none() or 0

    async def claim_code_space(self, prefix: str, quantity: int) -> int:
        """How many codes have this prefix once `quantity` more are there; others wait until this transaction ends."""
        statement = upsert(VoucherCodeSpace).values(
            organization_id=self._organization_id, prefix=prefix, issued=quantity
        )
        claimed = statement.on_conflict_do_update(
            constraint="voucher_code_spaces_pk", set_={"issued": VoucherCodeSpace.issued + quantity}
        ).returning(VoucherCodeSpace.issued)
        return (await self._connection.execute(claimed)).scalar_one()

    async def add_batch(
        self, codes: Sequence[str], *, purchase_id: UUID, partner_id: UUID, expires_at: datetime
    ) -> int:
        """Add vouchers with these codes; returns how many codes were still free, which those have now."""
        result = await self._connection.exec_driver_sql(
            ADD_BATCH,
            {
                "organization_id": self._organization_id,
                "purchase_id": purchase_id,
                "partner_id": partner_id,
                "expires_at": expires_at,
                "ids": ",".join(new_id().hex for _ in codes),
                "codes": ",".join(codes),
            },
        )
        return result.rowcount

    async def remove_batch(self, purchase_id: UUID) -> None:
        """Remove the vouchers of a purchase, which nobody has seen yet."""
        await self._connection.execute(
            delete(Voucher).where(Voucher.organization_id == self._organization_id, Voucher.purchase_id == purchase_id)
        )

    async def add_all(self, vouchers: Sequence[NewVoucher]) -> None:
        """Add vouchers in any state; a taken code raises the driver's error."""
        rows = [{"organization_id": self._organization_id, **asdict(voucher)} for voucher in vouchers]
        await self._connection.execute(insert(Voucher), rows)

    async def list_page(self, wanted: VoucherFilter, *, number: int) -> Page[AnyRow]:
        """A page of vouchers with the codes of purchase and exam; raises TooManyResults."""
        matching = select(Voucher.id).where(*self._visible(), *self._conditions(wanted))
        return await fetch_page(self._connection, matching=matching, rows=self._listed, number=number)

    async def list_slice(self, wanted: VoucherFilter, *, after: str | None, size: int) -> Slice[AnyRow]:
        """A part of the vouchers, in the order of the index that finds them."""
        statement = self._whole().where(*self._conditions(wanted))
        return await fetch_slice(self._connection, statement, order=_order(wanted), after=after, size=size)

    async def find(self, voucher_id: UUID) -> AnyRow | None:
        """The whole voucher with this id."""
        return (await self._connection.execute(self._whole().where(Voucher.id == voucher_id))).first()

    async def find_id(self, code: str) -> UUID | None:
        """The id of the voucher with this code, in any case."""
        statement = select(Voucher.id).where(
            Voucher.organization_id == self._organization_id, Voucher.code == codes.spelled(code)
        )
        return (await self._connection.execute(statement)).scalar_one_or_none()

    def _visible(self) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        own = true() if self._partner_id is None else Voucher.partner_id == self._partner_id
        return Voucher.organization_id == self._organization_id, own

    def _conditions(self, wanted: VoucherFilter) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = []
        if wanted.is_used is not None:
            # Both switches are named where both are wanted, so that the index that begins with them serves this too.
            switches = [True, False] if wanted.is_active is None else [wanted.is_active]
            conditions += [Voucher.is_active.in_(switches), Voucher.is_used == wanted.is_used]
        elif wanted.is_active is not None:
            conditions.append(Voucher.is_active == wanted.is_active)
        if wanted.purchase_code is not None:
            purchase = select(VoucherPurchase.id).where(
                VoucherPurchase.organization_id == self._organization_id,
                VoucherPurchase.code == codes.spelled(wanted.purchase_code),
            )
            conditions.append(Voucher.purchase_id == purchase.scalar_subquery())
        if wanted.store_exam_code is not None:
            exam = select(StoreExam.id).where(
                StoreExam.organization_id == self._organization_id,
                StoreExam.code_key == key_of(wanted.store_exam_code),
            )
            conditions.append(Voucher.store_exam_id == exam.scalar_subquery())
        given = (
            (Voucher.code, wanted.voucher_code and codes.spelled(wanted.voucher_code)),
            (Voucher.recipient_email_key, wanted.recipient_email and key_of(wanted.recipient_email)),
            (Voucher.reservation_code, wanted.reservation_code),
            (Voucher.purchase_id, wanted.purchase_id),
            (Voucher.partner_id, wanted.partner_id),
            (Voucher.is_archived, wanted.is_archived),
        )
        return conditions + [column == value for column, value in given if value is not None]

    def _listed(self, page: Subquery) -> Select[*tuple[Any, ...]]:
        return self._whole().join(page, Voucher.id == page.c.id)

    def _whole(self) -> Select[*tuple[Any, ...]]:
        own = [column for column in Voucher.__table__.columns if column.key != "organization_id"]
        # No joins: the planner may begin with the purchases then, and read all their vouchers for each row of the page.
        return select(
            *own,
            self._code_of(VoucherPurchase, Voucher.purchase_id).label("purchase_code"),
            self._code_of(StoreExam, Voucher.store_exam_id).label("store_exam_code"),
        ).where(Voucher.organization_id == self._organization_id)

    def _code_of(
        self, table: type[VoucherPurchase] | type[StoreExam], id_: InstrumentedAttribute[Any]
    ) -> ScalarSelect[str]:
        return (
            select(table.code).where(table.organization_id == self._organization_id, table.id == id_).scalar_subquery()
        )


def _order(wanted: VoucherFilter) -> list[ColumnElement[Any]]:
    # What the index behind the filter is ordered by, so that a part of the list costs the same at any depth.
    names = ["id"]
    if wanted.purchase_id or wanted.purchase_code or wanted.recipient_email or wanted.store_exam_code:
        names = ["partner_id", "id"]
    elif wanted.reservation_code or wanted.voucher_code:
        names = ["id"]
    elif wanted.partner_id:
        names = ["is_active", "is_used", "id"]
    elif wanted.is_active is not None or wanted.is_used is not None:
        names = ["is_active", "is_used", "partner_id", "id"]
    return [Voucher.__table__.c[name] for name in names]
