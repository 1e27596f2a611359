"""What a code is worth."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from tessera.promo_codes.rules import Discount

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Price:
    """What a product costs, in dollars and cents: listed, taken off, and left to pay."""

    listed: Decimal
    discount: Decimal

    @property
    def final(self) -> Decimal:
        """What is left to pay, never below zero."""
        return self.listed - self.discount


def price(listed: Decimal, discount: Discount) -> Price:
    """The price with a promo code's discount: a percentage is rounded half up, and nothing exceeds the price."""
    if discount.percent is not None:
        off = (listed * discount.percent / 100).quantize(CENT, rounding=ROUND_HALF_UP)
    else:
        off = min(discount.flat or Decimal(0), listed)
    return Price(listed, off)
