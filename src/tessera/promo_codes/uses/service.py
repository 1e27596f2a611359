"""Uses of promo codes: the check whether a code is usable, the lock of its uses, and their count."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from tessera.codes.rules import Use
from tessera.identity.authentication.credentials import WrongSecret
from tessera.identity.authentication.service import is_valid_key
from tessera.identity.rules import PLATFORM_ID, Standing
from tessera.kit.db.compiled_queries import Step, run, run_together
from tessera.kit.db.unit_of_work import AnyRow, Reader, UnitOfWork
from tessera.kit.errors import DomainError, NotFound, Violation
from tessera.promo_codes.rules import Discount
from tessera.promo_codes.shares.repository import ShareRepository
from tessera.promo_codes.uses import repository, rules
from tessera.promo_codes.uses.repository import PromoCodeUseRepository, UsabilityRequest, UseChange
from tessera.promo_codes.uses.rules import Usability

__all__ = ["UsabilityRequest", "UseChange"]


class PromoCodeNotFound(NotFound):
    """Neither the organization nor the platform has a code with this name."""


class StorefrontPromoCode(NamedTuple):
    """A promo code for a storefront; the owner of a global one is the platform.

    `discount_base` is the price of the exams through which it covers a bundle; None if the whole price counts.
    `has_voucher` says whether a voucher of the organization has the same text.
    """

    owner_id: UUID
    id: UUID
    name: str
    usability: Usability
    discount: Discount
    discount_base: Decimal | None
    is_combinable: bool
    has_voucher: bool


@dataclass(frozen=True, slots=True)
class Validation:
    """Every reason why a code cannot be used now, and its discount."""

    reasons: tuple[Violation, ...]
    discount: Discount


async def find_for_storefront(
    work: UnitOfWork, uses: Sequence[tuple[str, Use]], *, as_of: datetime
) -> dict[int, StorefrontPromoCode]:
    """The promo codes of these names for these uses, by position; an own code takes precedence over a global one."""
    rows = await run(work.connection, PromoCodeUseRepository(work).finding(uses, as_of=as_of))
    return await _codes_of(work, uses, rows, as_of=as_of)


async def lock_and_find(
    work: UnitOfWork, uses: Sequence[tuple[str, Use]], *, ids: Sequence[UUID], as_of: datetime
) -> tuple[frozenset[UUID], dict[int, StorefrontPromoCode]]:
    """Do what `lock` does for the codes of these uses and those with these ids, and then `find_for_storefront`."""
    repository, names = PromoCodeUseRepository(work), sorted({code for code, _ in uses})
    locking = repository.locking(names=names, ids=ids, as_of=as_of)
    locked_ids, rows = await run_together(work.connection, locking, repository.finding(uses, as_of=as_of))
    return locked_ids, await _codes_of(work, uses, rows, as_of=as_of)


async def _codes_of(
    work: UnitOfWork, uses: Sequence[tuple[str, Use]], rows: Sequence[AnyRow], *, as_of: datetime
) -> dict[int, StorefrontPromoCode]:
    codes = {row.asked - 1: _storefront_promo_code(row, uses[row.asked - 1][1]) for row in rows}
    global_ids = {code.id for code in codes.values() if code.owner_id == PLATFORM_ID}
    shares = await ShareRepository(work).find_own(sorted(global_ids), as_of=as_of) if global_ids else []
    shares_by_id = {share.promo_code_id: share for share in shares}
    return {position: _with_share(code, shares_by_id.get(code.id)) for position, code in codes.items()}


async def lock(work: UnitOfWork, ids: Sequence[UUID], *, as_of: datetime) -> None:
    """Lock those of these codes that have a limit until the transaction ends, and end holds that lapsed by `as_of`."""
    await run(work.connection, PromoCodeUseRepository(work).locking(names=[], ids=ids, as_of=as_of))


async def recount(work: UnitOfWork, promo_code_id: UUID, *, as_of: datetime) -> tuple[int, int]:
    """The numbers of redeemed and held uses of an own code; locks it against uses by others until the transaction ends.

    Call it before any lock of the code. If the code has no limit in total, this ends the holds that have lapsed by
    `as_of`.
    """
    return await PromoCodeUseRepository(work).recount(promo_code_id, as_of=as_of)


def counting_uses(work: UnitOfWork, changes: Mapping[UUID, UseChange]) -> Step[None]:
    """The step that changes the counts of locked promo codes; those without a limit in total have no counts."""
    return PromoCodeUseRepository(work).counting(changes)


async def lock_for_each(work: UnitOfWork, ids: Mapping[UUID, Sequence[UUID]], *, as_of: datetime) -> None:
    """Lock those codes of each organization that have a limit, and end their lapsed holds, as `lock` does."""
    await repository.lock_for_each(work, ids, as_of=as_of)


async def count_uses_for_each(work: UnitOfWork, changes: Mapping[UUID, Mapping[UUID, UseChange]]) -> None:
    """Change the counts of locked promo codes of each organization, as `counting_uses` does."""
    await repository.count_uses_for_each(work, changes)


async def validate_all(
    reader: Reader, requests: Sequence[UsabilityRequest], *, now: datetime
) -> list[Validation | DomainError]:
    """The validation of each request; the requests may belong to different organizations.

    The result for an unknown key is WrongSecret, and for an unknown code PromoCodeNotFound.
    """
    rows = {row[0] - 1: row for row in await repository.find_usability(reader, requests, as_of=now)}
    return [_validation(request, rows.get(position), now=now) for position, request in enumerate(requests)]


def _storefront_promo_code(row: AnyRow, use: Use) -> StorefrontPromoCode:
    usability = Usability(
        status=row.status,
        starts_at=row.starts_at,
        expires_at=row.expires_at,
        max_redemptions=row.max_redemptions,
        redemption_count=row.redemption_count,
        held_count=row.held_count,
        covers_product=row.covers_product,
        max_redemptions_per_candidate=row.max_redemptions_per_candidate,
        # The holds on a global code may be those of other organizations.
        next_hold_ends_at=None if row.owner_id == PLATFORM_ID else row.next_hold_ends_at,
        candidate_uses=row.candidate_uses,
        candidate_hold_ends_at=row.candidate_hold_ends_at,
        restrict_to_email_addresses=row.restrict_to_email_addresses,
        lists_candidate=row.lists_candidate if use.has_candidate else None,
        candidate_has_email=use.candidate_email is not None,
    )
    discount = Discount(row.discount_percent, row.flat_discount)
    return StorefrontPromoCode(
        row.owner_id,
        row.promo_code_id,
        row.name,
        usability,
        discount,
        discount_base=row.discount_base,
        is_combinable=row.is_combinable,
        has_voucher=row.has_voucher,
    )


def _with_share(code: StorefrontPromoCode, share: AnyRow | None) -> StorefrontPromoCode:
    if share is None:
        return code
    usability = replace(
        code.usability,
        max_redemptions_per_organization=share.max_redemptions_per_organization,
        organization_uses=share.uses,
        organization_hold_ends_at=share.next_hold_ends_at,
    )
    return code._replace(usability=usability)


def _validation(request: UsabilityRequest, row: tuple[Any, ...] | None, *, now: datetime) -> Validation | DomainError:
    if row is None:
        return WrongSecret("The API key is not valid.", None)
    _, digest, key_expires_at, revoked_at, is_active, promo_code_id, *promo_code = row
    standing = Standing(revoked_at, key_expires_at, is_active)
    if not is_valid_key(digest, standing, key=request.key, now=now):
        return WrongSecret("The API key is not valid.", digest)
    if promo_code_id is None:
        return PromoCodeNotFound("There is no such promo code.")
    status, starts_at, expires_at, limit, count, held, percent, flat, covers = promo_code
    usability = Usability(
        status=status,
        starts_at=starts_at,
        expires_at=expires_at,
        max_redemptions=limit,
        redemption_count=count,
        held_count=held,
        covers_product=covers,
    )
    return Validation(tuple(rules.unusable(usability, now=now)), Discount(percent, flat))
