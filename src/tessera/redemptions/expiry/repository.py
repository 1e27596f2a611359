"""Statements on the lapsed holds of many organizations."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from tessera.kit.db.advisory_locks import try_locks
from tessera.kit.db.arrays import Uuids
from tessera.kit.db.compiled_queries import TextQuery
from tessera.kit.db.passes import Part, execute_parts
from tessera.kit.db.unit_of_work import UnitOfWork, execute_text
from tessera.redemptions.reservations.repository import lock_number_of

_LIST = "select organization_id, redemption_id from list_lapsed_holds(%(now)s::timestamptz)"
_FIND = TextQuery("""
select r.id, s.code as reservation_code, r.promo_code_id, r.voucher_id
from unnest(%(ids)s::uuid[]) as lapsed (id)
cross join lateral (
    select * from redemptions where organization_id = %(organization_id)s and id = lapsed.id limit 1
) r
cross join lateral (
    select code from reservations where organization_id = %(organization_id)s and id = r.reservation_id limit 1
) s
where r.status = 'Held' and r.held_until <= %(now)s
""")
_EXPIRE = TextQuery("""
with expired as (
    update redemptions set status = 'Expired', changes = changes + 1, updated_at = %(now)s
    where organization_id = %(organization_id)s and id = any (%(ids)s::uuid[])
    returning *
), appended as (
    insert into redemption_ledger (
        organization_id, redemption_id, number, status, redeemed_change, held_change, promo_code_owner_id,
        promo_code_id, voucher_id, purchase_id, partner_id, code, store_exam_id, product_bundle_id, discount, at
    )
    select organization_id, id, changes, status, 0, -1, promo_code_owner_id, promo_code_id, voucher_id, purchase_id,
           partner_id, code, store_exam_id, product_bundle_id, discount, updated_at
    from expired
    returning number
), released as (
    update vouchers set held_by = null, held_until = null, version = version + 1
    where organization_id = %(organization_id)s and id = any (array(select voucher_id from expired))
    returning id
)
select id from expired
""")


class LapsedHold(NamedTuple):
    """A hold whose deadline has passed, with the code of its reservation, and what it holds."""

    id: UUID
    reservation_code: str
    promo_code_id: UUID | None
    voucher_id: UUID | None


Holds = Mapping[UUID, Sequence[LapsedHold]]


async def list_lapsed(work: UnitOfWork, *, now: datetime) -> list[tuple[UUID, UUID]]:
    """Up to 10,000 lapsed holds of all organizations by their ids; none unless the platform itself is pinned."""
    rows = await execute_text(work.connection, _LIST, {"now": now})
    return await rows.fetchall()


async def find_lapsed(
    work: UnitOfWork, ids: Mapping[UUID, Sequence[UUID]], *, now: datetime
) -> dict[UUID, list[LapsedHold]]:
    """Those of these redemptions that are lapsed holds, by organization."""
    parts = [Part(each, _FIND, {"organization_id": each, "ids": Uuids(own), "now": now}) for each, own in ids.items()]
    results = zip(ids, await execute_parts(work, parts), strict=True)
    return {each: [LapsedHold(*row) for row in rows] for each, rows in results if rows}


async def try_lock_reservations(work: UnitOfWork, holds: Holds) -> dict[UUID, list[LapsedHold]]:
    """Lock the reservations of these holds; returns the holds whose reservations no other transaction has locked."""
    pairs = [(each, hold) for each, own in holds.items() for hold in own]
    are_locked = await try_locks(work, [lock_number_of(each, hold.reservation_code) for each, hold in pairs])
    locked: dict[UUID, list[LapsedHold]] = {}
    for (each, hold), is_locked in zip(pairs, are_locked, strict=True):
        if is_locked:
            locked.setdefault(each, []).append(hold)
    return locked


async def expire(work: UnitOfWork, holds: Holds, *, now: datetime) -> None:
    """Store the status `Expired` of holds whose reservations and codes are locked, and release their vouchers."""
    parts = [
        Part(each, _EXPIRE, {"organization_id": each, "ids": Uuids([hold.id for hold in own]), "now": now})
        for each, own in holds.items()
    ]
    await execute_parts(work, parts)
