"""The rules of paid purchases: orders, their checkouts and archiving."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from tessera.identity.rules import name_violations
from tessera.kit.errors import Violation, WrongState
from tessera.kit.normalization import store_names
from tessera.record_metadata import rules as metadata_rules
from tessera.vouchers.purchases.rules import MAX_QUANTITY, Terms, notes_violations, standing_violations
from tessera.vouchers.rules import PurchaseStatus, Status

LIFETIME = timedelta(hours=24)
MAX_NOTES = 2000
MAX_AMOUNT = Decimal("9999999999.99")
MAX_LIFETIME = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A paid purchase to create; a field that could not be parsed is None and listed in `parse_violations`."""

    partner_id: UUID | None = None
    program_id: UUID | None = None
    quantity: int | None = None
    notes: str | None = None
    purchased_by_first_name: str | None = None
    purchased_by_last_name: str | None = None
    purchased_by_email: str | None = None
    checkout_expires_at: datetime | None = None
    metadata: Mapping[str, str] | None = None
    parse_violations: tuple[Violation, ...] = ()

    def __post_init__(self) -> None:
        store_names(self, "purchased_by_first_name", "purchased_by_last_name")


def violations(order: Order, *, now: datetime) -> Iterator[Violation]:
    """The violations of an order that need no query."""
    yield from order.parse_violations
    if order.quantity is not None and not 1 <= order.quantity <= MAX_QUANTITY:
        yield Violation("QuantityRange", "quantity", f"must be between 1 and {MAX_QUANTITY:,}")
    yield from notes_violations(order.notes, limit=MAX_NOTES)
    for field in ("purchased_by_first_name", "purchased_by_last_name"):
        name: str | None = getattr(order, field)
        if name is not None:
            yield from name_violations(field, name)
    deadline = order.checkout_expires_at
    if deadline is not None and not now < deadline <= now + MAX_LIFETIME:
        yield Violation("DeadlineRange", "checkout_expires_at", "must be in the future, within 30 days")
    yield from metadata_rules.violations(order.metadata)


def amount_violations(price: Decimal, quantity: int) -> Iterator[Violation]:
    """A violation of an order whose price is too large to store."""
    if price > MAX_AMOUNT:
        message = f"times the cost per voucher must be at most {MAX_AMOUNT:,}; {quantity:,} vouchers cost {price:,}"
        yield Violation("AmountRange", "quantity", message)


def terms_violations(order: Order, terms: Terms) -> Iterator[Violation]:
    """The reasons why the partner cannot buy vouchers of the program.

    Either of them is unknown or not active, or the program is not open to the partner.
    """
    if order.partner_id is not None:
        yield from standing_violations("partner_id", str(order.partner_id), terms.partner_status)
    if order.program_id is not None:
        yield from standing_violations("program_id", str(order.program_id), terms.program_status)
    if terms.partner_status is not None and terms.program_status is not None and not terms.is_open_to_partner:
        yield Violation("NotOpenToPartner", "program_id", "must be a program that is open to this partner")


def ensure_archivable(status: PurchaseStatus, *, is_archived: bool) -> None:
    """Raise WrongState for a purchase that is archived already or whose status can still change."""
    if is_archived:
        raise WrongState("voucher purchase", Status.ARCHIVED)
    if status in (PurchaseStatus.CHECKOUT_IN_PROGRESS, PurchaseStatus.VOUCHER_CREATION):
        raise WrongState("voucher purchase", status)
