"""The assessment of promo codes and vouchers before a sale: their value and every reason against their use."""

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
from tessera.promo_codes.uses.service import StorefrontPromoCode
from tessera.redemptions import rules
from tessera.redemptions.rules import Price
from tessera.vouchers.issued import rules as voucher_rules
from tessera.vouchers.issued.uses import service as vouchers
from tessera.vouchers.issued.uses.service import StorefrontVoucher


class CodeKind(StrEnum):
    """The kind of a code."""

    PROMO_CODE = "PromoCode"
    VOUCHER = "Voucher"


@dataclass(frozen=True, slots=True)
class PartialCandidate:
    """The candidate of a validation, of whom any field may be unknown."""

    person_id: str | None
    email: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The value of a code for a product; a code without `reasons` can be used."""

    code: str
    kind: CodeKind | None
    reasons: tuple[Violation, ...]
    price: Price
    remaining: int | None
    expires_at: datetime | None


NOT_FOUND = Reason("NotFound", "code", "does not exist")


@dataclass(frozen=True, slots=True)
class MalformedRequest:
    """The violations of a malformed request, and its product if the request names exactly one."""

    violations: Sequence[Violation]
    product: ProductChoice | None


async def reject_all(work: UnitOfWork, requests: Sequence[MalformedRequest]) -> list[Invalid]:
    """The violations of each request, including that of a product that is not on sale."""
    choices = {request.product for request in requests if request.product is not None}
    unknown_choices = choices - (await catalog.find_products(work, choices)).keys()
    return [
        Invalid([*request.violations, *map(product_not_found, unknown_choices & {request.product})])
        for request in requests
    ]


def product_not_found(choice: ProductChoice) -> Violation:
    """The violation of a product that is not on sale."""
    field = "store_exam_code" if choice.store_exam_code is not None else "product_bundle_id"
    return Violation("ProductNotFound", field, "must name a product that is on sale")


async def assess_all(
    work: UnitOfWork,
    codes: Sequence[str],
    *,
    product: ProductChoice,
    candidate: PartialCandidate | None,
    now: datetime,
) -> list[Assessment]:
    """The value of each code at `now`, in the order of `codes`.

    `reasons` has every rule that a code breaks; rules about candidates apply only with a candidate. A promo code takes
    precedence over a voucher of the same text. Raises Invalid for an unknown product.
    """
    sold_product = (await catalog.find_products(work, [product])).get(product)
    if sold_product is None:
        raise Invalid([product_not_found(product)])
    email, person_id = (candidate.email, candidate.person_id) if candidate else (None, None)
    use = Use(sold_product.store_exam_id, sold_product.product_bundle_id, candidate is not None, email, person_id)
    matches = await find_codes(work, [(code, use) for code in codes], now=now)
    return [
        assess(code, matches.get(position), list_price=sold_product.price, now=now)
        for position, code in enumerate(codes)
    ]


async def find_codes(
    work: UnitOfWork, uses: Sequence[tuple[str, Use]], *, now: datetime
) -> dict[int, StorefrontPromoCode | StorefrontVoucher]:
    """The codes for these uses, by position; a promo code takes precedence over a voucher of the same text."""
    matches: dict[int, StorefrontPromoCode | StorefrontVoucher] = {}
    matches |= await promo_codes.find_for_storefront(work, uses, as_of=now)
    voucher_positions = [position for position in range(len(uses)) if position not in matches]
    if voucher_positions:
        voucher_matches = await vouchers.find_for_storefront(work, [uses[position] for position in voucher_positions])
        matches |= {voucher_positions[number]: voucher for number, voucher in voucher_matches.items()}
    return matches


def assess(
    text: str, code: StorefrontPromoCode | StorefrontVoucher | None, *, list_price: Decimal, now: datetime
) -> Assessment:
    """The value of a code at `now`."""
    match code:
        case StorefrontPromoCode(usability=usability):
            return Assessment(
                code=code.name,
                kind=CodeKind.PROMO_CODE,
                reasons=tuple(promo_code_rules.unusable(usability, now=now)),
                price=rules.price(list_price, code.discount),
                remaining=promo_code_rules.remaining(usability),
                expires_at=usability.expires_at,
            )
        case StorefrontVoucher(usability=usability):
            return Assessment(
                code=code.code,
                kind=CodeKind.VOUCHER,
                reasons=tuple(voucher_rules.unusable(usability, now=now)),
                price=Price(list_price, list_price),
                remaining=0 if usability.is_used or voucher_rules.is_held(usability, now=now) else 1,
                expires_at=usability.expires_at,
            )
        case None:
            full_price = Price(list_price, Decimal(0))
            return Assessment(
                code=text, kind=None, reasons=(NOT_FOUND,), price=full_price, remaining=None, expires_at=None
            )
