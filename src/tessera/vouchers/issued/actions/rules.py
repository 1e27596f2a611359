"""The rules of changing a voucher: what may be done to it, and what it becomes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tessera.identity.rules import is_email_address
from tessera.kit.errors import Violation

MAX_VOUCHERS = 1000


class VoucherAction(StrEnum):
    """What can be done to a voucher."""

    ASSIGN = "Assign"
    UNASSIGN = "Unassign"
    SWITCH_ON = "SwitchOn"
    SWITCH_OFF = "SwitchOff"
    CHANGE_EXPIRY = "ChangeExpiry"
    ARCHIVE = "Archive"


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherCommand:
    """What is asked for one voucher; a recipient where it is assigned, a time where its expiry changes."""

    deed: VoucherAction
    recipient_email: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherRef:
    """One of many vouchers, by its id or its code, and whom it is for if that is asked."""

    id: UUID | None = None
    code: str | None = None
    recipient_email: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkDraft:
    """One deed for many vouchers; `parse_violations` is what its reader could not read, which is None here."""

    deed: VoucherAction | None = None
    recipient_email: str | None = None
    expires_at: datetime | None = None
    vouchers: Sequence[VoucherRef] | None = None
    parse_violations: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherState:
    """All of a voucher that can be changed, and what decides whether it may be."""

    id: UUID
    partner_id: UUID
    code: str
    is_active: bool
    is_archived: bool
    is_used: bool
    held_until: datetime | None
    expires_at: datetime
    assigned_at: datetime | None
    recipient_email: str | None
    version: int


def wish_violations(wish: VoucherCommand, *, now: datetime) -> Iterator[Violation]:
    """Everything that is wrong with a wish by itself."""
    if wish.recipient_email is not None and not is_email_address(wish.recipient_email):
        yield Violation("NotEmail", "recipient_email", "must be a valid e-mail address")
    if wish.deed is VoucherAction.CHANGE_EXPIRY and wish.expires_at is not None and wish.expires_at <= now:
        yield Violation("ExpiryInPast", "expires_at", "must not be in the past")


def bulk_violations(draft: BulkDraft, *, now: datetime) -> Iterator[Violation]:
    """Everything that is wrong with a deed for many vouchers by itself."""
    yield from draft.parse_violations
    unreadable = {violation.field.partition("/")[0] for violation in draft.parse_violations}
    if draft.deed is VoucherAction.CHANGE_EXPIRY and draft.expires_at is None and "expires_at" not in unreadable:
        yield Violation("Required", "expires_at", "is required to change the expiry")
    if draft.deed is not None:
        for_all = VoucherCommand(deed=draft.deed, recipient_email=draft.recipient_email, expires_at=draft.expires_at)
        yield from wish_violations(for_all, now=now)
    if draft.vouchers is None:
        return
    if not 1 <= len(draft.vouchers) <= MAX_VOUCHERS:
        yield Violation("NumberOfVouchers", "vouchers", f"must be a list of 1 to {MAX_VOUCHERS:,} vouchers")
        return
    needs_recipient = (
        draft.deed is VoucherAction.ASSIGN and draft.recipient_email is None and "recipient_email" not in unreadable
    )
    for number, choice in enumerate(draft.vouchers):
        if (choice.id is None) == (choice.code is None):
            yield Violation("OneName", f"vouchers/{number}", "must have either an id or a code")
        if needs_recipient and choice.recipient_email is None:
            yield Violation("Required", f"vouchers/{number}/recipientEmail", "is required to assign it")


def refusal(voucher: VoucherState, wish: VoucherCommand, *, now: datetime) -> Violation | None:
    """Why this cannot be done to this voucher; the code names the state that stands in the way."""
    if voucher.is_archived:
        return Violation("Archived", "voucher", "is archived")
    if wish.deed in (VoucherAction.ASSIGN, VoucherAction.UNASSIGN):
        # Whom it is for was asked when it was used or held, and a hold is kept whatever becomes of the voucher.
        if voucher.is_used:
            return Violation("Used", "voucher", "has been used")
        if voucher.held_until is not None and now < voucher.held_until:
            return Violation("Held", "voucher", "is held for a reservation")
    if wish.deed is VoucherAction.ASSIGN and now >= voucher.expires_at:
        return Violation("Expired", "voucher", "has expired")
    return None


def changed(voucher: VoucherState, wish: VoucherCommand, *, now: datetime) -> VoucherState:
    """What the voucher becomes."""
    after = replace(voucher, version=voucher.version + 1)
    match wish.deed:
        case VoucherAction.ASSIGN:
            return replace(after, recipient_email=wish.recipient_email, assigned_at=now)
        case VoucherAction.UNASSIGN:
            return replace(after, recipient_email=None, assigned_at=None)
        case VoucherAction.SWITCH_ON | VoucherAction.SWITCH_OFF:
            return replace(after, is_active=wish.deed is VoucherAction.SWITCH_ON)
        case VoucherAction.CHANGE_EXPIRY:
            return replace(after, expires_at=wish.expires_at or voucher.expires_at)
        case VoucherAction.ARCHIVE:
            return replace(after, is_archived=True)
