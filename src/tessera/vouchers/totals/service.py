"""The numbers of vouchers, updated in the transaction of each change so that reports need not count vouchers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.vouchers.totals.repository import (
    Bucket,
    Count,
    PartnerTotals,
    VoucherTotals,
    VoucherTotalsRepository,
    bucket_of,
)

__all__ = ["PartnerTotals", "VoucherTotals"]

Changes = dict[Bucket, list[Count]]


@dataclass(frozen=True, slots=True)
class CountedState:
    """The properties of a voucher that decide its bucket and its count."""

    expires_at: datetime
    is_used: bool = False
    is_archived: bool = False


async def add(work: UnitOfWork, vouchers: Iterable[tuple[UUID, CountedState]]) -> None:
    """Count new vouchers, each with its partner.

    The functions of this module lock buckets until the transaction ends, so callers call them last.
    """
    changes: Changes = defaultdict(list)
    for partner_id, voucher in vouchers:
        changes[bucket_of(partner_id, voucher.expires_at)].append(_count(voucher, 1))
    await _change(work, changes)


async def add_counts(work: UnitOfWork, partner_id: UUID, quantities: Mapping[CountedState, int]) -> None:
    """Count new vouchers of one partner: a quantity for each state."""
    changes: Changes = defaultdict(list)
    for voucher, quantity in quantities.items():
        changes[bucket_of(partner_id, voucher.expires_at)].append(_count(voucher, quantity))
    await _change(work, changes)


async def change(work: UnitOfWork, vouchers: Iterable[tuple[UUID, CountedState, CountedState]]) -> None:
    """Move locked vouchers, each with its partner, from the count of their old state to that of their new state."""
    changes: Changes = defaultdict(list)
    for partner_id, before, after in vouchers:
        if before == after:
            continue
        changes[bucket_of(partner_id, before.expires_at)].append(_count(before, -1))
        changes[bucket_of(partner_id, after.expires_at)].append(_count(after, 1))
    await _change(work, changes)


async def count_uses(work: UnitOfWork, vouchers: Mapping[UUID, int]) -> None:
    """Count locked vouchers as used (1) or unused again (-1)."""
    buckets = await VoucherTotalsRepository(work).find(vouchers)
    changes: Changes = defaultdict(list)
    for voucher_id, by in vouchers.items():
        bucket, is_archived = buckets[voucher_id]
        changes[bucket].append(Count(used=by, archived=-by if is_archived else 0))
    await _change(work, changes)


async def sum_all(work: UnitOfWork, *, today: date) -> VoucherTotals:
    """The totals over all partners."""
    return await VoucherTotalsRepository(work).sum(today=today)


async def list_by_cursor(work: UnitOfWork, *, today: date, after: str | None, size: int) -> CursorPage[PartnerTotals]:
    """A page of partners with their totals, oldest first; raises Invalid for a cursor of another list."""
    return await VoucherTotalsRepository(work).list_by_cursor(today=today, after=after, size=size)


def _count(voucher: CountedState, by: int) -> Count:
    is_archived = voucher.is_archived and not voucher.is_used
    return Count(by, by if voucher.is_used else 0, by if is_archived else 0)


async def _change(work: UnitOfWork, changes: Changes) -> None:
    repository = VoucherTotalsRepository(work)
    sums = {bucket: Count(*map(sum, zip(*counts, strict=True))) for bucket, counts in changes.items()}
    effective = {bucket: count for bucket, count in sums.items() if any(count)}
    if growing := [bucket for bucket, count in effective.items() if count.quantity > 0]:
        await repository.add_missing(growing)
    if effective:
        await repository.change(effective)
