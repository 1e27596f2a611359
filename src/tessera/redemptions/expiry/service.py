"""The stored status of holds past their deadline, which readers treat as expired in any case."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from tessera.kit.db.passes import Progress
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.promo_codes.uses import service as promo_codes
from tessera.promo_codes.uses.service import UseChange
from tessera.redemptions.expiry import repository
from tessera.redemptions.expiry.repository import LapsedHold
from tessera.vouchers.issued.uses import service as vouchers


async def list_lapsed(work: UnitOfWork, *, now: datetime) -> dict[UUID, list[UUID]]:
    """Up to 10,000 lapsed holds, by organization, for a unit of work pinned to the platform."""
    by_organization: dict[UUID, list[UUID]] = {}
    for organization_id, redemption_id in await repository.list_lapsed(work, now=now):
        by_organization.setdefault(organization_id, []).append(redemption_id)
    return by_organization


async def expire(work: UnitOfWork, ids: Mapping[UUID, Sequence[UUID]], *, now: datetime) -> dict[UUID, Progress]:
    """Store the status `Expired` of those of these holds that have lapsed; the ids are by organization.

    A hold whose reservation or voucher another transaction has locked is left for the next pass, as is one whose
    reservation gets another code meanwhile, because that code is not locked.
    """
    found = await repository.find_lapsed(work, ids, now=now)
    locked = await repository.try_lock_reservations(work, found)
    locked_vouchers = await _lock_codes(work, locked, now=now)
    # Another statement, which sees what was committed before the locks were granted. The lock of a promo code with a
    # limit has expired its lapsed holds.
    ids_locked = {each: [hold.id for hold in own] for each, own in locked.items()}
    lapsed = await repository.find_lapsed(work, ids_locked, now=now)
    expiring = {
        each: [
            hold
            for hold in own
            if hold in locked[each] and (hold.voucher_id is None or hold.voucher_id in locked_vouchers[each])
        ]
        for each, own in lapsed.items()
    }
    expiring = {each: own for each, own in expiring.items() if own}
    await repository.expire(work, expiring, now=now)
    await promo_codes.count_uses_for_each(
        work, {each: changes for each, own in expiring.items() if (changes := _uses(own))}
    )
    left = {each: len(own) - len(expiring.get(each, ())) for each, own in lapsed.items()}
    return {each: Progress(len(own) - left.get(each, 0)) for each, own in locked.items()}


async def _lock_codes(
    work: UnitOfWork, holds: Mapping[UUID, Sequence[LapsedHold]], *, now: datetime
) -> dict[UUID, frozenset[UUID]]:
    """Lock the codes of these holds; returns the vouchers that were not locked by others, by organization."""
    code_ids = {each: [hold.promo_code_id for hold in own if hold.promo_code_id] for each, own in holds.items()}
    voucher_ids = {each: [hold.voucher_id for hold in own if hold.voucher_id] for each, own in holds.items()}
    await promo_codes.lock_for_each(work, {each: own for each, own in code_ids.items() if own}, as_of=now)
    return await vouchers.try_lock_for_each(work, {each: own for each, own in voucher_ids.items() if own})


def _uses(holds: Sequence[LapsedHold]) -> dict[UUID, UseChange]:
    held = Counter(hold.promo_code_id for hold in holds if hold.promo_code_id is not None)
    return {id_: UseChange(0, -count) for id_, count in held.items()}
