"""The rules of voucher actions: which are allowed, and the new state of the voucher."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from tessera.identity.rules import is_email_address
from tessera.kit.errors import Violation
from tessera.kit.normalization import stored_email
from tessera.vouchers import codes

MAX_VOUCHERS = 1000


class VoucherAction(StrEnum):
    """An action on a voucher."""

    ASSIGN = "Assign"
    UNASSIGN = "Unassign"
    SWITCH_ON = "SwitchOn"
    SWITCH_OFF = "SwitchOff"
    CHANGE_EXPIRY = "ChangeExpiry"
    ARCHIVE = "Archive"


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherCommand:
    """An action on one voucher, with the recipient of an assignment or the time of a new expiry."""

    action: VoucherAction
    recipient_email: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherRef:
    """A voucher in a bulk request, by its id or its code, and the recipient of an assignment."""

    id: UUID | None = None
    code: str | None = None
    recipient_email: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkDraft:
    """An action on many vouchers; a field that could not be parsed is None and listed in `parse_violations`."""

    action: VoucherAction | None = None
    recipient_email: str | None = None
    expires_at: datetime | None = None
    vouchers: Sequence[VoucherRef] | None = None
    parse_violations: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherState:
    """The columns of a voucher that actions change or depend on."""

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

    @property
    def masked(self) -> "VoucherState":
        """The state with the code masked."""
        return replace(self, code=codes.mask(self.code))


class AssignedVoucher(NamedTuple):
    """A line of the export of a purchase: a voucher and its recipient."""

    recipient_email: str
    code: str
    assigned_at: datetime
    expires_at: datetime
    is_active: bool
    is_archived: bool
    used_at: datetime | None


def command_violations(command: VoucherCommand, *, now: datetime) -> Iterator[Violation]:
    """The violations of a command that need no query."""
    if command.recipient_email is not None and not is_email_address(command.recipient_email):
        yield Violation("NotEmail", "recipient_email", "must be a valid e-mail address")
    if command.action is VoucherAction.CHANGE_EXPIRY and command.expires_at is not None and command.expires_at <= now:
        yield Violation("ExpiryInPast", "expires_at", "must not be in the past")


def bulk_violations(draft: BulkDraft, *, now: datetime) -> Iterator[Violation]:
    """The violations of a bulk request that need no query."""
    yield from draft.parse_violations
    unparsed_fields = {violation.field.partition("/")[0] for violation in draft.parse_violations}
    if draft.action is VoucherAction.CHANGE_EXPIRY and draft.expires_at is None and "expires_at" not in unparsed_fields:
        yield Violation("Required", "expires_at", "is required to change the expiry")
    if draft.action is not None:
        command = VoucherCommand(
            action=draft.action, recipient_email=draft.recipient_email, expires_at=draft.expires_at
        )
        yield from command_violations(command, now=now)
    if draft.vouchers is None:
        return
    if not 1 <= len(draft.vouchers) <= MAX_VOUCHERS:
        yield Violation("NumberOfVouchers", "vouchers", f"must be a list of 1 to {MAX_VOUCHERS:,} vouchers")
        return
    needs_recipient = (
        draft.action is VoucherAction.ASSIGN
        and draft.recipient_email is None
        and "recipient_email" not in unparsed_fields
    )
    for number, ref in enumerate(draft.vouchers):
        if (ref.id is None) == (ref.code is None):
            yield Violation("OneName", f"vouchers/{number}", "must have either an id or a code")
        if needs_recipient and ref.recipient_email is None:
            yield Violation("Required", f"vouchers/{number}/recipientEmail", "is required to assign it")


def refusal(voucher: VoucherState, command: VoucherCommand, *, now: datetime) -> Violation | None:
    """The reason why this voucher does not allow the command, or None; the code of the violation is its state."""
    if voucher.is_archived:
        return Violation("Archived", "voucher", "is archived")
    if command.action in (VoucherAction.ASSIGN, VoucherAction.UNASSIGN):
        # The use or the hold has checked the recipient, who must not change afterwards.
        if voucher.is_used:
            return Violation("Used", "voucher", "has been used")
        if voucher.held_until is not None and now < voucher.held_until:
            return Violation("Held", "voucher", "is held for a reservation")
    if command.action is VoucherAction.ASSIGN and now >= voucher.expires_at:
        return Violation("Expired", "voucher", "has expired")
    return None


def apply(voucher: VoucherState, command: VoucherCommand, *, now: datetime) -> VoucherState:
    """The state of the voucher after the command."""
    return replace(voucher, version=voucher.version + 1, **_changed_fields(voucher, command, now=now))


def _changed_fields(voucher: VoucherState, command: VoucherCommand, *, now: datetime) -> dict[str, Any]:
    match command.action:
        case VoucherAction.ASSIGN:
            return {"recipient_email": stored_email(command.recipient_email or ""), "assigned_at": now}
        case VoucherAction.UNASSIGN:
            return {"recipient_email": None, "assigned_at": None}
        case VoucherAction.SWITCH_ON | VoucherAction.SWITCH_OFF:
            return {"is_active": command.action is VoucherAction.SWITCH_ON}
        case VoucherAction.CHANGE_EXPIRY:
            return {"expires_at": command.expires_at or voucher.expires_at}
        case VoucherAction.ARCHIVE:
            return {"is_archived": True}
