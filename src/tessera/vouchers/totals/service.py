"""How many vouchers there are: counted in the transaction of each change, so that nothing is counted when asked."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from uuid import UUID

from tessera.kit.database import UnitOfWork
from tessera.kit.pagination import Slice
from tessera.vouchers.totals.repository import (
    Count,
    PartnerTotals,
    Place,
    VoucherTotals,
    VoucherTotalsRepository,
    place,
)

__all__ = ["PartnerTotals", "VoucherTotals"]


async def add(work: UnitOfWork, vouchers: Iterable[tuple[UUID, datetime, bool]]) -> None:
    """Count vouchers that are new: the partner of each, when it expires, and whether it is used.

    What is counted is locked until the end of the transaction, so this comes last in it.
    """
    quantity: Counter[Place] = Counter()
    used: Counter[Place] = Counter()
    for partner_id, expires_at, is_used in vouchers:
        at = place(partner_id, expires_at)
        quantity[at] += 1
        used[at] += is_used
    await _change(work, {at: Count(quantity[at], used[at]) for at in quantity})


async def count_uses(work: UnitOfWork, changes: Mapping[UUID, int]) -> None:
    """Count vouchers, which the caller has locked, as used (1) or given back (-1), last of all that is locked."""
    places = await VoucherTotalsRepository(work).find_places(changes)
    used: Counter[Place] = Counter()
    for voucher_id, change in changes.items():
        used[places[voucher_id]] += change
    await _change(work, {at: Count(0, by) for at, by in used.items() if by})


async def move(work: UnitOfWork, vouchers: Iterable[tuple[UUID, datetime, datetime, bool]]) -> None:
    """Count vouchers, which the caller has locked, by another expiry.

    Of each: its partner, the expiry before and after, and whether it is used.
    """
    quantity: Counter[Place] = Counter()
    used: Counter[Place] = Counter()
    for partner_id, before, after, is_used in vouchers:
        for expires_at, by in ((before, -1), (after, 1)):
            quantity[place(partner_id, expires_at)] += by
            used[place(partner_id, expires_at)] += by * is_used
    await _change(work, {at: Count(by, used[at]) for at, by in quantity.items() if by or used[at]})


async def sum_all(work: UnitOfWork, *, today: date) -> VoucherTotals:
    """The totals of all partners together."""
    return await VoucherTotalsRepository(work).sum(today=today)


async def list_slice(work: UnitOfWork, *, today: date, after: str | None, size: int) -> Slice[PartnerTotals]:
    """A part of the partners with their totals, oldest first; raises Invalid for a cursor of another list."""
    return await VoucherTotalsRepository(work).list_slice(today=today, after=after, size=size)


async def _change(work: UnitOfWork, changes: Mapping[Place, Count]) -> None:
    repository = VoucherTotalsRepository(work)
    if more := [at for at, by in changes.items() if by.quantity > 0]:
        await repository.make(more)
    if changes:
        await repository.change(changes)
