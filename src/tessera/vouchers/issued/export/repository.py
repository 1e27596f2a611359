"""Statements that export the vouchers of one tenant."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ScalarSelect, func, select
from sqlalchemy.orm import InstrumentedAttribute

from tessera.catalog.tables import StoreExam
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.vouchers.tables import Voucher, VoucherPartner, VoucherPurchase


class VoucherExportRepository:
    """All vouchers of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def list_after(self, after: UUID | None, *, size: int) -> Sequence[AnyRow]:
        """The next vouchers after this id, oldest first, with the names of their purchase, partner and exam."""
        columns = [column for column in Voucher.__table__.columns if column.key != "organization_id"]
        statement = select(
            *columns,
            self._name_of(VoucherPurchase.code, VoucherPurchase.id, Voucher.purchase_id).label("purchase_code"),
            self._name_of(VoucherPartner.name, VoucherPartner.id, Voucher.partner_id).label("partner_name"),
            self._name_of(StoreExam.code, StoreExam.id, Voucher.store_exam_id).label("store_exam_code"),
        ).where(Voucher.organization_id == self._organization_id)
        if after is not None:
            statement = statement.where(Voucher.id > after)
        return (await self._connection.execute(statement.order_by(Voucher.id).limit(size))).all()

    async def count(self) -> int:
        """The number of vouchers."""
        statement = select(func.count()).where(Voucher.organization_id == self._organization_id)
        return int((await self._connection.execute(statement)).scalar_one())

    def _name_of(
        self, name: InstrumentedAttribute[str], key: InstrumentedAttribute[UUID], id_: InstrumentedAttribute[Any]
    ) -> ScalarSelect[str]:
        tenant = name.class_.organization_id
        return select(name).where(tenant == self._organization_id, key == id_).scalar_subquery()
