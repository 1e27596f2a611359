"""The promo codes and vouchers that typed texts stand for.

An own code takes precedence over a global one, and a voucher over a promo code of the same text, unless the voucher
cannot be used and the organization's promo code can.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from tessera.codes.rules import Use
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import TransactionAborted
from tessera.promo_codes.uses import rules as promo_code_rules
from tessera.promo_codes.uses import service as promo_codes
from tessera.promo_codes.uses.service import StorefrontPromoCode
from tessera.vouchers.issued import rules as voucher_rules
from tessera.vouchers.issued.uses import service as vouchers
from tessera.vouchers.issued.uses.service import StorefrontVoucher

StorefrontCode = StorefrontPromoCode | StorefrontVoucher

MAX_LOCK_ROUNDS = 5  # each further round needs another change at the same moment


async def find_codes(work: UnitOfWork, uses: Sequence[tuple[str, Use]], *, now: datetime) -> dict[int, StorefrontCode]:
    """The codes for these uses, by position."""
    promo_code_matches = await promo_codes.find_for_storefront(work, uses, as_of=now)
    positions = _positions_of_vouchers(uses, promo_code_matches)
    return await _add_vouchers(work, uses, positions, promo_code_matches, now=now)


async def lock_codes(
    work: UnitOfWork,
    uses: Sequence[tuple[str, Use]],
    *,
    promo_code_ids: Sequence[UUID],
    voucher_codes: Sequence[str],
    now: datetime,
) -> dict[int, StorefrontCode]:
    """Lock the codes for these uses and some others, promo codes first; returns those for the uses, by position."""
    promo_code_matches = await _lock_promo_codes(work, uses, promo_code_ids, now=now)
    positions = _positions_of_vouchers(uses, promo_code_matches)
    await vouchers.lock(work, codes=sorted({uses[position][0] for position in positions} | {*voucher_codes}))
    return await _add_vouchers(work, uses, positions, promo_code_matches, now=now)


async def _lock_promo_codes(
    work: UnitOfWork, uses: Sequence[tuple[str, Use]], ids: Sequence[UUID], *, now: datetime
) -> dict[int, StorefrontPromoCode]:
    if not uses:
        await promo_codes.lock(work, ids, as_of=now)
        return {}
    for _ in range(MAX_LOCK_ROUNDS):
        locked_ids, matches = await promo_codes.lock_and_find(work, uses, ids=ids, as_of=now)
        # A code added between the two statements may shadow a global code of the same name, and is not locked yet.
        if all(each.id in locked_ids for each in matches.values()):
            return matches
    raise TransactionAborted


def _positions_of_vouchers(
    uses: Sequence[tuple[str, Use]], promo_code_matches: Mapping[int, StorefrontPromoCode]
) -> list[int]:
    """The positions of texts that may be vouchers; the look-up of promo codes finds those that are both."""
    return [
        position
        for position in range(len(uses))
        if position not in promo_code_matches or promo_code_matches[position].has_voucher
    ]


async def _add_vouchers(
    work: UnitOfWork,
    uses: Sequence[tuple[str, Use]],
    positions: Sequence[int],
    promo_code_matches: Mapping[int, StorefrontPromoCode],
    *,
    now: datetime,
) -> dict[int, StorefrontCode]:
    matches: dict[int, StorefrontCode] = {**promo_code_matches}
    if positions:
        voucher_matches = await vouchers.find_for_storefront(work, [uses[position] for position in positions])
        for number, voucher in voucher_matches.items():
            position = positions[number]
            if not _prefers_promo_code(promo_code_matches.get(position), voucher, work.organization_id, now=now):
                matches[position] = voucher
    return matches


def _prefers_promo_code(
    promo_code: StorefrontPromoCode | None, voucher: StorefrontVoucher, organization_id: UUID, *, now: datetime
) -> bool:
    return (
        promo_code is not None
        and promo_code.owner_id == organization_id
        and any(voucher_rules.unusable(voucher.usability, now=now))
        and not any(promo_code_rules.unusable(promo_code.usability, now=now))
    )
