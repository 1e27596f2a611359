"""What a code is worth, and the life of redemptions and reservations."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from tessera.promo_codes.rules import Discount
from tessera.vouchers.rules import ReservationStatus

CENT = Decimal("0.01")
MAX_HOLD_SECONDS = 7 * 24 * 60 * 60


class RedemptionStatus(StrEnum):
    """Where a redemption is: held or redeemed, which counts as a use, or given back."""

    HELD = "Held"
    REDEEMED = "Redeemed"
    RELEASED = "Released"
    EXPIRED = "Expired"
    CANCELLED = "Cancelled"


LIVE = (RedemptionStatus.HELD, RedemptionStatus.REDEEMED)
# What each status can come from; a redemption begins as held or redeemed.
BEFORE = {
    RedemptionStatus.REDEEMED: RedemptionStatus.HELD,
    RedemptionStatus.RELEASED: RedemptionStatus.HELD,
    RedemptionStatus.CANCELLED: RedemptionStatus.REDEEMED,
}
# What gives a use back.
GIVEN_BACK = {
    RedemptionStatus.HELD: RedemptionStatus.RELEASED,
    RedemptionStatus.REDEEMED: RedemptionStatus.CANCELLED,
}
ENDED_RESERVATIONS = (ReservationStatus.COMPLETED, ReservationStatus.NO_SHOW, ReservationStatus.CANCELLED)


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A stored count or status that disagrees with the ledger."""

    kind: str
    name: str
    shown: str
    counted: str


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


def status_at(status: RedemptionStatus, held_until: datetime | None, *, now: datetime) -> RedemptionStatus:
    """The status at `now`: a hold counts no more from its deadline on, whether or not that was written down."""
    lapsed = status is RedemptionStatus.HELD and held_until is not None and now >= held_until
    return RedemptionStatus.EXPIRED if lapsed else status


def uses(status: RedemptionStatus | None) -> tuple[int, int]:
    """What a redemption in this status, or before it exists, adds to the redeemed and to the held uses of its code."""
    return int(status is RedemptionStatus.REDEEMED), int(status is RedemptionStatus.HELD)


def can_become(current: ReservationStatus, wanted: ReservationStatus) -> bool:
    """Whether a reservation may go on to this status; what has ended may only be told once more."""
    return current == wanted or current not in ENDED_RESERVATIONS
