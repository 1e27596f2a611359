"""Voucher purchases and their documented rules."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from tessera.kit.editing import Move
from tessera.kit.errors import Violation
from tessera.record_metadata.rules import KeyAndText
from tessera.vouchers.rules import PurchaseStatus, Status

MAX_QUANTITY = 1000
# The document of the API names no limit. A list shows the notes of up to 1,000 purchases whole.
MAX_NOTES = 20_000

_IN_CHECKOUT = {PurchaseStatus.CHECKOUT_IN_PROGRESS}
MOVES: Mapping[str, Move] = {
    PurchaseStatus.CHECKOUT_CANCELLED: Move(_IN_CHECKOUT, "Cancelled"),
    PurchaseStatus.CHECKOUT_EXPIRED: Move(_IN_CHECKOUT, "Expired"),
    PurchaseStatus.CHECKOUT_FAILED: Move(_IN_CHECKOUT, "Failed"),
    PurchaseStatus.VOUCHER_CREATION: Move(_IN_CHECKOUT, "Paid"),
    PurchaseStatus.COMPLETE: Move({PurchaseStatus.VOUCHER_CREATION}, "Completed"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPurchase:
    """A purchase to add."""

    id: UUID
    partner_id: UUID
    program_id: UUID
    code: str
    status: PurchaseStatus
    quantity: int
    amount_paid: Decimal
    notes: str
    purchased_by_first_name: str
    purchased_by_last_name: str
    purchased_by_email: str | None = None
    purchased_at: datetime
    quantity_used: int = 0
    is_archived: bool = False
    amount: Decimal = Decimal(0)
    checkout_expires_at: datetime | None = None
    metadata: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """A voucher purchase with the names of its partner and program."""

    id: UUID
    code: str
    partner_id: UUID
    partner_name: str
    program_id: UUID
    program_name: str
    status: PurchaseStatus
    quantity: int
    quantity_used: int
    amount: Decimal
    amount_paid: Decimal
    notes: str
    is_archived: bool
    purchased_by_first_name: str
    purchased_by_last_name: str
    purchased_by_email: str | None
    purchased_at: datetime
    checkout_expires_at: datetime | None
    metadata: Mapping[str, str] | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseFilter:
    """Filters of purchases; None matches every purchase. Names match as a whole, ignoring case."""

    partner_name: str | None = None
    program_name: str | None = None
    purchase_code: str | None = None
    purchased_by_email: str | None = None
    status: PurchaseStatus | None = None
    partner_id: UUID | None = None
    program_id: UUID | None = None
    is_archived: bool | None = None
    metadata: KeyAndText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseDraft:
    """A free purchase to create; a field that could not be parsed is None and listed in `parse_violations`."""

    notes: str | None = None
    partner_name: str | None = None
    program_name: str | None = None
    quantity: int | None = None
    parse_violations: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The properties that decide whether a partner can buy a program; a status is None if the record does not exist."""

    partner_status: str | None
    program_status: str | None
    is_open_to_partner: bool
    cost_per_voucher: Decimal


def violations(draft: PurchaseDraft) -> Iterator[Violation]:
    """The violations of a draft that need no query (Voucher Partner API, VoucherPurchaseCreateCommand)."""
    yield from draft.parse_violations
    for field in ("notes", "partner_name", "program_name"):
        text: str | None = getattr(draft, field)
        if text is not None and not text.strip():
            yield Violation("Blank", field, "must not be blank")
    yield from notes_violations(draft.notes, limit=MAX_NOTES)
    if draft.quantity is not None and not 1 <= draft.quantity <= MAX_QUANTITY:
        yield Violation("QuantityRange", "quantity", f"must be between 1 and {MAX_QUANTITY:,}")


def notes_violations(notes: str | None, *, limit: int) -> Iterator[Violation]:
    """The violation of notes with more characters than the limit."""
    if notes is not None and len(notes) > limit:
        yield Violation("TooLong", "notes", f"must have at most {limit:,} characters")


def terms_violations(draft: PurchaseDraft, terms: Terms) -> Iterator[Violation]:
    """The reasons why the partner cannot get free vouchers of the program through the API."""
    if draft.partner_name is not None and draft.partner_name.strip():
        yield from standing_violations("partner_name", draft.partner_name, terms.partner_status)
    if draft.program_name is None or not draft.program_name.strip():
        return
    yield from standing_violations("program_name", draft.program_name, terms.program_status)
    if terms.program_status is None:
        return
    if terms.partner_status is not None and not terms.is_open_to_partner:
        yield Violation("NotOpenToPartner", "program_name", "must name a program that is open to this partner")
    if terms.cost_per_voucher != 0:
        yield Violation("NotFree", "program_name", "must name a program that is priced at $0")


def standing_violations(field: str, name: str, status: str | None) -> Iterator[Violation]:
    """The violation of a partner or a program that does not exist or is not active."""
    quoted_name = name[:60]
    if status is None:
        yield Violation("NotFound", field, f"was not found: '{quoted_name}'")
    elif status != Status.ACTIVE:
        yield Violation("NotActive", field, f"must be active, and '{quoted_name}' is {status.lower()}")


def amount(cost_per_voucher: Decimal, quantity: int, tiers: Sequence[tuple[int, Decimal]]) -> Decimal:
    """The price of `quantity` vouchers, in dollars and cents, rounded half up.

    `tiers` are pairs of quantity and percent; the largest quantity reached decides the discount.
    """
    percent = max((tier for tier in tiers if tier[0] <= quantity), default=(0, Decimal(0)))[1]
    exact = cost_per_voucher * quantity * (100 - percent) / 100
    return exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
