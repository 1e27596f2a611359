"""Statuses that partners, programs, purchases and vouchers share."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from tessera.audit.rules import Action
from tessera.kit.editing import Move
from tessera.kit.errors import Violation, WrongState


class Status(StrEnum):
    """The status of a partner or a program; `Archived` is final."""

    ACTIVE = "Active"
    INACTIVE = "Inactive"
    ARCHIVED = "Archived"


class UserStatus(StrEnum):
    """The status of a partner's user, who can call the API only while active."""

    INVITED = "Invited"
    ACCEPTED = "Accepted"
    ACTIVE = "Active"
    INACTIVE = "Inactive"


class PurchaseStatus(StrEnum):
    """The status of a purchase, which goes through checkout (unless it is free) and voucher creation to complete."""

    CHECKOUT_CANCELLED = "CheckoutCancelled"
    CHECKOUT_EXPIRED = "CheckoutExpired"
    CHECKOUT_FAILED = "CheckoutFailed"
    CHECKOUT_IN_PROGRESS = "CheckoutInProgress"
    COMPLETE = "Complete"
    VOUCHER_CREATION = "VoucherCreation"


class ReservationStatus(StrEnum):
    """The status of an exam reservation."""

    CREATED = "Created"
    RESCHEDULED = "Rescheduled"
    COMPLETED = "Completed"
    NO_SHOW = "NoShow"
    CANCELLED = "Cancelled"


MOVES: Mapping[str, Move] = {
    Status.ACTIVE: Move({Status.INACTIVE}, Action.ACTIVATED),
    Status.INACTIVE: Move({Status.ACTIVE}, Action.DEACTIVATED),
    Status.ARCHIVED: Move({Status.ACTIVE, Status.INACTIVE}, Action.ARCHIVED),
}


def ensure_not_archived(noun: str, status: Status) -> None:
    """Raise WrongState for an archived record, because it cannot be edited."""
    if status is Status.ARCHIVED:
        raise WrongState(noun, status)


def name_taken(name: str) -> Violation:
    """The violation of a name that another record has."""
    return Violation("NameTaken", "name", f"must be unique, and '{name[:60]}' is taken")


def user_status(invitation: str | None, *, is_active: bool) -> UserStatus:
    """The status of a partner's user; an invitation is ignored once the user is active."""
    if is_active:
        return UserStatus.ACTIVE
    return UserStatus(invitation) if invitation else UserStatus.INACTIVE


def status_at(status: str, checkout_expires_at: datetime | None, *, now: datetime) -> PurchaseStatus:
    """The status at `now`: a checkout past its deadline has expired, whatever its stored status."""
    stored = PurchaseStatus(status)
    if stored is PurchaseStatus.CHECKOUT_IN_PROGRESS and checkout_expires_at is not None and checkout_expires_at <= now:
        return PurchaseStatus.CHECKOUT_EXPIRED
    return stored
