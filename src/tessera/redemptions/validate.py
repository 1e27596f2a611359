"""Codes before anything is sold, promo codes and vouchers alike: what they give, and every reason why not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from tessera.catalog import service as catalog
from tessera.codes.rules import ProductChoice, Reason, Use
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Invalid, Violation
from tessera.promo_codes import rules as promo_code_rules
from tessera.promo_codes.uses import service as promo_codes
from tessera.promo_codes.uses.service import FoundPromoCode
from tessera.redemptions import rules
from tessera.redemptions.rules import Price
from tessera.vouchers.issued import rules as voucher_rules
from tessera.vouchers.issued.uses import service as vouchers
from tessera.vouchers.issued.uses.service import FoundVoucher


class CodeKind(StrEnum):
    """What a code is."""

    PROMO_CODE = "PromoCode"
    VOUCHER = "Voucher"


@dataclass(frozen=True, slots=True)
class AskedCandidate:
    """The candidate who is asked about; rules about what is None are told to be broken, or are not asked."""

    person_id: str | None
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


NOT_FOUND = Reason("NotFound", "code", "does not exist")


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that breaks rules by itself, and the product that it names, if it is one."""

    violations: Sequence[Violation]
    product: ProductChoice | None


async def refuse_all(work: UnitOfWork, requests: Sequence[Refused]) -> list[Invalid]:
    """Everything that is wrong with each request: what it is by itself, and that it names what is not on sale."""
    named = {request.product for request in requests if request.product is not None}
    unknown = named - (await catalog.find_products(work, named)).keys()
    missing: dict[ProductChoice | None, list[Violation]] = {choice: [product_not_found(choice)] for choice in unknown}
    return [Invalid([*request.violations, *missing.get(request.product, [])]) for request in requests]


def product_not_found(choice: ProductChoice) -> Violation:
    """That nothing of this name is on sale."""
    field = "store_exam_code" if choice.store_exam_code is not None else "product_bundle_id"
    return Violation("ProductNotFound", field, "must name something that is on sale")


async def assess_all(
    work: UnitOfWork,
    codes: Sequence[str],
    *,
    product: ProductChoice,
    candidate: AskedCandidate | None,
    now: datetime,
) -> list[Assessment]:
    """What each code is worth at `now`, in the codes' order; changes nothing.

    Every rule that a code breaks is named; without a candidate, rules about candidates are not asked. A promo code
    comes before a voucher of the same text. Raises Invalid for an unknown product.
    """
    sold = (await catalog.find_products(work, [product])).get(product)
    if sold is None:
        raise Invalid([product_not_found(product)])
    email, person_id = (candidate.email, candidate.person_id) if candidate else (None, None)
    use = Use(sold.store_exam_id, sold.product_bundle_id, candidate is not None, email, person_id)
    found = await find_codes(work, [(code, use) for code in codes], now=now)
    return [assess(code, found.get(position), listed=sold.price, now=now) for position, code in enumerate(codes)]


async def find_codes(
    work: UnitOfWork, wanted: Sequence[tuple[str, Use]], *, now: datetime
) -> dict[int, FoundPromoCode | FoundVoucher]:
    """The codes for these uses, promo codes before vouchers of the same text, by position."""
    found: dict[int, FoundPromoCode | FoundVoucher] = {}
    found |= await promo_codes.find_for_storefront(work, wanted, as_of=now)
    others = [position for position in range(len(wanted)) if position not in found]
    if others:
        paid = await vouchers.find_for_storefront(work, [wanted[position] for position in others])
        found |= {others[number]: voucher for number, voucher in paid.items()}
    return found


def assess(code: str, found: FoundPromoCode | FoundVoucher | None, *, listed: Decimal, now: datetime) -> Assessment:
    """What one code is worth at `now`, by all that was found of it."""
    match found:
        case FoundPromoCode(usability=usability):
            return Assessment(
                code=found.name,
                kind=CodeKind.PROMO_CODE,
                reasons=tuple(promo_code_rules.unusable(usability, now=now)),
                price=rules.price(listed, found.discount),
                remaining=promo_code_rules.remaining(usability),
                expires_at=usability.expires_at,
            )
        case FoundVoucher(usability=paid):
            return Assessment(
                code=found.code,
                kind=CodeKind.VOUCHER,
                reasons=tuple(voucher_rules.unusable(paid, now=now)),
                price=Price(listed, listed),
                remaining=0 if paid.is_used or voucher_rules.is_held(paid, now=now) else 1,
                expires_at=paid.expires_at,
            )
        case None:
            nothing_off = Price(listed, Decimal(0))
            return Assessment(
                code=code, kind=None, reasons=(NOT_FOUND,), price=nothing_off, remaining=None, expires_at=None
            )
