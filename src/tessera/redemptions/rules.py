"""Prices, and the statuses of redemptions and reservations."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from tessera.promo_codes.rules import Discount
from tessera.vouchers.rules import ReservationStatus

CENT = Decimal("0.01")
MAX_HOLD_SECONDS = 7 * 24 * 60 * 60


class RedemptionStatus(StrEnum):
    """The status of a redemption; `Held` and `Redeemed` ones count as uses of their code."""

    HELD = "Held"
    REDEEMED = "Redeemed"
    RELEASED = "Released"
    EXPIRED = "Expired"
    CANCELLED = "Cancelled"


LIVE = (RedemptionStatus.HELD, RedemptionStatus.REDEEMED)
# The only status that can precede each status; a new redemption is held or redeemed.
BEFORE = {
    RedemptionStatus.REDEEMED: RedemptionStatus.HELD,
    RedemptionStatus.RELEASED: RedemptionStatus.HELD,
    RedemptionStatus.CANCELLED: RedemptionStatus.REDEEMED,
}
# The status that ends each use.
ENDS = {
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
    """The list price and the discount of a product, in dollars and cents."""

    listed: Decimal
    discount: Decimal

    @property
    def final(self) -> Decimal:
        """The amount to pay, never below zero."""
        return self.listed - self.discount


def price(listed: Decimal, discount: Discount) -> Price:
    """The price after a promo code's discount, which is rounded half up and never exceeds the list price."""
    if discount.percent is not None:
        off = (listed * discount.percent / 100).quantize(CENT, rounding=ROUND_HALF_UP)
    else:
        off = min(discount.flat or Decimal(0), listed)
    return Price(listed, off)


def status_at(status: RedemptionStatus, held_until: datetime | None, *, now: datetime) -> RedemptionStatus:
    """The status at `now`: a hold past its deadline has expired even if the stored status does not say so yet."""
    lapsed = status is RedemptionStatus.HELD and held_until is not None and now >= held_until
    return RedemptionStatus.EXPIRED if lapsed else status


def uses(status: RedemptionStatus | None) -> tuple[int, int]:
    """The redeemed and held uses that a redemption of this status counts for; None is before its creation."""
    return int(status is RedemptionStatus.REDEEMED), int(status is RedemptionStatus.HELD)


def can_become(current: ReservationStatus, new: ReservationStatus) -> bool:
    """Whether a reservation can get this status; one that has ended can only get its own status again."""
    return current == new or current not in ENDED_RESERVATIONS
