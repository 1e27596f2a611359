"""The rules of vouchers from elsewhere: which lines of a file are valid, and defaults of missing values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from tessera.identity.rules import is_email_address
from tessera.kit.control_characters import has_controls
from tessera.kit.errors import Violation
from tessera.record_metadata import rules as metadata_rules
from tessera.vouchers.codes import MASK, stored_code
from tessera.vouchers.rules import ReservationStatus

MAX_CODE_LENGTH = 64
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_TEXTS = {
    "reservation_code": 100,
    "used_by_person_id": 200,
    "used_by_client_candidate_id": 200,
    "used_by_first_name": 200,
    "used_by_last_name": 200,
}
_OF_USE = ("used_at", "used_by_person_id", "used_by_client_candidate_id", "used_by_first_name", "used_by_last_name")


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherDraft:
    """A voucher of a file; a field that could not be parsed is None and listed in `parse_violations`."""

    code: str | None = None
    is_active: bool | None = True
    is_used: bool | None = None
    expires_at: datetime | None = None
    recipient_email: str | None = None
    assigned_at: datetime | None = None
    reservation_code: str | None = None
    reservation_status: ReservationStatus | None = None
    store_exam_code: str | None = None
    used_at: datetime | None = None
    used_by_person_id: str | None = None
    used_by_client_candidate_id: str | None = None
    used_by_first_name: str | None = None
    used_by_last_name: str | None = None
    metadata: Mapping[str, str] | None = None
    parse_violations: tuple[Violation, ...] = ()

    @property
    def was_used(self) -> bool:
        """Whether the voucher was used: the file says so, or when."""
        return bool(self.is_used) or (self.is_used is None and self.used_at is not None)

    @property
    def stored_code(self) -> str:
        """The code as it is stored."""
        return stored_code(self.code or "")

    @property
    def reservation(self) -> str:
        """The code of the reservation of a used voucher, made from that of the voucher if the file has none."""
        return self.reservation_code or f"IMPORTED-{self.stored_code}"

    @property
    def status_of_reservation(self) -> ReservationStatus | None:
        """The status of the reservation; by default, that of a used voucher is `Created`, and can be cancelled."""
        return self.reservation_status or (ReservationStatus.CREATED if self.was_used else None)


def violations(draft: VoucherDraft, *, now: datetime) -> Iterator[Violation]:
    """The violations of a draft that need no query."""
    yield from draft.parse_violations
    yield from _code(draft)
    yield from _texts(draft)
    yield from metadata_rules.violations(draft.metadata)
    for field in ("assigned_at", "used_at"):
        time: datetime | None = getattr(draft, field)
        if time is not None and not EARLIEST <= time <= now:
            yield Violation("TimeRange", field, f"must be from {EARLIEST:%Y-%m-%d} to now")
    if draft.assigned_at is not None and draft.recipient_email is None:
        yield Violation("Required", "recipient_email", "is required for a time of assignment")
    if draft.was_used:
        if draft.reservation_status is ReservationStatus.CANCELLED:
            message = "must not be Cancelled for a used voucher, because a cancellation gives the voucher back"
            yield Violation("UsedAndCancelled", "reservation_status", message)
    elif not draft.parse_violations:
        yield from _unused(draft)


def _code(draft: VoucherDraft) -> Iterator[Violation]:
    if draft.code is None:
        return
    if not 1 <= len(draft.code) <= MAX_CODE_LENGTH:
        yield Violation("CodeLength", "code", f"must have 1 to {MAX_CODE_LENGTH} characters")
    if MASK in draft.code:
        yield Violation("Masked", "code", f"must not contain {MASK}, which stands for the hidden part of a code")
    if has_controls(draft.code):
        yield Violation("ControlCharacters", "code", "must not contain control characters")


def _texts(draft: VoucherDraft) -> Iterator[Violation]:
    for field, length in _TEXTS.items():
        text: str | None = getattr(draft, field)
        if text is not None and len(text) > length:
            yield Violation("TooLong", field, f"must have at most {length} characters")
    if draft.recipient_email is not None and not is_email_address(draft.recipient_email):
        yield Violation("NotEmail", "recipient_email", "must be a valid e-mail address")


def _unused(draft: VoucherDraft) -> Iterator[Violation]:
    for field in _OF_USE:
        if getattr(draft, field) is not None:
            yield Violation("NotUsed", field, "must be empty for a voucher that is not used")
    # Only a cancelled reservation leaves its voucher unused.
    has_status = draft.reservation_status is not None
    if has_status and draft.reservation_status is not ReservationStatus.CANCELLED:
        yield Violation("NotUsed", "reservation_status", "must be Cancelled for a voucher that is not used")
    if has_status != (draft.reservation_code is not None):
        missing, present = ("reservation_code", "status") if has_status else ("reservation_status", "code")
        yield Violation("Required", missing, f"is required beside the {present} of a reservation")
