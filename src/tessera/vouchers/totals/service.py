"""How many vouchers there are: counted in the transaction of each change, so that nothing is counted when asked."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.vouchers.totals.repository import (
    Count,
    PartnerTotals,
    Place,
    VoucherTotals,
    VoucherTotalsRepository,
    place,
)

__all__ = ["PartnerTotals", "VoucherTotals"]

# What happens at each place, in no order.
Changes = dict[Place, list[Count]]


@dataclass(frozen=True, slots=True)
class Counted:
    """What of a voucher decides where and as what it is counted."""

    expires_at: datetime
    is_used: bool = False
    is_archived: bool = False


async def add(work: UnitOfWork, vouchers: Iterable[tuple[UUID, Counted]]) -> None:
    """Count vouchers that are new, each with its partner.

    What is counted is locked until the end of the transaction, so this and what follows come last in it.
    """
    changes: Changes = defaultdict(list)
    for partner_id, voucher in vouchers:
        changes[place(partner_id, voucher.expires_at)].append(_count(voucher, 1))
    await _change(work, changes)


async def add_equal(work: UnitOfWork, partner_id: UUID, voucher: Counted, *, quantity: int) -> None:
    """Count that many new vouchers of one partner, all alike."""
    await _change(work, {place(partner_id, voucher.expires_at): [_count(voucher, quantity)]})


async def change(work: UnitOfWork, vouchers: Iterable[tuple[UUID, Counted, Counted]]) -> None:
    """Count vouchers, which the caller has locked, each with its partner, no more as the first but as the second."""
    changes: Changes = defaultdict(list)
    for partner_id, before, after in vouchers:
        changes[place(partner_id, before.expires_at)].append(_count(before, -1))
        changes[place(partner_id, after.expires_at)].append(_count(after, 1))
    await _change(work, changes)


async def count_uses(work: UnitOfWork, vouchers: Mapping[UUID, int]) -> None:
    """Count vouchers, which the caller has locked, as used (1) or given back (-1)."""
    known = await VoucherTotalsRepository(work).find(vouchers)
    changes: Changes = defaultdict(list)
    for voucher_id, by in vouchers.items():
        at, is_archived = known[voucher_id]
        changes[at].append(Count(used=by, archived=-by if is_archived else 0))
    await _change(work, changes)


async def sum_all(work: UnitOfWork, *, today: date) -> VoucherTotals:
    """The totals of all partners together."""
    return await VoucherTotalsRepository(work).sum(today=today)


async def list_by_cursor(work: UnitOfWork, *, today: date, after: str | None, size: int) -> CursorPage[PartnerTotals]:
    """A part of the partners with their totals, oldest first; raises Invalid for a cursor of another list."""
    return await VoucherTotalsRepository(work).list_by_cursor(today=today, after=after, size=size)


def _count(voucher: Counted, by: int) -> Count:
    is_archived = voucher.is_archived and not voucher.is_used
    return Count(by, by if voucher.is_used else 0, by if is_archived else 0)


async def _change(work: UnitOfWork, changes: Changes) -> None:
    repository = VoucherTotalsRepository(work)
    summed = {at: Count(*map(sum, zip(*counts, strict=True))) for at, counts in changes.items()}
    effective = {at: by for at, by in summed.items() if any(by)}
    if more := [at for at, by in effective.items() if by.quantity > 0]:
        await repository.make(more)
    if effective:
        await repository.change(effective)
