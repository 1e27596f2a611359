"""Voucher purchases: ordering vouchers, and having them made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from tessera.kit import jobs
from tessera.kit.database import AnyRow, UnitOfWork
from tessera.kit.errors import Invalid, NotFound
from tessera.kit.identifiers import new_id
from tessera.kit.pagination import Page
from tessera.vouchers import codes
from tessera.vouchers.partners import service as partners
from tessera.vouchers.programs import service as programs
from tessera.vouchers.purchases import rules
from tessera.vouchers.purchases.repository import NewPurchase, PurchaseFilter, PurchaseRepository
from tessera.vouchers.purchases.rules import PurchaseDraft, Terms
from tessera.vouchers.rules import PurchaseStatus
from tessera.vouchers.vouchers import service as vouchers
from tessera.vouchers.vouchers.service import Batch

__all__ = ["NewPurchase", "PurchaseFilter"]

ISSUE_VOUCHERS = "issue_vouchers"
# Purchases through the API are attributed to this user, as the document says.
SYSTEM_USER = ("Certiverse", "API")


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """A voucher purchase as the document shows it."""

    id: UUID
    code: str
    partner_name: str
    program_name: str
    status: PurchaseStatus
    quantity: int
    quantity_used: int
    amount_paid: Decimal
    notes: str
    is_archived: bool
    purchased_by_first_name: str
    purchased_by_last_name: str
    purchased_at: datetime


class PurchaseNotUnfinished(NotFound):
    """There is no purchase of this id that waits for its vouchers."""


async def create(work: UnitOfWork, *, draft: PurchaseDraft, now: datetime) -> Purchase:
    """Order vouchers of a program that costs nothing, and queue their making in the same transaction.

    Raises Invalid with every violation, of the draft and of what it names.
    """
    partner = await partners.find_by_name(work, draft.partner_name) if draft.partner_name else None
    program = None
    if draft.program_name:
        program = await programs.find_by_name(work, draft.program_name, partner_id=partner.id if partner else None)
    violations = [*rules.violations(draft), *rules.terms_violations(draft, _terms(partner, program))]
    if violations or partner is None or program is None:
        raise Invalid(violations)
    purchase = await _add(work, draft, partner_id=partner.id, program_id=program.id, now=now)
    await queue(work, purchase.id)
    shown = {field: getattr(purchase, field) for field in _PURCHASE_FIELDS if hasattr(purchase, field)}
    return Purchase(partner_name=partner.name, program_name=program.name, **shown)


async def queue(work: UnitOfWork, purchase_id: UUID) -> None:
    """Have the vouchers of a purchase made, once this transaction is committed."""
    await jobs.defer(work, ISSUE_VOUCHERS, organization_id=str(work.organization_id), purchase_id=str(purchase_id))


async def issue(work: UnitOfWork, *, purchase_id: UUID, now: datetime) -> int:
    """Make the vouchers of a purchase and complete it; returns how many, 0 where it was done before.

    All of it is one transaction: whatever crashes, there are none or exactly as many as were bought. Two callers at
    once take turns at the purchase's row, and the second one finds it complete. Raises PurchaseNotUnfinished.
    """
    purchases = PurchaseRepository(work)
    purchase = await purchases.lock(purchase_id)
    if purchase is None or purchase.status not in (PurchaseStatus.VOUCHER_CREATION, PurchaseStatus.COMPLETE):
        raise PurchaseNotUnfinished("There is no such purchase that waits for its vouchers.")
    if purchase.status == PurchaseStatus.COMPLETE:
        return 0
    batch = Batch(
        purchase_id=purchase.id,
        partner_id=purchase.partner_id,
        prefix=purchase.voucher_code_prefix,
        quantity=purchase.quantity,
        valid_days=purchase.expiration_period_in_days,
    )
    await vouchers.issue(work, batch, now=now)
    await purchases.set_status(purchase.id, PurchaseStatus.COMPLETE)
    return batch.quantity


async def retry(work: UnitOfWork, *, id_or_code: str) -> UUID:
    """Queue the vouchers of an unfinished purchase again, and say which it is; raises PurchaseNotUnfinished."""
    purchases = PurchaseRepository(work)
    purchase_id = _as_id(id_or_code) or await purchases.find_id(id_or_code)
    purchase = await purchases.lock(purchase_id) if purchase_id else None
    if purchase is None or purchase.status != PurchaseStatus.VOUCHER_CREATION:
        raise PurchaseNotUnfinished("There is no such purchase that waits for its vouchers.")
    await queue(work, purchase.id)
    found: UUID = purchase.id
    return found


async def list_page(work: UnitOfWork, *, wanted: PurchaseFilter, number: int) -> Page[Purchase]:
    """A page of the purchases that the caller may see; raises TooManyResults."""
    page = await PurchaseRepository(work).list_page(wanted, number=number)
    items = [Purchase(**{field: getattr(row, field) for field in _PURCHASE_FIELDS}) for row in page.items]
    return Page(items, page.number, page.has_next)


async def list_unfinished(work: UnitOfWork, *, purchased_before: datetime) -> Sequence[AnyRow]:
    """Purchases of every organization whose vouchers are overdue, for a unit of work pinned to the platform.

    Their columns: `organization_id`, `organization_name`, `id`, `code`, `quantity` and `purchased_at`.
    """
    return await PurchaseRepository(work).list_unfinished(purchased_before=purchased_before)


async def count_uses(work: UnitOfWork, changes: Mapping[UUID, int]) -> None:
    """Add to how many vouchers of each purchase are used, last of all that a transaction locks."""
    await PurchaseRepository(work).count_uses(changes)


async def add_all(work: UnitOfWork, purchases: Sequence[NewPurchase]) -> None:
    """Add purchases in any status, which the caller vouches for."""
    await PurchaseRepository(work).add_all(purchases)


_PURCHASE_FIELDS = tuple(Purchase.__dataclass_fields__)


def _as_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _terms(partner: AnyRow | None, program: AnyRow | None) -> Terms:
    return Terms(
        partner_status=partner.status if partner else None,
        program_status=program.status if program else None,
        is_open_to_partner=bool(program and program.is_open_to_partner),
        cost_per_voucher=program.partner_cost_per_voucher if program else Decimal(0),
    )


async def _add(
    work: UnitOfWork, draft: PurchaseDraft, *, partner_id: UUID, program_id: UUID, now: datetime
) -> NewPurchase:
    while True:
        purchase = NewPurchase(
            id=new_id(),
            partner_id=partner_id,
            program_id=program_id,
            code=codes.new_purchase_code(),
            status=PurchaseStatus.VOUCHER_CREATION,
            quantity=draft.quantity or 0,
            amount_paid=Decimal(0),
            notes=draft.notes or "",
            purchased_by_first_name=SYSTEM_USER[0],
            purchased_by_last_name=SYSTEM_USER[1],
            purchased_at=now,
        )
        if await PurchaseRepository(work).add(purchase):
            return purchase
