"""The rules of changing a voucher: what may be done to it, and what it becomes."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tessera.kit.errors import Violation

MAX_VOUCHERS = 1000


class Deed(StrEnum):
    """What can be done to a voucher."""

    ASSIGN = "Assign"
    UNASSIGN = "Unassign"
    SWITCH_ON = "SwitchOn"
    SWITCH_OFF = "SwitchOff"
    CHANGE_EXPIRY = "ChangeExpiry"
    ARCHIVE = "Archive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for one voucher; a recipient where it is assigned, a time where its expiry changes."""

    deed: Deed
    recipient_email: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherState:
    """All of a voucher that can be changed, and what decides whether it may be."""

    id: UUID
    code: str
    is_active: bool
    is_archived: bool
    is_used: bool
    expires_at: datetime
    assigned_at: datetime | None
    recipient_email: str | None
    version: int


def refusal(voucher: VoucherState, wish: Wish, *, now: datetime) -> Violation | None:
    """Why this cannot be done to this voucher; the code names the state that stands in the way."""
    if voucher.is_archived:
        return Violation("Archived", "voucher", "is archived")
    if voucher.is_used and wish.deed in (Deed.ASSIGN, Deed.UNASSIGN):
        return Violation("Used", "voucher", "has been used")
    if wish.deed is Deed.ASSIGN and now >= voucher.expires_at:
        return Violation("Expired", "voucher", "has expired")
    return None


def changed(voucher: VoucherState, wish: Wish, *, now: datetime) -> VoucherState:
    """What the voucher becomes."""
    after = replace(voucher, version=voucher.version + 1)
    match wish.deed:
        case Deed.ASSIGN:
            return replace(after, recipient_email=wish.recipient_email, assigned_at=now)
        case Deed.UNASSIGN:
            return replace(after, recipient_email=None, assigned_at=None)
        case Deed.SWITCH_ON | Deed.SWITCH_OFF:
            return replace(after, is_active=wish.deed is Deed.SWITCH_ON)
        case Deed.CHANGE_EXPIRY:
            return replace(after, expires_at=wish.expires_at or voucher.expires_at)
        case Deed.ARCHIVE:
            return replace(after, is_archived=True)
