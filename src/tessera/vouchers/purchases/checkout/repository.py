"""Statements on the expired checkouts of many organizations."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from tessera.kit.db.arrays import Uuids
from tessera.kit.db.compiled_queries import TextQuery
from tessera.kit.db.passes import Part, execute_parts
from tessera.kit.db.records import record_of
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.vouchers.purchases.rules import Purchase
from tessera.vouchers.rules import PurchaseStatus

_LOCK_OVERDUE = TextQuery("""
select p.*,
       (select name from voucher_partners where organization_id = %(organization_id)s and id = p.partner_id)
           as partner_name,
       (select name from voucher_programs where organization_id = %(organization_id)s and id = p.program_id)
           as program_name
from voucher_purchases p
where p.organization_id = %(organization_id)s and p.status = 'CheckoutInProgress' and p.checkout_expires_at <= %(now)s
order by p.checkout_expires_at, p.id
limit %(size)s
for update of p skip locked
""")
_EXPIRE = TextQuery("""
update voucher_purchases set status = 'CheckoutExpired', version = version + 1
where organization_id = %(organization_id)s and id = any (%(ids)s::uuid[])
returning id
""")


async def lock_overdue(
    work: UnitOfWork, organization_ids: Sequence[UUID], *, now: datetime, size: int
) -> dict[UUID, list[Purchase]]:
    """Up to `size` purchases of each organization whose checkout has expired by `now`, as they are stored.

    They are locked FOR UPDATE; those that are locked already are skipped.
    """
    values = {"now": now, "size": size}
    parts = [Part(each, _LOCK_OVERDUE, {"organization_id": each, **values}) for each in organization_ids]
    results = zip(organization_ids, await execute_parts(work, parts), strict=True)
    return {each: [_purchase(row) for row in rows] for each, rows in results if rows}


async def expire(work: UnitOfWork, purchases: Mapping[UUID, Sequence[Purchase]]) -> None:
    """Store the status `CheckoutExpired` as the next version of locked purchases."""
    parts = [
        Part(each, _EXPIRE, {"organization_id": each, "ids": Uuids([purchase.id for purchase in own])})
        for each, own in purchases.items()
    ]
    await execute_parts(work, parts)


def _purchase(row: Any) -> Purchase:  # noqa: ANN401 - a named row of the driver
    return record_of(Purchase, row, status=PurchaseStatus(row.status))
