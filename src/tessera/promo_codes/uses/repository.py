"""The statements that find promo codes by name, global ones included, with all that decides whether they can be used.

Each calls a function of the database that guards itself, because global codes are another tenant's rows.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from tessera.codes.rules import Use
from tessera.identity.authentication.credentials import Credential
from tessera.identity.rules import Standing
from tessera.kit.db.arrays import Binaries, Texts, Uuids
from tessera.kit.db.unit_of_work import AnyRow, Reader, UnitOfWork
from tessera.kit.normalization import key_of
from tessera.promo_codes.rules import Discount, Usability


class UsabilityRequest(NamedTuple):
    """Whether the holder of a key can use a code, for a product bundle if one is named."""

    key: Credential
    code: str | None
    product_bundle_id: UUID | None


class UsabilityRow(NamedTuple):
    """What the database knows to a question, for a key with the right digest; `usability` is None for no such code."""

    key_digest: bytes
    standing: Standing
    usability: Usability | None
    discount: Discount


class FoundPromoCode(NamedTuple):
    """A promo code as a storefront finds it; the owner of a global one is the platform."""

    owner_id: UUID
    id: UUID
    name: str
    usability: Usability
    discount: Discount


FIND_FOR_STOREFRONT = """
select * from find_promo_codes_for_storefront(
    %(code_keys)s::text[], %(exam_ids)s::uuid[], %(bundle_ids)s::uuid[], %(email_keys)s::text[],
    %(person_ids)s::text[], %(as_of)s::timestamptz
)
"""


async def find_for_storefront(
    work: UnitOfWork, wanted: Sequence[tuple[str, Use]], *, as_of: datetime
) -> dict[int, FoundPromoCode]:
    """The promo codes of these names for these uses, own ones before global ones, by position; in one statement."""
    rows = await work.connection.exec_driver_sql(
        FIND_FOR_STOREFRONT,
        {
            "code_keys": [key_of(code) for code, _ in wanted],
            "exam_ids": [use.store_exam_id for _, use in wanted],
            "bundle_ids": [use.product_bundle_id for _, use in wanted],
            "email_keys": [use.candidate_email and key_of(use.candidate_email) for _, use in wanted],
            "person_ids": [use.person_id for _, use in wanted],
            "as_of": as_of,
        },
    )
    return {row.asked - 1: _found(row, wanted[row.asked - 1][1]) for row in rows}


def _found(row: AnyRow, use: Use) -> FoundPromoCode:
    usability = Usability(
        status=row.status,
        expires_at=row.expires_at,
        max_redemptions=row.max_redemptions,
        redemption_count=row.redemption_count,
        held_count=row.held_count,
        covers_product=row.covers_product,
        max_redemptions_per_candidate=row.max_redemptions_per_candidate,
        next_hold_ends_at=row.next_hold_ends_at,
        candidate_uses=row.candidate_uses,
        candidate_hold_ends_at=row.candidate_hold_ends_at,
        restrict_to_email_addresses=row.restrict_to_email_addresses,
        lists_candidate=row.lists_candidate if use.has_candidate else None,
        candidate_has_email=use.candidate_email is not None,
    )
    discount = Discount(row.discount_percent, row.flat_discount)
    return FoundPromoCode(row.owner_id, row.promo_code_id, row.name, usability, discount)


class UseChange(NamedTuple):
    """What is added to the counts of a promo code."""

    redeemed: int
    held: int


async def lock(
    work: UnitOfWork, *, names: Sequence[str] = (), ids: Sequence[UUID] = (), as_of: datetime
) -> frozenset[UUID]:
    """Make others wait who change the uses of the limited ones among these codes, and end their lapsed holds.

    Returns which codes the names and ids meant.

    Whoever waits here has touched no other code, since all take their locks in one order.
    """
    meant = await work.connection.exec_driver_sql(
        "select lock_promo_codes(%s::text[], %s::uuid[], %s::timestamptz)",
        ([key_of(name) for name in names], list(ids), as_of),
    )
    return frozenset(meant.scalar_one())


async def count_uses(work: UnitOfWork, changes: Mapping[UUID, UseChange]) -> None:
    """Change the counts of promo codes, which the caller has locked, where there is a limit in total."""
    await work.connection.exec_driver_sql(
        "select count_promo_code_uses(%s::uuid[], %s::integer[], %s::integer[])",
        (
            list(changes),
            [change.redeemed for change in changes.values()],
            [change.held for change in changes.values()],
        ),
    )


FIND_USABILITY = """
select * from find_promo_code_usability(
    %(organization_ids)s, %(key_ids)s, %(code_keys)s, %(bundle_ids)s, %(digests)s, %(as_of)s::timestamptz
)
"""


async def find_usability(
    reader: Reader, requests: Sequence[UsabilityRequest], *, as_of: datetime
) -> dict[int, UsabilityRow]:
    """Answers to many callers' questions by their position, in one statement; an unknown key has none."""
    found = await reader.execute(
        FIND_USABILITY,
        {
            "organization_ids": Uuids([request.key.name.organization_id for request in requests]),
            "key_ids": Uuids([request.key.name.id for request in requests]),
            "code_keys": Texts([request.code and key_of(request.code) for request in requests]),
            "bundle_ids": Uuids([request.product_bundle_id for request in requests]),
            "digests": Binaries([request.key.digest for request in requests]),
            "as_of": as_of,
        },
        binary=True,
    )
    return {row[0] - 1: _usability_row(row) for row in await found.fetchall()}


def _usability_row(row: tuple[Any, ...]) -> UsabilityRow:
    _, digest, key_expires_at, revoked_at, is_active, promo_code_id, *promo_code = row
    status, expires_at, limit, count, held, percent, flat, covers = promo_code
    usability = None
    if promo_code_id is not None:
        usability = Usability(
            status=status,
            expires_at=expires_at,
            max_redemptions=limit,
            redemption_count=count,
            held_count=held,
            covers_product=covers,
        )
    return UsabilityRow(digest, Standing(revoked_at, key_expires_at, is_active), usability, Discount(percent, flat))
