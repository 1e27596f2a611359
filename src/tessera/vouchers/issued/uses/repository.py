"""Statements on the use of vouchers by storefronts: look-ups, locks, holds, uses and releases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Text, Update, Uuid, any_, bindparam, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from tessera.codes.rules import Use
from tessera.kit.db.arrays import Uuids
from tessera.kit.db.bulk_insert import row_of
from tessera.kit.db.compiled_queries import TextQuery
from tessera.kit.db.passes import Part, execute_parts
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.vouchers import codes
from tessera.vouchers.issued.rules import VoucherUsability
from tessera.vouchers.rules import ReservationStatus
from tessera.vouchers.tables import Voucher


class StorefrontVoucher(NamedTuple):
    """A voucher for a storefront; `held_by` is the redemption that holds it, even after the hold has lapsed."""

    id: UUID
    code: str
    purchase_id: UUID
    partner_id: UUID
    held_by: UUID | None
    usability: VoucherUsability


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherUse:
    """The candidate, reservation and exam of a voucher's use."""

    id: UUID
    used_at: datetime
    used_by_person_id: str
    used_by_client_candidate_id: str
    used_by_first_name: str
    used_by_last_name: str
    reservation_code: str
    reservation_status: ReservationStatus
    store_exam_id: UUID


# The lateral sub-selects look each code up by itself. As plain joins, two codes are enough for a plan that reads all
# vouchers of the organization, purchase by purchase, because the planner expects few rows of each tenant.
FIND_FOR_STOREFRONT = """
select distinct on (requested.n) requested.n, v.id, v.code, v.purchase_id, v.partner_id, v.is_active, v.is_archived,
       v.is_used, v.expires_at, v.held_by, v.held_until, v.recipient_email, g.enforce_assigned_email,
       p.status = 'Complete' as is_purchase_complete,
       array(
           select d.domain from voucher_program_email_domains d
           where d.organization_id = %(organization_id)s and d.program_id = g.id
       ) as email_domains,
       exists (
           select from voucher_program_store_exams e
           where e.organization_id = %(organization_id)s and e.program_id = g.id
             and e.store_exam_id = requested.store_exam_id
       ) as covers_product
from unnest(%(positions)s::integer[], %(codes)s::text[], %(store_exam_ids)s::uuid[]) with ordinality
     as requested (n, code, store_exam_id, rank)
cross join lateral (
    select * from vouchers where organization_id = %(organization_id)s and code = requested.code limit 1
) v
cross join lateral (
    select * from voucher_purchases where organization_id = %(organization_id)s and id = v.purchase_id limit 1
) p
cross join lateral (
    select * from voucher_programs where organization_id = %(organization_id)s and id = p.program_id limit 1
) g
order by requested.n, requested.rank
"""


_TRY_LOCK = TextQuery("""
select id from vouchers where organization_id = %(organization_id)s and id = any (%(ids)s::uuid[])
order by id for no key update skip locked
""")


async def try_lock_for_each(work: UnitOfWork, ids: Mapping[UUID, Sequence[UUID]]) -> dict[UUID, frozenset[UUID]]:
    """Lock the vouchers of each organization with these ids, except those that others have locked."""
    parts = [Part(each, _TRY_LOCK, {"organization_id": each, "ids": Uuids(own)}) for each, own in ids.items()]
    results = zip(ids, await execute_parts(work, parts), strict=True)
    return {each: frozenset(row.id for row in rows) for each, rows in results}


class VoucherUseRepository:
    """The vouchers of the organization that the unit of work is pinned to, as storefronts use them."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def find_for_storefront(self, uses: Sequence[tuple[str, Use]]) -> dict[int, StorefrontVoucher]:
        """The vouchers with these codes, by position in `uses`; a voucher pays for an exam, never for a bundle.

        A code that is unknown as typed may be another reading of a voucher's code.
        """
        requested = [
            (position, reading, use.store_exam_id)
            for position, (code, use) in enumerate(uses)
            for reading in codes.readings(code)
        ]
        positions, readings, store_exam_ids = map(list, zip(*requested, strict=True))
        rows = await self._connection.exec_driver_sql(
            FIND_FOR_STOREFRONT,
            {
                "organization_id": self._organization_id,
                "positions": positions,
                "codes": readings,
                "store_exam_ids": store_exam_ids,
            },
        )
        return {row.n: _storefront_voucher(row, uses[row.n][1]) for row in rows}

    async def lock_by_code(self, voucher_codes: Sequence[str]) -> None:
        """Lock the vouchers with these codes, in id order so that concurrent calls cannot deadlock."""
        await self._lock(
            Voucher.code
            == any_(literal([each for code in voucher_codes for each in codes.readings(code)], ARRAY(Text)))
        )

    async def lock_by_id(self, ids: Sequence[UUID]) -> None:
        """Lock the vouchers with these ids, in id order."""
        await self._lock(Voucher.id == any_(literal(list(ids), ARRAY(Uuid))))

    async def _lock(self, condition: ColumnElement[bool]) -> None:
        statement = select(Voucher.id).where(Voucher.organization_id == self._organization_id, condition)
        await self._connection.execute(statement.order_by(Voucher.id).with_for_update(key_share=True))

    async def hold(self, holds: Sequence[tuple[UUID, UUID, datetime]]) -> None:
        """Hold locked vouchers: each by its id, for a redemption, until a time."""
        rows = [{"voucher_id": id_, "by": by, "until": until} for id_, by, until in holds]
        change = update(Voucher).values(held_by=bindparam("by"), held_until=bindparam("until"))
        await self._change(change, rows)

    async def use(self, uses: Sequence[VoucherUse]) -> None:
        """Mark locked vouchers as used and end their holds."""
        rows = [{f"new_{field}": value for field, value in row_of(use).items()} for use in uses]
        values: dict[str, Any] = {
            field: bindparam(f"new_{field}") for field in VoucherUse.__dataclass_fields__ if field != "id"
        }
        change = update(Voucher).values(held_by=None, held_until=None, **values)
        await self._change(change, [{"voucher_id": row.pop("new_id"), **row} for row in rows])

    async def release(self, ids: Sequence[UUID]) -> None:
        """End the holds and uses of vouchers; their latest reservation stays."""
        fields = ("used_at", "used_by_person_id", "used_by_client_candidate_id", "used_by_first_name")
        nulls = dict.fromkeys((*fields, "used_by_last_name", "held_by", "held_until"))
        await self._change(update(Voucher).values(**nulls), [{"voucher_id": id_} for id_ in ids])

    async def update_reservation(self, ids: Sequence[UUID], *, code: str, new_code: str, status: str) -> None:
        """Store the new status and code of a reservation in those vouchers whose latest reservation it is."""
        await self._connection.execute(
            update(Voucher)
            .where(
                Voucher.organization_id == self._organization_id,
                Voucher.id == any_(literal(list(ids), ARRAY(Uuid))),
                Voucher.reservation_code == code,
            )
            .values(reservation_code=new_code, reservation_status=status, version=Voucher.version + 1)
        )

    async def _change(self, change: Update, rows: Sequence[dict[str, Any]]) -> None:
        # The new version makes concurrent edits by managers fail with VersionStale.
        change = change.values(version=Voucher.version + 1)
        change = change.where(Voucher.organization_id == self._organization_id, Voucher.id == bindparam("voucher_id"))
        await self._connection.execute(change, list(rows))


def _storefront_voucher(row: AnyRow, use: Use) -> StorefrontVoucher:
    usability = VoucherUsability(
        is_active=row.is_active,
        is_archived=row.is_archived,
        is_used=row.is_used,
        is_purchase_complete=row.is_purchase_complete,
        held_until=row.held_until,
        expires_at=row.expires_at,
        covers_product=row.covers_product,
        enforce_assigned_email=row.enforce_assigned_email,
        recipient_email=row.recipient_email,
        email_domains=tuple(row.email_domains),
        has_candidate=use.has_candidate,
        candidate_email=use.candidate_email,
    )
    return StorefrontVoucher(row.id, row.code, row.purchase_id, row.partner_id, row.held_by, usability)
