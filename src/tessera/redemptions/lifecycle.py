"""Existing redemptions: queries, confirmation, release, cancellation and expiry."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from tessera.identity.rules import Principal
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Invalid, NotFound, TransactionAborted, Violation, WrongState
from tessera.redemptions import rules, transitions
from tessera.redemptions.records import Redemption, RedemptionFilter
from tessera.redemptions.repository import RedemptionRepository
from tessera.redemptions.reservations.repository import ReservationRepository
from tessera.redemptions.rules import RedemptionStatus

__all__ = ["Redemption", "RedemptionFilter"]

# Each further round needs another rescheduling at the same moment. After this many the client must repeat its request.
MAX_LOCK_ROUNDS = 5


class RedemptionNotFound(NotFound):
    """The organization has no redemption with this id."""

    def __init__(self) -> None:
        super().__init__("There is no such redemption.")


async def get(work: UnitOfWork, redemption_id: UUID, *, caller: Principal | None, now: datetime) -> Redemption:
    """The redemption as of `now`; raises RedemptionNotFound, also if the caller may not see it."""
    return as_of(await _get(RedemptionRepository(work), redemption_id, caller), now=now)


async def list_by_cursor(
    work: UnitOfWork, filters: RedemptionFilter, *, now: datetime, newest: bool = False, after: str | None, size: int
) -> CursorPage[Redemption]:
    """A page of redemptions as of `now`, oldest or newest first; raises Invalid for a cursor of another list."""
    page = await RedemptionRepository(work).list_by_cursor(filters, now=now, newest=newest, after=after, size=size)
    return page.map(lambda redemption: as_of(redemption, now=now))


async def count(work: UnitOfWork, filters: RedemptionFilter, *, now: datetime) -> int:
    """The number of redemptions that match at `now`."""
    return await RedemptionRepository(work).count(filters, now=now)


async def count_holds(work: UnitOfWork, *, limit: int, now: datetime) -> int:
    """The number of holds at `now`, counted up to `limit`."""
    return await RedemptionRepository(work).count_holds(limit=limit, now=now)


def as_of(redemption: Redemption, *, now: datetime) -> Redemption:
    """The redemption with its status at `now`."""
    status = rules.status_at(redemption.status, redemption.held_until, now=now)
    return redemption if status is redemption.status else replace(redemption, status=status)


async def change(
    work: UnitOfWork, redemption_id: UUID, status: RedemptionStatus, *, caller: Principal | None, now: datetime
) -> Redemption:
    """Confirm (`Redeemed`), release or cancel a redemption; does nothing if the redemption has the status already.

    Raises RedemptionNotFound, also if the caller may not see the redemption, and WrongState.
    """
    repository = RedemptionRepository(work)
    redemption = await _lock(work, repository, redemption_id, caller, now=now)
    current = rules.status_at(redemption.status, redemption.held_until, now=now)
    if current is status:
        return redemption
    if current is not rules.PREVIOUS_STATUS[status]:
        raise WrongState("redemption", current)
    status_change = transitions.status_change(redemption, status, caller_id=rules.id_of(caller), now=now)
    await transitions.write(work, [status_change], now=now)
    return status_change.redemption


async def extend(
    work: UnitOfWork, redemption_id: UUID, hold: timedelta, *, caller: Principal | None, now: datetime
) -> Redemption:
    """Move the deadline of a hold to `hold` from now.

    Raises RedemptionNotFound, also if the caller may not see the redemption, WrongState for any other redemption, and
    Invalid if the hold would last longer than 7 days from its start.
    """
    redemption = await _lock(work, RedemptionRepository(work), redemption_id, caller, now=now)
    current = rules.status_at(redemption.status, redemption.held_until, now=now)
    if current is not RedemptionStatus.HELD:
        raise WrongState("redemption", current)
    if violations := list(_too_long(redemption, now + hold - redemption.created_at)):
        raise Invalid(violations)
    change = transitions.status_change(redemption, current, caller_id=rules.id_of(caller), now=now)
    change = replace(change, redemption=replace(change.redemption, held_until=now + hold))
    await transitions.write(work, [change], now=now)
    return change.redemption


def _too_long(redemption: Redemption, duration: timedelta) -> Iterator[Violation]:
    if duration > timedelta(seconds=rules.MAX_HOLD_SECONDS):
        yield Violation("HoldTooLong", "hold_seconds", "must end within 7 days of the start of the hold")
    yield from rules.too_long_hold(duration, code_owner_id=redemption.promo_code_owner_id)


async def _lock(
    work: UnitOfWork,
    repository: RedemptionRepository,
    redemption_id: UUID,
    caller: Principal | None,
    *,
    now: datetime,
) -> Redemption:
    reservations, redemption = ReservationRepository(work), await _get(repository, redemption_id, caller)
    await reservations.lock_one(redemption.reservation_code)
    # The reservation may be rescheduled to another code before this transaction has its lock.
    for _ in range(MAX_LOCK_ROUNDS):
        current = await _get(repository, redemption_id, caller)
        if current.reservation_code == redemption.reservation_code:
            await transitions.lock_codes(work, [redemption], now=now)
            return await _get(repository, redemption_id, caller)
        await reservations.lock_one(current.reservation_code, replace_lock=True)
        redemption = current
    raise TransactionAborted


async def _get(repository: RedemptionRepository, redemption_id: UUID, caller: Principal | None) -> Redemption:
    redemptions = await repository.find_all([redemption_id])
    if not redemptions or not rules.may_see(caller, redemptions[0].made_by):
        raise RedemptionNotFound
    return redemptions[0]
