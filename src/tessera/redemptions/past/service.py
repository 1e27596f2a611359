"""Uses of vouchers that took place elsewhere, recorded as redemptions at the time of each use."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from tessera.catalog.service import Product
from tessera.kit.db.bulk_insert import row_of
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.identifiers import new_id
from tessera.redemptions import transitions
from tessera.redemptions.drafts import Candidate
from tessera.redemptions.records import Redemption
from tessera.redemptions.reservations.repository import Reservation, ReservationRepository
from tessera.redemptions.rules import RedemptionStatus
from tessera.vouchers.rules import ReservationStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class PastUse:
    """The use of a voucher for a reservation of its own; the voucher paid the current price of the exam."""

    id: UUID = field(default_factory=new_id)
    voucher_id: UUID
    code: str
    purchase_id: UUID
    partner_id: UUID
    exam: Product
    candidate: Candidate
    reservation_code: str
    reservation_status: ReservationStatus
    used_at: datetime


async def find_used_codes(work: UnitOfWork, reservation_codes: Sequence[str]) -> frozenset[str]:
    """Those of these codes that reservations of the organization have."""
    return frozenset(await ReservationRepository(work).find_all(reservation_codes) if reservation_codes else ())


async def add_all(work: UnitOfWork, uses: Sequence[PastUse]) -> frozenset[str]:
    """Record uses of vouchers, which the caller has added as used and counts.

    Returns the codes of reservations that exist; if there are any, nothing was recorded for them, and the caller must
    abort the transaction.
    """
    new = [_reservation(use) for use in uses]
    added = await ReservationRepository(work).add(new)
    if len(added) < len(new):
        return frozenset(each.code for each in new if each.id not in added)
    pairs = zip(uses, new, strict=True)
    await transitions.add_past(work, [_redemption(use, reservation) for use, reservation in pairs])
    return frozenset()


def _reservation(use: PastUse) -> Reservation:
    return Reservation(
        id=new_id(),
        code=use.reservation_code,
        status=use.reservation_status,
        rescheduled_from=None,
        created_at=use.used_at,
        updated_at=use.used_at,
    )


def _redemption(use: PastUse, reservation: Reservation) -> Redemption:
    return Redemption(
        id=use.id,
        reservation_id=reservation.id,
        reservation_code=reservation.code,
        reservation_status=reservation.status,
        code=use.code,
        voucher_id=use.voucher_id,
        purchase_id=use.purchase_id,
        partner_id=use.partner_id,
        store_exam_id=use.exam.store_exam_id,
        store_exam_code=use.exam.store_exam_code,
        product_bundle_id=None,
        **row_of(use.candidate),
        list_price=use.exam.price,
        discount=use.exam.price,
        earlier_discounts=Decimal(0),
        is_combinable=False,
        made_by=None,
        status=RedemptionStatus.REDEEMED,
        held_until=None,
        changes=1,
        created_at=use.used_at,
        updated_at=use.used_at,
    )
