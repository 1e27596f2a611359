"""Statements that change any number of vouchers of one tenant."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, Text, Uuid, any_, literal, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from tessera.kit.db.arrays import Uuids
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.vouchers import codes
from tessera.vouchers.issued.actions.rules import AssignedVoucher, VoucherState
from tessera.vouchers.tables import Voucher

_COLUMNS: list[Any] = [getattr(Voucher, name) for name in VoucherState.__dataclass_fields__]

# Each voucher looks its new state up by its id. A join with the changes would be a nested loop, which compares each
# voucher with every change.
CHANGE_ALL = """
update vouchers v
set (is_active, is_archived, expires_at, assigned_at, recipient_email, version) = (
    select is_active, is_archived, expires_at, assigned_at, recipient_email, version
    from jsonb_to_record(%(changes)s::jsonb -> v.id::text) as changed (
        is_active boolean, is_archived boolean, expires_at timestamptz, assigned_at timestamptz, recipient_email text,
        version integer
    )
)
where v.organization_id = %(organization_id)s and v.id = any(%(ids)s::uuid[])
"""
_CHANGED_COLUMNS = ("is_active", "is_archived", "expires_at", "assigned_at", "recipient_email", "version")


class VoucherActionRepository:
    """The vouchers of the organization that the unit of work is pinned to."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id
        self._partner_id = work.partner_id

    async def find_ids(self, voucher_codes: Collection[str]) -> Mapping[str, UUID]:
        """The ids of the vouchers with these codes, by the stored spelling of the code."""
        if not voucher_codes:
            return {}
        stored_codes = literal([codes.stored_code(code) for code in voucher_codes], ARRAY(Text))
        statement = select(Voucher.code, Voucher.id).where(
            Voucher.organization_id == self._organization_id, Voucher.code == any_(stored_codes)
        )
        return {row.code: row.id for row in await self._connection.execute(statement)}

    async def list_assigned(self, purchase_id: UUID) -> Sequence[AssignedVoucher]:
        """The vouchers of a purchase that have a recipient and are visible to the unit of work, oldest first."""
        columns = [getattr(Voucher, name) for name in AssignedVoucher._fields]
        statement = select(*columns).where(*self._of_purchase(purchase_id), Voucher.recipient_email.is_not(None))
        return [AssignedVoucher(*row) for row in await self._connection.execute(statement.order_by(Voucher.id))]

    async def list_ids(self, purchase_id: UUID) -> Sequence[UUID]:
        """The ids of the vouchers of a purchase that are visible to the unit of work, oldest first."""
        statement = select(Voucher.id).where(*self._of_purchase(purchase_id)).order_by(Voucher.id)
        return (await self._connection.scalars(statement)).all()

    def _of_purchase(self, purchase_id: UUID) -> tuple[ColumnElement[bool], ...]:
        is_own = true() if self._partner_id is None else Voucher.partner_id == self._partner_id
        return Voucher.organization_id == self._organization_id, Voucher.purchase_id == purchase_id, is_own

    async def lock(self, voucher_ids: Collection[UUID]) -> Mapping[UUID, VoucherState]:
        """The vouchers with these ids, locked FOR UPDATE in id order so that concurrent calls cannot deadlock."""
        ids = literal(list(voucher_ids), ARRAY(Uuid))
        statement = select(*_COLUMNS).where(Voucher.organization_id == self._organization_id, Voucher.id == any_(ids))
        rows = await self._connection.execute(statement.order_by(Voucher.id).with_for_update())
        return {row.id: VoucherState(**row._mapping) for row in rows}

    async def change_all(self, vouchers: Sequence[VoucherState]) -> None:
        """Write the states and versions of locked vouchers."""
        changes = {str(voucher.id): {name: getattr(voucher, name) for name in _CHANGED_COLUMNS} for voucher in vouchers}
        parameters = {
            "organization_id": self._organization_id,
            "ids": Uuids([voucher.id for voucher in vouchers]),
            "changes": orjson.dumps(changes).decode(),
        }
        await self._connection.exec_driver_sql(CHANGE_ALL, parameters)
