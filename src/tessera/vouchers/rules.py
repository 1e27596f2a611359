"""Words that partners, programs, purchases and vouchers share."""

from datetime import datetime
from enum import StrEnum

from tessera.audit.rules import Action
from tessera.kit.errors import WrongState


class Status(StrEnum):
    """Where a partner or a program is in its life; `Inactive` is neither active nor archived."""

    ACTIVE = "Active"
    INACTIVE = "Inactive"
    ARCHIVED = "Archived"


class UserStatus(StrEnum):
    """Where a partner's user is: asked, come, at work, or switched off."""

    INVITED = "Invited"
    ACCEPTED = "Accepted"
    ACTIVE = "Active"
    INACTIVE = "Inactive"


class PurchaseStatus(StrEnum):
    """Where a purchase is: from its checkout, or at once if it costs nothing, to its vouchers."""

    CHECKOUT_CANCELLED = "CheckoutCancelled"
    CHECKOUT_EXPIRED = "CheckoutExpired"
    CHECKOUT_FAILED = "CheckoutFailed"
    CHECKOUT_IN_PROGRESS = "CheckoutInProgress"
    COMPLETE = "Complete"
    VOUCHER_CREATION = "VoucherCreation"


class ReservationStatus(StrEnum):
    """Where a booking is."""

    CREATED = "Created"
    RESCHEDULED = "Rescheduled"
    COMPLETED = "Completed"
    NO_SHOW = "NoShow"
    CANCELLED = "Cancelled"


def check_standing(what: str, status: Status, *, wanted: Status | None = None) -> None:
    """Raise WrongState for what is archived, which is final, or has the wanted status already."""
    if status in (Status.ARCHIVED, wanted):
        raise WrongState(what, status)


def user_status(invitation: str | None, *, is_active: bool) -> UserStatus:
    """The status of a user: an invitation counts only as long as its user is not active."""
    if is_active:
        return UserStatus.ACTIVE
    return UserStatus(invitation) if invitation else UserStatus.INACTIVE


ACTIONS = {
    Status.ACTIVE: Action.ACTIVATED,
    Status.INACTIVE: Action.DEACTIVATED,
    Status.ARCHIVED: Action.ARCHIVED,
}


def status_at(status: str, checkout_expires_at: datetime | None, *, now: datetime) -> PurchaseStatus:
    """The status that counts at `now`: a checkout past its deadline has expired, whether or not it is written down."""
    known = PurchaseStatus(status)
    if known is PurchaseStatus.CHECKOUT_IN_PROGRESS and checkout_expires_at is not None and checkout_expires_at <= now:
        return PurchaseStatus.CHECKOUT_EXPIRED
    return known
