"""The records of a line of a file: a voucher of a purchase, and its use if it was used."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from decimal import Decimal
from uuid import UUID

from tessera.catalog.service import Product
from tessera.kit.identifiers import new_id
from tessera.kit.normalization import stored_email
from tessera.redemptions.drafts import Candidate
from tessera.redemptions.past.service import PastUse
from tessera.voucher_imports.rules import VoucherDraft
from tessera.vouchers.issued.service import NewVoucher, expiry
from tessera.vouchers.partners.service import ManagedPartner
from tessera.vouchers.programs.service import Program
from tessera.vouchers.purchases.service import NewPurchase, PurchaseOrder
from tessera.vouchers.rules import PurchaseStatus, ReservationStatus
from tessera.vouchers.totals.service import CountedState

# The buyer of purchases of imported vouchers.
BUYER = ("Voucher", "Import")


@dataclass(frozen=True, slots=True)
class Offer:
    """The partner and the program of the vouchers."""

    partner: ManagedPartner
    program: Program

    def exam_code(self, draft: VoucherDraft) -> str | None:
        """The code of the draft's exam; a program with one exam needs none in the file."""
        exams = self.program.store_exams
        return draft.store_exam_code or (exams[0].code if draft.was_used and len(exams) == 1 else None)


def order(offer: Offer, *, quantity: int, used: int, now: datetime) -> PurchaseOrder:
    """A complete purchase of this many vouchers, of which some are used."""
    first_name, last_name = BUYER
    purchase = NewPurchase(
        id=new_id(),
        partner_id=offer.partner.id,
        program_id=offer.program.id,
        code="",
        status=PurchaseStatus.COMPLETE,
        quantity=quantity,
        quantity_used=used,
        amount_paid=Decimal(0),
        notes="Vouchers from elsewhere, imported from a file",
        purchased_by_first_name=first_name,
        purchased_by_last_name=last_name,
        purchased_at=now,
    )
    return PurchaseOrder(purchase, offer.partner.name, offer.program.name)


def new_voucher(
    offer: Offer, draft: VoucherDraft, exam: Product | None, purchase_id: UUID, *, now: datetime
) -> NewVoucher:
    """The voucher of a valid draft."""
    expires_at = draft.expires_at or expiry(now, offer.program.expiration_period_in_days)
    recipient = draft.recipient_email and stored_email(draft.recipient_email)
    voucher = NewVoucher(
        id=new_id(),
        purchase_id=purchase_id,
        partner_id=offer.partner.id,
        code=draft.stored_code,
        is_active=bool(draft.is_active),
        expires_at=expires_at,
        recipient_email=recipient,
        assigned_at=(draft.assigned_at or now) if recipient else None,
        reservation_code=draft.reservation if draft.was_used else draft.reservation_code,
        reservation_status=draft.status_of_reservation,
        store_exam_id=exam.store_exam_id if exam else None,
        metadata=draft.metadata or None,
    )
    if not draft.was_used:
        return voucher
    return replace(
        voucher,
        used_at=draft.used_at or now,
        used_by_person_id=draft.used_by_person_id or "",
        used_by_client_candidate_id=draft.used_by_client_candidate_id or "",
        used_by_first_name=draft.used_by_first_name or "",
        used_by_last_name=draft.used_by_last_name or "",
    )


def past_use(draft: VoucherDraft, voucher: NewVoucher, exam: Product) -> PastUse:
    """The use of a used voucher."""
    assert voucher.used_at is not None, "the voucher was used"  # noqa: S101 - for the type checker
    candidate = Candidate(
        person_id=draft.used_by_person_id or "",
        client_candidate_id=draft.used_by_client_candidate_id or "",
        first_name=draft.used_by_first_name or "",
        last_name=draft.used_by_last_name or "",
        email=None,
    )
    return PastUse(
        voucher_id=voucher.id,
        code=voucher.code,
        purchase_id=voucher.purchase_id,
        partner_id=voucher.partner_id,
        exam=exam,
        candidate=candidate,
        reservation_code=draft.reservation,
        reservation_status=draft.status_of_reservation or ReservationStatus.CREATED,
        used_at=voucher.used_at,
    )


def counted(voucher: NewVoucher) -> CountedState:
    """The state in which totals count a voucher."""
    # Totals count by day, so the states of a long file are few.
    day = datetime.combine(voucher.expires_at.astimezone(UTC), time(), UTC)
    return CountedState(day, is_used=voucher.used_at is not None)
