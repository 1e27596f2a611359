"""Uses of vouchers by storefronts; callers must lock and check a voucher before they change it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from tessera.codes.rules import Use
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.vouchers.issued.uses import repository
from tessera.vouchers.issued.uses.repository import StorefrontVoucher, VoucherUse, VoucherUseRepository

__all__ = ["StorefrontVoucher", "VoucherUse"]


async def find_for_storefront(work: UnitOfWork, uses: Sequence[tuple[str, Use]]) -> dict[int, StorefrontVoucher]:
    """The vouchers with these codes and their usability for these uses, by position in `uses`."""
    return await VoucherUseRepository(work).find_for_storefront(uses)


async def lock(work: UnitOfWork, *, codes: Sequence[str] = (), ids: Sequence[UUID] = ()) -> None:
    """Lock vouchers, by their codes or by their ids, so that no other transaction uses them."""
    repository = VoucherUseRepository(work)
    if codes:
        await repository.lock_by_code(codes)
    if ids:
        await repository.lock_by_id(ids)


async def try_lock_for_each(work: UnitOfWork, ids: Mapping[UUID, Sequence[UUID]]) -> dict[UUID, frozenset[UUID]]:
    """Lock the vouchers of each organization with these ids; returns those that others have not locked."""
    return await repository.try_lock_for_each(work, ids)


async def hold(work: UnitOfWork, holds: Sequence[tuple[UUID, UUID, datetime]]) -> None:
    """Hold locked, usable vouchers: each by its id, for a redemption, until a time."""
    await VoucherUseRepository(work).hold(holds)


async def use(work: UnitOfWork, uses: Sequence[VoucherUse]) -> None:
    """Mark locked, usable vouchers as used."""
    await VoucherUseRepository(work).use(uses)


async def release(work: UnitOfWork, ids: Sequence[UUID]) -> None:
    """Release locked vouchers from their use or their hold."""
    await VoucherUseRepository(work).release(ids)


async def update_reservation(work: UnitOfWork, ids: Sequence[UUID], *, code: str, new_code: str, status: str) -> None:
    """Store the new status and code of a reservation in those vouchers whose latest reservation it is."""
    await VoucherUseRepository(work).update_reservation(ids, code=code, new_code=new_code, status=status)
