"""Vouchers at the moment of sale: whoever changes one holds its lock, and has found it usable since."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from tessera.codes.rules import Use
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.vouchers.issued.uses.repository import FoundVoucher, VoucherUse, VoucherUseRepository

__all__ = ["FoundVoucher", "VoucherUse"]


async def find_for_storefront(work: UnitOfWork, wanted: Sequence[tuple[str, Use]]) -> dict[int, FoundVoucher]:
    """The vouchers with these codes for these uses, by position; changes nothing."""
    return await VoucherUseRepository(work).find_for_storefront(wanted)


async def lock(work: UnitOfWork, *, codes: Sequence[str] = (), ids: Sequence[UUID] = ()) -> None:
    """Until the end of the transaction nobody else uses these vouchers; by their codes or by their ids."""
    repository = VoucherUseRepository(work)
    if codes:
        await repository.lock_by_code(codes)
    if ids:
        await repository.lock_by_id(ids)


async def hold(work: UnitOfWork, holds: Sequence[tuple[UUID, UUID, datetime]]) -> None:
    """Hold vouchers, which the caller has locked and found usable: each by its id, for a redemption, until a time."""
    await VoucherUseRepository(work).hold(holds)


async def use(work: UnitOfWork, uses: Sequence[VoucherUse]) -> None:
    """Use vouchers, which the caller has locked and found usable."""
    await VoucherUseRepository(work).use(uses)


async def free(work: UnitOfWork, ids: Sequence[UUID]) -> None:
    """Give vouchers back, which the caller has locked, from their use or their hold."""
    await VoucherUseRepository(work).free(ids)


async def show_reservation(work: UnitOfWork, ids: Sequence[UUID], *, code: str, new_code: str, status: str) -> None:
    """Tell what became of a reservation with those of its vouchers that have no later one."""
    await VoucherUseRepository(work).show_reservation(ids, code=code, new_code=new_code, status=status)
