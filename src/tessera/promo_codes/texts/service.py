"""Texts of promo codes and vouchers, which must differ although no constraint spans both tables.

Each side looks for the other's texts as it adds its own, but does not see what others have not committed. Promo codes
are added under a shared lock, which an import of vouchers takes exclusively at its end, before it looks again: either
the import sees the promo code, or the promo code is added after the import has ended and sees its vouchers. An import
of promo codes takes minutes, so it takes the lock at its end as well. Transactions take no other lock after this one,
except for the names of promo codes.
"""

from collections.abc import Collection

from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.promo_codes.texts.repository import TextRepository


async def lock_to_add_promo_codes(work: UnitOfWork) -> None:
    """Let no import of vouchers end before this transaction, which adds a few promo codes next."""
    await TextRepository(work).lock_shared()


async def find_vouchers_with(work: UnitOfWork, names: Collection[str]) -> set[str]:
    """The keys of those names of added promo codes that vouchers have; for the end of a long transaction."""
    texts = TextRepository(work)
    await texts.lock_shared()
    return await texts.find_clashes(names)


async def find_promo_codes_with(work: UnitOfWork, codes: Collection[str]) -> set[str]:
    """The keys of those codes of added vouchers that promo codes have; for the end of a long transaction."""
    texts = TextRepository(work)
    await texts.lock()
    return await texts.find_clashes(codes)
