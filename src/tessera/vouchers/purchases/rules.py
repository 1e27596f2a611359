"""The documented rules of voucher purchases."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from tessera.kit.errors import Violation
from tessera.vouchers.rules import Status

MAX_QUANTITY = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseDraft:
    """A purchase that somebody asks for; `parse_violations` is what its reader could not read, which is None here."""

    notes: str | None = None
    partner_name: str | None = None
    program_name: str | None = None
    quantity: int | None = None
    parse_violations: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What decides whether a program can be bought by a partner for nothing; None is not found."""

    partner_status: str | None
    program_status: str | None
    is_open_to_partner: bool
    cost_per_voucher: Decimal


def violations(draft: PurchaseDraft) -> Iterator[Violation]:
    """Everything that is wrong with a draft by itself (Voucher Partner API, VoucherPurchaseCreateCommand)."""
    yield from draft.parse_violations
    for field in ("notes", "partner_name", "program_name"):
        text: str | None = getattr(draft, field)
        if text is not None and not text.strip():
            yield Violation("Blank", field, "must not be blank")
    if draft.quantity is not None and not 1 <= draft.quantity <= MAX_QUANTITY:
        yield Violation("QuantityRange", "quantity", f"must be between 1 and {MAX_QUANTITY:,}")


def terms_violations(draft: PurchaseDraft, terms: Terms) -> Iterator[Violation]:
    """Why this partner cannot have this program through the API: not there, not active, not open or not free."""
    if draft.partner_name is not None and draft.partner_name.strip():
        yield from standing("partner_name", draft.partner_name, terms.partner_status)
    if draft.program_name is None or not draft.program_name.strip():
        return
    yield from standing("program_name", draft.program_name, terms.program_status)
    if terms.program_status is None:
        return
    if terms.partner_status is not None and not terms.is_open_to_partner:
        yield Violation("NotOpenToPartner", "program_name", "must name a program that is open to this partner")
    if terms.cost_per_voucher != 0:
        yield Violation("NotFree", "program_name", "must name a program that is priced at $0")


def standing(field: str, name: str, status: str | None) -> Iterator[Violation]:
    """Why a partner or program cannot take part in a purchase: it is not there, or not active."""
    shown = name[:60]
    if status is None:
        yield Violation("NotFound", field, f"was not found: '{shown}'")
    elif status != Status.ACTIVE:
        yield Violation("NotActive", field, f"must be active, and '{shown}' is {status.lower()}")


def amount(cost_per_voucher: Decimal, quantity: int, tiers: Sequence[tuple[int, Decimal]]) -> Decimal:
    """The price of that many vouchers, in dollars and cents, rounded half up.

    `tiers` are pairs of quantity and percent; the one with the largest quantity that is reached counts.
    """
    percent = max((tier for tier in tiers if tier[0] <= quantity), default=(0, Decimal(0)))[1]
    exact = cost_per_voucher * quantity * (100 - percent) / 100
    return exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
