"""Words that partners, programs, purchases and vouchers share."""

from enum import StrEnum


class Status(StrEnum):
    """Where a partner or a program is in its life; `Inactive` is neither active nor archived."""

    ACTIVE = "Active"
    INACTIVE = "Inactive"
    ARCHIVED = "Archived"


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
