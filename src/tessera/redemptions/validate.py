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
from tessera.promo_codes.uses.service import FoundPromoCode
from tessera.redemptions import rules
from tessera.redemptions.rules import Price
from tessera.vouchers.issued import rules as voucher_rules
from tessera.vouchers.issued.uses import service as vouchers
from tessera.vouchers.issued.uses.service import FoundVoucher


class CodeKind(StrEnum):
    """The kind of a code."""

    PROMO_CODE = "PromoCode"
    VOUCHER = "Voucher"


@dataclass(frozen=True, slots=True)
class AskedCandidate:
    """The candidate of a validation; a rule about a field that is None counts as broken or is skipped."""

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
class Refused:
    """A malformed request, and the product that it names, if it names exactly one."""

    violations: Sequence[Violation]
    product: ProductChoice | None


async def refuse_all(work: UnitOfWork, requests: Sequence[Refused]) -> list[Invalid]:
    """The violations of each request, including that of a product that is not on sale."""
    named = {request.product for request in requests if request.product is not None}
    unknown = named - (await catalog.find_products(work, named)).keys()
    missing: dict[ProductChoice | None, list[Violation]] = {choice: [product_not_found(choice)] for choice in unknown}
    return [Invalid([*request.violations, *missing.get(request.product, [])]) for request in requests]


def product_not_found(choice: ProductChoice) -> Violation:
    """The violation of a product that is not on sale."""
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
    """The value of each code at `now`, in the order of `codes`.

    `reasons` name every rule that a code breaks; without a candidate, rules about candidates are skipped. A promo code
    takes precedence over a voucher of the same text. Raises Invalid for an unknown product.
    """
    on_sale = (await catalog.find_products(work, [product])).get(product)
    if on_sale is None:
        raise Invalid([product_not_found(product)])
    email, person_id = (candidate.email, candidate.person_id) if candidate else (None, None)
    use = Use(on_sale.store_exam_id, on_sale.product_bundle_id, candidate is not None, email, person_id)
    matches = await find_codes(work, [(code, use) for code in codes], now=now)
    return [assess(code, matches.get(position), listed=on_sale.price, now=now) for position, code in enumerate(codes)]


async def find_codes(
    work: UnitOfWork, uses: Sequence[tuple[str, Use]], *, now: datetime
) -> dict[int, FoundPromoCode | FoundVoucher]:
    """The codes for these uses, by position; a promo code takes precedence over a voucher of the same text."""
    matches: dict[int, FoundPromoCode | FoundVoucher] = {}
    matches |= await promo_codes.find_for_storefront(work, uses, as_of=now)
    others = [position for position in range(len(uses)) if position not in matches]
    if others:
        paid = await vouchers.find_for_storefront(work, [uses[position] for position in others])
        matches |= {others[number]: voucher for number, voucher in paid.items()}
    return matches


def assess(text: str, code: FoundPromoCode | FoundVoucher | None, *, listed: Decimal, now: datetime) -> Assessment:
    """The value of a code at `now`."""
    match code:
        case FoundPromoCode(usability=usability):
            return Assessment(
                code=code.name,
                kind=CodeKind.PROMO_CODE,
                reasons=tuple(promo_code_rules.unusable(usability, now=now)),
                price=rules.price(listed, code.discount),
                remaining=promo_code_rules.remaining(usability),
                expires_at=usability.expires_at,
            )
        case FoundVoucher(usability=paid):
            return Assessment(
                code=code.code,
                kind=CodeKind.VOUCHER,
                reasons=tuple(voucher_rules.unusable(paid, now=now)),
                price=Price(listed, listed),
                remaining=0 if paid.is_used or voucher_rules.is_held(paid, now=now) else 1,
                expires_at=paid.expires_at,
            )
        case None:
            nothing_off = Price(listed, Decimal(0))
            return Assessment(
                code=text, kind=None, reasons=(NOT_FOUND,), price=nothing_off, remaining=None, expires_at=None
            )
