"""What becomes of a reservation, and of the redemptions that were made for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Conflict, NotFound, WrongState
from tessera.redemptions import lifecycle, rules, transitions
from tessera.redemptions.repository import Redemption, RedemptionRepository
from tessera.redemptions.reservations.repository import FoundReservation, ReservationRepository
from tessera.vouchers.issued.uses import service as vouchers
from tessera.vouchers.rules import ReservationStatus


@dataclass(frozen=True, slots=True)
class Booking:
    """A reservation with its redemptions, oldest first."""

    reservation: FoundReservation
    redemptions: Sequence[Redemption]


class ReservationNotFound(NotFound):
    """The organization has no redemption for a reservation of this code."""

    def __init__(self) -> None:
        super().__init__("There is no such reservation.")


async def get(work: UnitOfWork, code: str, *, now: datetime) -> Booking:
    """The reservation of this code; raises ReservationNotFound."""
    found = (await ReservationRepository(work).find_all([code])).get(code)
    if found is None:
        raise ReservationNotFound
    return await _booking(work, found, now=now)


async def change(
    work: UnitOfWork,
    code: str,
    status: ReservationStatus,
    *,
    new_code: str | None,
    caller_id: UUID | None,
    now: datetime,
) -> Booking:
    """Tell what became of a reservation; cancelling it gives back every use, and the same once more changes nothing.

    Raises ReservationNotFound, WrongState for a reservation that has ended otherwise, and Conflict for a new code that
    another reservation has.
    """
    repository = ReservationRepository(work)
    wanted = code if new_code is None else new_code
    await repository.lock({code, wanted})
    known = await repository.find_all({code, wanted})
    found = known.get(code) or _moved(known.get(wanted), code)
    if not rules.can_become(found.status, status):
        raise WrongState("reservation", found.status)
    if found.code != wanted and wanted in known:
        raise Conflict(f"There is a reservation {wanted} already.")
    changed = _changed(found, status, wanted, now=now)
    if changed != found:
        await _write(work, found, changed, caller_id=caller_id, now=now)
    return await _booking(work, changed, now=now)


def _moved(reservation: FoundReservation | None, code: str) -> FoundReservation:
    # The request that has moved it may come a second time, under the code that it had before.
    if reservation is None or reservation.rescheduled_from != code:
        raise ReservationNotFound
    return reservation


def _changed(found: FoundReservation, status: ReservationStatus, code: str, *, now: datetime) -> FoundReservation:
    if (found.status, found.code) == (status, code):
        return found
    before = found.code if found.code != code else found.rescheduled_from
    return replace(found, status=status, code=code, rescheduled_from=before, updated_at=now)


async def _write(
    work: UnitOfWork, found: FoundReservation, changed: FoundReservation, *, caller_id: UUID | None, now: datetime
) -> None:
    redemptions = await RedemptionRepository(work).find_of_reservation(found.id)
    await transitions.lock_codes(work, redemptions, now=now)
    await ReservationRepository(work).change(changed)
    if changed.status is ReservationStatus.CANCELLED:
        await _give_back(work, found.id, caller_id=caller_id, now=now)
    voucher_ids = [each.voucher_id for each in redemptions if each.voucher_id is not None]
    if voucher_ids:
        await vouchers.show_reservation(
            work, voucher_ids, code=found.code, new_code=changed.code, status=changed.status
        )


async def _give_back(work: UnitOfWork, reservation_id: UUID, *, caller_id: UUID | None, now: datetime) -> None:
    live = await RedemptionRepository(work).find_live([reservation_id])
    given_back = [
        transitions.becoming(each, rules.GIVEN_BACK[each.status], caller_id=caller_id, now=now)
        for each in live
        if lifecycle.at(each, now=now).status is each.status
    ]
    await transitions.write(work, given_back, now=now)


async def _booking(work: UnitOfWork, reservation: FoundReservation, *, now: datetime) -> Booking:
    redemptions = await RedemptionRepository(work).find_of_reservation(reservation.id)
    return Booking(reservation, [lifecycle.at(each, now=now) for each in redemptions])
