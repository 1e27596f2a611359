"""Prices, and the statuses of redemptions and reservations."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from uuid import UUID

from tessera.identity.rules import PLATFORM_ID, FunctionPoint, Principal
from tessera.kit.errors import NotAllowed, Violation
from tessera.promo_codes.rules import Discount
from tessera.vouchers.rules import ReservationStatus

CENT = Decimal("0.01")
MAX_HOLD_SECONDS = 7 * 24 * 60 * 60
# A hold of a global code takes a use from all organizations.
MAX_GLOBAL_HOLD = timedelta(hours=1)


class RedemptionStatus(StrEnum):
    """The status of a redemption; `Held` and `Redeemed` ones count as uses of their code."""

    HELD = "Held"
    REDEEMED = "Redeemed"
    RELEASED = "Released"
    EXPIRED = "Expired"
    CANCELLED = "Cancelled"


class MadeByOthers(NotAllowed):
    """The caller may act on their own redemptions only."""

    def __init__(self) -> None:
        super().__init__(
            "The reservation has redemptions of another credential, so changing it requires the function point"
            f" {FunctionPoint.STOREFRONT_SUPPORT}."
        )


def visible_family(caller: Principal | None) -> UUID | None:
    """The family of credentials whose redemptions the caller may see; None if it may see all of the organization.

    The caller is None for the command line, jobs and exports, which may see all.
    """
    if caller is None or FunctionPoint.STOREFRONT_SUPPORT in caller.function_points:
        return None
    return caller.family_id


def id_of(caller: Principal | None) -> UUID | None:
    """The id of the caller in the ledger."""
    return None if caller is None else caller.id


def may_see(caller: Principal | None, made_by: UUID | None) -> bool:
    """Whether the caller may see and change a redemption that this family of credentials has made."""
    return visible_family(caller) in (None, made_by)


def too_long_hold(hold: timedelta | None, *, code_owner_id: UUID | None) -> list[Violation]:
    """A violation if the hold is too long for a global code; `code_owner_id` is None for a voucher."""
    if hold is None or code_owner_id != PLATFORM_ID or hold <= MAX_GLOBAL_HOLD:
        return []
    seconds = int(MAX_GLOBAL_HOLD.total_seconds())
    return [Violation("GlobalHoldRange", "hold_seconds", f"must be at most {seconds:,} for a global code")]


LIVE = (RedemptionStatus.HELD, RedemptionStatus.REDEEMED)
# The only status that can precede each status; a new redemption is held or redeemed.
PREVIOUS_STATUS = {
    RedemptionStatus.REDEEMED: RedemptionStatus.HELD,
    RedemptionStatus.RELEASED: RedemptionStatus.HELD,
    RedemptionStatus.CANCELLED: RedemptionStatus.REDEEMED,
}
# The status of a live redemption after its use has ended.
END_STATUS = {
    RedemptionStatus.HELD: RedemptionStatus.RELEASED,
    RedemptionStatus.REDEEMED: RedemptionStatus.CANCELLED,
}
ENDED_RESERVATIONS = (ReservationStatus.COMPLETED, ReservationStatus.NO_SHOW, ReservationStatus.CANCELLED)


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A stored count or status that disagrees with the ledger."""

    kind: str
    name: str
    stored: str
    recounted: str


@dataclass(frozen=True, slots=True)
class Price:
    """The list price of a product, the discount of a code, and those of the reservation's earlier codes, in dollars."""

    list_price: Decimal
    discount: Decimal
    earlier_discounts: Decimal = Decimal(0)

    @property
    def final(self) -> Decimal:
        """The amount to pay, never below zero."""
        return self.list_price - self.earlier_discounts - self.discount


def price(
    list_price: Decimal, discount: Discount, *, base: Decimal | None = None, earlier_discounts: Decimal = Decimal(0)
) -> Price:
    """The price after a promo code's discount, which is rounded half up and never exceeds what is left to pay.

    The discount applies to what earlier discounts have left, or to the `base` if that is smaller.
    """
    left = list_price - earlier_discounts
    amount = left if base is None else min(left, base)
    if discount.percent is not None:
        amount = (amount * discount.percent / 100).quantize(CENT, rounding=ROUND_HALF_UP)
    else:
        amount = min(discount.flat or Decimal(0), amount)
    return Price(list_price, amount, earlier_discounts)


def status_at(status: RedemptionStatus, held_until: datetime | None, *, now: datetime) -> RedemptionStatus:
    """The status at `now`: a hold past its deadline has expired, whatever its stored status."""
    has_lapsed = status is RedemptionStatus.HELD and held_until is not None and now >= held_until
    return RedemptionStatus.EXPIRED if has_lapsed else status


def uses(status: RedemptionStatus | None) -> tuple[int, int]:
    """The numbers of redeemed and of held uses for which a redemption of this status counts; None counts for none."""
    return int(status is RedemptionStatus.REDEEMED), int(status is RedemptionStatus.HELD)


def can_become(current: ReservationStatus, new: ReservationStatus) -> bool:
    """Whether a reservation can get this status; an ended reservation can only get its current status again."""
    return current == new or current not in ENDED_RESERVATIONS
