"""Codes at the moment of sale, promo codes and vouchers alike: what they give, and every reason why not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from tessera.catalog import service as catalog
from tessera.catalog.rules import Use
from tessera.catalog.service import Product
from tessera.kit.database import UnitOfWork
from tessera.kit.errors import Invalid, Violation
from tessera.kit.text import key_of
from tessera.promo_codes import rules as promo_code_rules
from tessera.promo_codes import service as promo_codes
from tessera.promo_codes.service import FoundPromoCode
from tessera.redemptions import rules
from tessera.redemptions.rules import Price
from tessera.vouchers.vouchers import rules as voucher_rules
from tessera.vouchers.vouchers import service as vouchers
from tessera.vouchers.vouchers.service import FoundVoucher


class CodeKind(StrEnum):
    """What a code is."""

    PROMO_CODE = "PromoCode"
    VOUCHER = "Voucher"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductChoice:
    """What is being sold, as a caller names it: a store exam by its code, or a product bundle by its id."""

    store_exam_code: str | None = None
    product_bundle_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class CandidateEmail:
    """The candidate who is asked about, by the one thing that rules of codes look at; the address may be missing."""

    email: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What one code is worth for a product; it can be used if there are no `reasons`."""

    code: str
    kind: CodeKind | None
    reasons: tuple[Violation, ...]
    price: Price
    remaining: int | None
    expires_at: datetime | None


async def assess_all(
    work: UnitOfWork,
    codes: Sequence[str],
    *,
    product: ProductChoice,
    candidate: CandidateEmail | None,
    now: datetime,
) -> list[Assessment]:
    """What each code is worth at `now`, in the codes' order; changes nothing.

    Every rule that a code breaks is named; without a candidate, rules about candidates are not asked. A promo code
    comes before a voucher of the same text. Raises Invalid for an unknown product.
    """
    sold = await _find_product(work, product)
    use = Use(sold.store_exam_id, sold.product_bundle_id, candidate is not None, candidate.email if candidate else None)
    found = await promo_codes.find_for_storefront(work, codes, use)
    others = [code for code in codes if key_of(code) not in found]
    found_vouchers = await vouchers.find_for_storefront(work, others, use) if others else {}
    return [
        _assess(code, found.get(key_of(code)) or found_vouchers.get(key_of(code)), listed=sold.price, now=now)
        for code in codes
    ]


async def _find_product(work: UnitOfWork, product: ProductChoice) -> Product:
    found = await catalog.find_product(
        work, store_exam_code=product.store_exam_code, product_bundle_id=product.product_bundle_id
    )
    if found is None:
        field = "store_exam_code" if product.store_exam_code is not None else "product_bundle_id"
        raise Invalid([Violation("ProductNotFound", field, "must name something that is on sale")])
    return found


def _assess(code: str, found: FoundPromoCode | FoundVoucher | None, *, listed: Decimal, now: datetime) -> Assessment:
    match found:
        case FoundPromoCode(usability=usability):
            left = None
            if usability.max_redemptions is not None:
                left = max(usability.max_redemptions - usability.redemption_count, 0)
            return Assessment(
                code=found.name,
                kind=CodeKind.PROMO_CODE,
                reasons=tuple(promo_code_rules.unusable(usability, now=now)),
                price=rules.price(listed, found.discount),
                remaining=left,
                expires_at=usability.expires_at,
            )
        case FoundVoucher(usability=usability):
            return Assessment(
                code=found.code,
                kind=CodeKind.VOUCHER,
                reasons=tuple(voucher_rules.unusable(usability, now=now)),
                price=Price(listed, listed),
                remaining=0 if usability.is_used else 1,
                expires_at=usability.expires_at,
            )
        case None:
            unknown = Violation("NotFound", "code", "does not exist")
            nothing_off = Price(listed, Decimal(0))
            return Assessment(
                code=code, kind=None, reasons=(unknown,), price=nothing_off, remaining=None, expires_at=None
            )
