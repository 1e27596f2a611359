"""Redemptions after they are made: looking them up, confirming a hold, and giving uses back."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import NotFound, WrongState
from tessera.redemptions import rules, transitions
from tessera.redemptions.repository import Redemption, RedemptionFilter, RedemptionRepository
from tessera.redemptions.reservations.repository import ReservationRepository
from tessera.redemptions.rules import RedemptionStatus

__all__ = ["Redemption", "RedemptionFilter"]


class RedemptionNotFound(NotFound):
    """The organization has no redemption of this id."""

    def __init__(self) -> None:
        super().__init__("There is no such redemption.")


async def get(work: UnitOfWork, redemption_id: UUID, *, now: datetime) -> Redemption:
    """The redemption as it is at `now`; raises RedemptionNotFound."""
    return at(await _get(RedemptionRepository(work), redemption_id), now=now)


async def list_by_cursor(
    work: UnitOfWork, wanted: RedemptionFilter, *, now: datetime, after: str | None, size: int
) -> CursorPage[Redemption]:
    """A part of the redemptions in order of creation, as they are at `now`; raises Invalid for a strange cursor."""
    part = await RedemptionRepository(work).list_by_cursor(wanted, now=now, after=after, size=size)
    return CursorPage([at(each, now=now) for each in part.items], part.cursor)


async def count(work: UnitOfWork, wanted: RedemptionFilter, *, now: datetime) -> int:
    """How many redemptions match at `now`."""
    return await RedemptionRepository(work).count(wanted, now=now)


def at(redemption: Redemption, *, now: datetime) -> Redemption:
    """The redemption with the status that it has at `now`."""
    status = rules.status_at(redemption.status, redemption.held_until, now=now)
    return redemption if status is redemption.status else replace(redemption, status=status)


async def change(
    work: UnitOfWork, redemption_id: UUID, status: RedemptionStatus, *, caller_id: UUID | None, now: datetime
) -> Redemption:
    """Confirm (Redeemed), release or cancel a redemption; one that is there already stays as it is.

    Raises RedemptionNotFound, and WrongState where its status cannot become this one.
    """
    repository = RedemptionRepository(work)
    found = await _locked(work, repository, redemption_id, now=now)
    current = rules.status_at(found.status, found.held_until, now=now)
    if current is status:
        return found
    if current is not rules.BEFORE[status]:
        raise WrongState("redemption", current)
    changed = transitions.becoming(found, status, caller_id=caller_id, now=now)
    await transitions.write(work, [changed], now=now)
    return changed.redemption


async def _locked(
    work: UnitOfWork, repository: RedemptionRepository, redemption_id: UUID, *, now: datetime
) -> Redemption:
    reservations, found = ReservationRepository(work), await _get(repository, redemption_id)
    await reservations.lock_one(found.reservation_code)
    # It may be rescheduled to another code before the lock of its reservation is there.
    while (moved := await _get(repository, redemption_id)).reservation_code != found.reservation_code:
        await reservations.lock_one(moved.reservation_code, instead=True)
        found = moved
    await transitions.lock_codes(work, [found], now=now)
    return await _get(repository, redemption_id)


async def _get(repository: RedemptionRepository, redemption_id: UUID) -> Redemption:
    found = await repository.find_all([redemption_id])
    if not found:
        raise RedemptionNotFound
    return found[0]


async def expire(work: UnitOfWork, ids: Sequence[UUID], *, now: datetime) -> int:
    """Write down that these holds have run out, where they have; says how many.

    Nothing depends on it: a hold counts no more from its deadline on. It keeps the lists of what is held short.
    """
    repository = RedemptionRepository(work)
    found = await repository.find_all(ids)
    locked = {each.reservation_code for each in found}
    await ReservationRepository(work).lock(locked)
    await transitions.lock_codes(work, found, now=now)
    lapsed = [
        transitions.becoming(each, RedemptionStatus.EXPIRED, caller_id=None, now=now)
        for each in await repository.find_all(ids)
        # What was rescheduled to another code meanwhile is not locked under that one.
        if each.reservation_code in locked and at(each, now=now).status is not each.status
    ]
    await transitions.write(work, lapsed, now=now)
    return len(lapsed)


async def list_lapsed(work: UnitOfWork, *, now: datetime) -> dict[UUID, list[UUID]]:
    """Some holds that have run out, by organization, for a unit of work pinned to the platform."""
    by_organization: dict[UUID, list[UUID]] = {}
    for organization_id, redemption_id in await RedemptionRepository(work).list_lapsed(now=now):
        by_organization.setdefault(organization_id, []).append(redemption_id)
    return by_organization
