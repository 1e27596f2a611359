"""Voucher purchases: ordering vouchers, and having them made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.service import Action, Change
from tessera.kit import editing, jobs
from tessera.kit.db.bulk_insert import row_of
from tessera.kit.db.pages import CursorPage, Page
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.errors import NotFound
from tessera.vouchers import codes
from tessera.vouchers.issued import service as vouchers
from tessera.vouchers.issued.service import Batch
from tessera.vouchers.purchases.repository import NewPurchase, PurchaseFilter, PurchaseRepository
from tessera.vouchers.rules import PurchaseStatus, status_at

__all__ = ["NewPurchase", "PurchaseFilter"]

KIND = "VoucherPurchase"

ISSUE_VOUCHERS = "issue_vouchers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """A voucher purchase as the document shows it."""

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
    version: int


class PurchaseOrder(NamedTuple):
    """A purchase to be placed, which has no code yet, with the names that it is shown with."""

    purchase: NewPurchase
    partner_name: str
    program_name: str


class PurchaseNotFound(NotFound):
    """There is no purchase of this id."""

    def __init__(self) -> None:
        super().__init__("There is no such voucher purchase.")


class PurchaseNotUnfinished(NotFound):
    """There is no purchase of this id that waits for its vouchers."""


async def queue(work: UnitOfWork, *purchase_ids: UUID) -> None:
    """Have the vouchers of purchases made, once this transaction is committed."""
    organization_id = str(work.organization_id)
    arguments = ({"organization_id": organization_id, "purchase_id": str(each)} for each in purchase_ids)
    await jobs.defer(work, ISSUE_VOUCHERS, *arguments)


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
    before = await get(work, purchase.id, now=now)
    after = replace(before, status=PurchaseStatus.COMPLETE)
    await change(work, before, after, action="Completed", now=now)
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


async def list_page(work: UnitOfWork, *, filters: PurchaseFilter, number: int, now: datetime) -> Page[Purchase]:
    """A page of the purchases that the caller may see; raises TooManyResults."""
    page = await PurchaseRepository(work).list_page(filters, number=number, now=now)
    return Page([_purchase(row, now=now) for row in page.items], page.number, page.has_next)


async def list_by_cursor(
    work: UnitOfWork, *, filters: PurchaseFilter, after: str | None, size: int, now: datetime
) -> CursorPage[Purchase]:
    """A part of the organization's purchases; raises Invalid for a cursor of another list."""
    part = await PurchaseRepository(work).list_by_cursor(filters, after=after, size=size, now=now)
    return CursorPage([_purchase(row, now=now) for row in part.items], part.cursor)


async def get(work: UnitOfWork, purchase_id: UUID, *, now: datetime) -> Purchase:
    """One purchase as it is at `now`; raises PurchaseNotFound."""
    row = await PurchaseRepository(work).find(purchase_id)
    if row is None:
        raise PurchaseNotFound
    return _purchase(row, now=now)


async def find_id(work: UnitOfWork, code: str) -> UUID | None:
    """The id of the purchase with this code, in any case."""
    return await PurchaseRepository(work).find_id(code)


async def list_overdue_organizations(work: UnitOfWork, *, now: datetime) -> Sequence[UUID]:
    """The organizations with checkouts past their deadline, for a unit of work pinned to the platform."""
    return await PurchaseRepository(work).list_overdue_organizations(now=now)


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


async def place(work: UnitOfWork, orders: Sequence[PurchaseOrder], *, now: datetime) -> list[Purchase]:
    """Add purchases, each under a code of its own that nobody was given before, and have the paid ones' vouchers made.

    Returns them as others see them.
    """
    codes_by_id = await _add(work, [order.purchase for order in orders])
    placed = [_placed(order, codes_by_id[order.purchase.id]) for order in orders]
    if paid := [each.id for each in placed if each.status is PurchaseStatus.VOUCHER_CREATION]:
        await queue(work, *paid)
    changes = [Change(action=Action.CREATED, kind=KIND, id=each.id, after=row_of(each)) for each in placed]
    await audit.record_all(work, changes, now=now)
    return placed


async def _add(work: UnitOfWork, purchases: Sequence[NewPurchase]) -> dict[UUID, str]:
    given: dict[UUID, str] = {}
    while missing := [each for each in purchases if each.id not in given]:
        coded = [replace(each, code=codes.new_purchase_code()) for each in missing]
        added = await PurchaseRepository(work).add(coded)
        given |= {each.id: each.code for each in coded if each.id in added}
    return given


def _placed(order: PurchaseOrder, code: str) -> Purchase:
    own = {field: getattr(order.purchase, field) for field in _PURCHASE_FIELDS if hasattr(order.purchase, field)}
    names = {"partner_name": order.partner_name, "program_name": order.program_name}
    return Purchase(**own | names | {"code": code, "version": editing.FIRST})


async def lock(work: UnitOfWork, purchase_id: UUID, *, now: datetime) -> Purchase:
    """One purchase as it is at `now`, the transaction's alone from now on; raises PurchaseNotFound."""
    row = await PurchaseRepository(work).lock_whole(purchase_id)
    if row is None:
        raise PurchaseNotFound
    return _purchase(row, now=now)


async def lock_overdue(work: UnitOfWork, *, limit: int, now: datetime) -> Sequence[Purchase]:
    """Purchases whose checkout has expired at `now` without that being written down; they are the transaction's."""
    rows = await PurchaseRepository(work).lock_overdue(now=now, limit=limit)
    return [_purchase(row, now=now) for row in rows]


async def change(work: UnitOfWork, before: Purchase, after: Purchase, *, action: str, now: datetime) -> Purchase:
    """Write a purchase anew, which the caller has locked, and record it."""
    await PurchaseRepository(work).change(
        after.id, status=after.status, amount_paid=after.amount_paid, is_archived=after.is_archived
    )
    changed = replace(after, version=before.version + 1)
    await _record(work, action, before, changed, now=now)
    return changed


_PURCHASE_FIELDS = tuple(Purchase.__dataclass_fields__)


def _as_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


async def _record(work: UnitOfWork, action: str, before: Purchase, after: Purchase, *, now: datetime) -> None:
    change = Change(action=action, kind=KIND, id=after.id, before=row_of(before), after=row_of(after))
    await audit.record(work, change, now=now)


def _purchase(row: AnyRow, *, now: datetime) -> Purchase:
    fields = {field: getattr(row, field) for field in _PURCHASE_FIELDS}
    return Purchase(**fields | {"status": status_at(row.status, row.checkout_expires_at, now=now)})
