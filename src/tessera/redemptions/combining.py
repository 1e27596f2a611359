"""The rules of one reservation: one candidate, one product, and one code unless all its codes are combinable."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from tessera.catalog.service import Product
from tessera.codes.rules import Reason
from tessera.kit.errors import Violation
from tessera.promo_codes.uses.service import StorefrontPromoCode
from tessera.redemptions.lifecycle import Redemption
from tessera.redemptions.lookup import StorefrontCode
from tessera.redemptions.rules import ENDED_RESERVATIONS
from tessera.vouchers.rules import ReservationStatus

DIFFERS = Reason("ReservationDiffers", "reservation_code", "is for another candidate or product")


def differs(redemption: Redemption, product: Product, person_id: str | None) -> bool:
    """Whether a redemption is for another product, or for another candidate if `person_id` is known."""
    return (redemption.store_exam_id, redemption.product_bundle_id) != (
        product.store_exam_id,
        product.product_bundle_id,
    ) or person_id not in (None, redemption.person_id)


def reservation_reasons(
    status: ReservationStatus | None, live: Sequence[Redemption], product: Product, person_id: str | None
) -> list[Violation]:
    """The reasons why a reservation with these live redemptions accepts no code; the status of a new one is None."""
    if status in ENDED_RESERVATIONS:
        return [Reason("ReservationEnded", "reservation_code", f"is {status}")]
    return [DIFFERS] if any(differs(each, product, person_id) for each in live) else []


def total_discount(live: Sequence[Redemption]) -> Decimal:
    """The sum of the discounts of the live redemptions of a reservation."""
    return sum((each.discount for each in live), Decimal(0))


def list_price(live: Sequence[Redemption], product: Product) -> Decimal:
    """The list price of a reservation, which stays the same while any of its redemptions is live."""
    return live[0].list_price if live else product.price


def not_combinable(code: StorefrontCode, live: Sequence[Redemption], price: Decimal) -> Iterator[Violation]:
    """The reason that prevents the use of a code in addition to these redemptions of a reservation at this price."""
    if live and not _are_combinable(code, live):
        yield Reason("NotCombinable", "code", "cannot be combined with the other codes of the reservation")
    elif total_discount(live) >= price:
        yield Reason("NothingLeftToPay", "code", "has no effect, because nothing is left to pay")


def _are_combinable(code: StorefrontCode, live: Sequence[Redemption]) -> bool:
    return isinstance(code, StorefrontPromoCode) and code.is_combinable and all(each.is_combinable for each in live)
