"""Reservations: their statuses, and the effect of a status on the redemptions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from tessera.identity.rules import Principal
from tessera.kit.db.compiled_queries import run
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Conflict, NotFound, WrongState
from tessera.redemptions import lifecycle, rules, transitions
from tessera.redemptions.records import Redemption
from tessera.redemptions.repository import RedemptionRepository
from tessera.redemptions.reservations.repository import Reservation, ReservationRepository
from tessera.vouchers.issued.uses import service as vouchers
from tessera.vouchers.rules import ReservationStatus


@dataclass(frozen=True, slots=True)
class Booking:
    """A reservation with its redemptions, oldest first."""

    reservation: Reservation
    redemptions: Sequence[Redemption]


class ReservationNotFound(NotFound):
    """The organization has no redemption for a reservation with this code."""

    def __init__(self) -> None:
        super().__init__("There is no such reservation.")


async def get(work: UnitOfWork, code: str, *, caller: Principal | None, now: datetime) -> Booking:
    """The reservation with this code and the redemptions that the caller may see; raises ReservationNotFound."""
    reservation = (await ReservationRepository(work).find_all([code])).get(code)
    if reservation is None:
        raise ReservationNotFound
    return await _booking(work, reservation, caller, now=now)


async def find_live(work: UnitOfWork, code: str, *, now: datetime) -> tuple[ReservationStatus | None, list[Redemption]]:
    """The status of a reservation, None for a new one, and its redemptions that are held or redeemed at `now`."""
    reservation = (await ReservationRepository(work).find_all([code])).get(code)
    if reservation is None:
        return None, []
    redemptions = await RedemptionRepository(work).find_live([reservation.id])
    return reservation.status, [each for each in redemptions if lifecycle.as_of(each, now=now).status in rules.LIVE]


async def change(
    work: UnitOfWork,
    code: str,
    status: ReservationStatus,
    *,
    new_code: str | None,
    caller: Principal | None,
    now: datetime,
) -> Booking:
    """Set the status of a reservation; a cancellation ends all uses, and a repeated request changes nothing.

    Raises ReservationNotFound, MadeByOthers, WrongState for a reservation that has ended with another status, and
    Conflict if another reservation has the new code.
    """
    repository = ReservationRepository(work)
    new_code = code if new_code is None else new_code
    await run(work.connection, repository.locking({code, new_code}))
    reservations = await repository.find_all({code, new_code})
    before = reservations.get(code) or _require_rescheduled(reservations.get(new_code), code)
    await _booking(work, before, caller, now=now)  # raises ReservationNotFound if the caller may not see it
    if not rules.can_become(before.status, status):
        raise WrongState("reservation", before.status)
    if before.code != new_code and new_code in reservations:
        raise Conflict(f"There is a reservation {new_code} already.")
    after = _new_state(before, status, new_code, now=now)
    if after != before:
        await _write(work, before, after, caller=caller, now=now)
    return await _booking(work, after, caller, now=now)


def _require_rescheduled(reservation: Reservation | None, code: str) -> Reservation:
    # A repeated request to reschedule names the code that the reservation had before.
    if reservation is None or reservation.rescheduled_from != code:
        raise ReservationNotFound
    return reservation


def _new_state(before: Reservation, status: ReservationStatus, code: str, *, now: datetime) -> Reservation:
    if (before.status, before.code) == (status, code):
        return before
    rescheduled_from = before.code if before.code != code else before.rescheduled_from
    return replace(before, status=status, code=code, rescheduled_from=rescheduled_from, updated_at=now)


async def _write(
    work: UnitOfWork, before: Reservation, after: Reservation, *, caller: Principal | None, now: datetime
) -> None:
    redemptions = await RedemptionRepository(work).find_of_reservation(before.id)
    if not all(rules.may_see(caller, each.made_by) for each in redemptions):
        raise rules.MadeByOthers
    await transitions.lock_codes(work, redemptions, now=now)
    await ReservationRepository(work).change(after)
    if after.status is ReservationStatus.CANCELLED:
        await _end_uses(work, before.id, caller_id=rules.id_of(caller), now=now)
    voucher_ids = [each.voucher_id for each in redemptions if each.voucher_id is not None]
    if voucher_ids:
        await vouchers.update_reservation(work, voucher_ids, code=before.code, new_code=after.code, status=after.status)


async def _end_uses(work: UnitOfWork, reservation_id: UUID, *, caller_id: UUID | None, now: datetime) -> None:
    live = await RedemptionRepository(work).find_live([reservation_id])
    changes = [
        transitions.status_change(each, rules.END_STATUS[each.status], caller_id=caller_id, now=now)
        for each in live
        if lifecycle.as_of(each, now=now).status is each.status
    ]
    await transitions.write(work, changes, now=now)


async def _booking(work: UnitOfWork, reservation: Reservation, caller: Principal | None, *, now: datetime) -> Booking:
    redemptions = await RedemptionRepository(work).find_of_reservation(reservation.id)
    visible = [lifecycle.as_of(each, now=now) for each in redemptions if rules.may_see(caller, each.made_by)]
    if redemptions and not visible:
        raise ReservationNotFound
    return Booking(reservation, visible)
