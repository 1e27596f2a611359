"""The assessment of promo codes and vouchers before a sale: their value and every reason against their use."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from tessera.catalog import service as catalog
from tessera.codes.rules import ProductChoice, Reason, Use
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Invalid, Violation
from tessera.kit.normalization import key_of
from tessera.promo_codes.uses import rules as promo_code_rules
from tessera.promo_codes.uses.service import StorefrontPromoCode
from tessera.redemptions import combining, lookup, rules
from tessera.redemptions.lifecycle import Redemption
from tessera.redemptions.lookup import StorefrontCode
from tessera.redemptions.reservations import service as reservations
from tessera.redemptions.rules import Price
from tessera.vouchers.issued import rules as voucher_rules
from tessera.vouchers.issued.uses.service import StorefrontVoucher


class CodeKind(StrEnum):
    """The kind of a code."""

    PROMO_CODE = "PromoCode"
    VOUCHER = "Voucher"


@dataclass(frozen=True, slots=True)
class PartialCandidate:
    """The candidate of a validation; each field may be unknown."""

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
# The code would lose a use for nothing: it covers a bundle through free exams, or its percentage is less than a cent.
NO_DISCOUNT = Reason("NoDiscount", "code", "has no effect, because its discount on this product is 0")


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
    reservation_code: str | None = None,
    now: datetime,
) -> list[Assessment]:
    """The value of each code at `now`, in the order of `codes`.

    `reasons` has every rule that a code breaks; rules about candidates apply only with a candidate. A code that the
    reservation uses stays valid for it, and its other codes count against it. Raises Invalid for an unknown product.
    """
    sold_product = (await catalog.find_products(work, [product])).get(product)
    if sold_product is None:
        raise Invalid([product_not_found(product)])
    email, person_id = (candidate.email, candidate.person_id) if candidate else (None, None)
    use = Use(sold_product.store_exam_id, sold_product.product_bundle_id, candidate is not None, email, person_id)
    matches = await lookup.find_codes(work, [(code, use) for code in codes], now=now)
    status, live = await reservations.find_live(work, reservation_code, now=now) if reservation_code else (None, [])
    reasons = combining.reservation_reasons(status, live, sold_product, person_id)
    price = combining.list_price(live, sold_product)
    return [
        _assess_for_reservation(code, matches.get(position), reasons, list_price=price, live=live, now=now)
        for position, code in enumerate(codes)
    ]


def _assess_for_reservation(
    text: str,
    code: StorefrontCode | None,
    reasons: Sequence[Violation],
    *,
    list_price: Decimal,
    live: Sequence[Redemption],
    now: datetime,
) -> Assessment:
    own = next((each for each in live if code is not None and key_of(each.code) == key_of(name_of(code))), None)
    if code is not None and own is not None:
        code, live = _without_use(code, own), ()
    assessment = assess(text, code, list_price=list_price, now=now, live=() if reasons else live)
    if reasons:
        return replace(assessment, reasons=(*reasons, *assessment.reasons), price=Price(list_price, Decimal(0)))
    return assessment if own is None else _assess_own(assessment, own)


def _assess_own(assessment: Assessment, own: Redemption) -> Assessment:
    """The value of a code that the reservation uses: a hold can be confirmed whatever has become of its code."""
    until = assessment.expires_at
    if until is not None and own.held_until is not None:
        until = max(until, own.held_until)
    return replace(
        assessment,
        reasons=(),
        price=Price(own.list_price, own.discount, own.earlier_discounts),
        remaining=None if assessment.remaining is None else max(assessment.remaining, 1),
        expires_at=until,
    )


def _without_use(code: StorefrontCode, own: Redemption) -> StorefrontCode:
    """The code as it would be without this use of it."""
    if isinstance(code, StorefrontVoucher):
        return code._replace(usability=replace(code.usability, is_used=False, held_until=None))
    usability, (redeemed, held) = code.usability, rules.uses(own.status)
    # Only codes with a limit in total have counts.
    counted = usability.max_redemptions is not None
    usability = replace(
        usability,
        redemption_count=usability.redemption_count - redeemed * counted,
        held_count=usability.held_count - held * counted,
        organization_uses=usability.organization_uses - 1,
        candidate_uses=None if usability.candidate_uses is None else usability.candidate_uses - 1,
    )
    return code._replace(usability=usability)


def assess(
    text: str,
    code: StorefrontCode | None,
    *,
    list_price: Decimal,
    now: datetime,
    live: Sequence[Redemption] = (),
) -> Assessment:
    """The value of a code at `now`, in addition to the `live` redemptions of the same reservation.

    A code that cannot be used has no discount.
    """
    match code:
        case StorefrontPromoCode(usability=usability):
            name, kind, remaining = code.name, CodeKind.PROMO_CODE, promo_code_rules.remaining(usability)
            reasons = (
                *promo_code_rules.unusable(usability, now=now),
                *combining.not_combinable(code, live, list_price),
            )
        case StorefrontVoucher(usability=usability):
            name, kind, remaining = code.code, CodeKind.VOUCHER, voucher_rules.remaining(usability, now=now)
            reasons = (*voucher_rules.unusable(usability, now=now), *combining.not_combinable(code, live, list_price))
        case None:
            price = Price(list_price, Decimal(0))
            return Assessment(code=text, kind=None, reasons=(NOT_FOUND,), price=price, remaining=None, expires_at=None)
    price = Price(list_price, Decimal(0)) if reasons else _price(code, list_price, live)
    if not reasons and not price.discount:
        reasons = (NO_DISCOUNT,)
    return Assessment(
        code=name, kind=kind, reasons=reasons, price=price, remaining=remaining, expires_at=usability.expires_at
    )


def name_of(code: StorefrontCode) -> str:
    """The text of a code as it was created."""
    return code.name if isinstance(code, StorefrontPromoCode) else code.code


def _price(code: StorefrontCode, list_price: Decimal, live: Sequence[Redemption]) -> Price:
    if isinstance(code, StorefrontVoucher):
        return Price(list_price, list_price)
    return rules.price(
        list_price, code.discount, base=code.discount_base, earlier_discounts=combining.total_discount(live)
    )
