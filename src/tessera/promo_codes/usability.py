"""The statements that find promo codes by name, global ones included, with all that decides whether they can be used.

Each calls a function of the database that guards itself, because global codes are another tenant's rows.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from tessera.catalog.rules import Use
from tessera.identity.credentials import ApiKeyText
from tessera.identity.rules import Standing
from tessera.kit.database import AnyRow, Reader, UnitOfWork
from tessera.kit.text import key_of
from tessera.promo_codes.rules import Discount, Usability


class Question(NamedTuple):
    """Whether the holder of a key can use a code, for a product bundle if one is named."""

    key: ApiKeyText
    code: str | None
    product_bundle_id: UUID | None


class UsabilityRow(NamedTuple):
    """What the database knows to a question, for a key with the right digest; `usability` is None for no such code."""

    key_digest: bytes
    standing: Standing
    usability: Usability | None
    discount: Discount


class FoundPromoCode(NamedTuple):
    """A promo code as a storefront finds it."""

    id: UUID
    name: str
    usability: Usability
    discount: Discount


FIND_FOR_STOREFRONT = """
select * from find_promo_codes_for_storefront(
    %(code_keys)s::text[], %(exam_id)s::uuid, %(bundle_id)s::uuid, %(email_key)s::text
)
"""


async def find_for_storefront(work: UnitOfWork, codes: Sequence[str], use: Use) -> dict[str, FoundPromoCode]:
    """The promo codes of these names, own ones before global ones, by the name's key; in one statement."""
    rows = await work.connection.exec_driver_sql(
        FIND_FOR_STOREFRONT,
        {
            "code_keys": list({key_of(code) for code in codes}),
            "exam_id": use.store_exam_id,
            "bundle_id": use.product_bundle_id,
            "email_key": key_of(use.candidate_email) if use.candidate_email is not None else None,
        },
    )
    return {row.code_key: _found(row, use) for row in rows}


def _found(row: AnyRow, use: Use) -> FoundPromoCode:
    usability = Usability(
        status=row.status,
        expires_at=row.expires_at,
        max_redemptions=row.max_redemptions,
        redemption_count=row.redemption_count,
        covers_product=row.covers_product,
        restrict_to_email_addresses=row.restrict_to_email_addresses,
        lists_candidate=row.lists_candidate if use.has_candidate else None,
        candidate_has_email=use.candidate_email is not None,
    )
    return FoundPromoCode(row.promo_code_id, row.name, usability, Discount(row.discount_percent, row.flat_discount))


FIND_USABILITY = """
select * from find_promo_code_usability(
    %(organization_ids)s::uuid[], %(key_ids)s::uuid[], %(code_keys)s::text[], %(bundle_ids)s::uuid[],
    %(digests)s::bytea[]
)
"""


async def find_usability(reader: Reader, questions: Sequence[Question]) -> dict[int, UsabilityRow]:
    """Answers to many callers' questions by their position, in one statement; an unknown key has none."""
    found = await reader.execute(
        FIND_USABILITY,
        {
            "organization_ids": [question.key.name.organization_id for question in questions],
            "key_ids": [question.key.name.id for question in questions],
            "code_keys": [question.code and key_of(question.code) for question in questions],
            "bundle_ids": [question.product_bundle_id for question in questions],
            "digests": [question.key.digest for question in questions],
        },
        binary=True,
    )
    return {row[0] - 1: _usability_row(row) for row in await found.fetchall()}


def _usability_row(row: tuple[Any, ...]) -> UsabilityRow:
    _, digest, key_expires_at, revoked_at, is_active, promo_code_id, *promo_code = row
    status, expires_at, limit, count, percent, flat, covers = promo_code
    usability = None
    if promo_code_id is not None:
        usability = Usability(
            status=status, expires_at=expires_at, max_redemptions=limit, redemption_count=count, covers_product=covers
        )
    return UsabilityRow(digest, Standing(revoked_at, key_expires_at, is_active), usability, Discount(percent, flat))
