"""Voucher purchases: creation, lists, edits, and the issue of their vouchers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.editing import Editable
from tessera.audit.rules import Action, Change
from tessera.kit import editing
from tessera.kit.db import job_queue
from tessera.kit.db.bulk_insert import row_of
from tessera.kit.db.pages import CursorPage, Page
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid, NotFound
from tessera.kit.identifiers import new_id
from tessera.vouchers import codes
from tessera.vouchers.issued import service as vouchers
from tessera.vouchers.issued.service import Batch
from tessera.vouchers.partners.repository import PartnerRepository
from tessera.vouchers.programs.repository import ProgramRepository
from tessera.vouchers.purchases import rules
from tessera.vouchers.purchases.repository import PurchaseRepository
from tessera.vouchers.purchases.rules import NewPurchase, Purchase, PurchaseDraft, PurchaseFilter, Terms
from tessera.vouchers.rules import PurchaseStatus, status_at

__all__ = ["NewPurchase", "Purchase", "PurchaseFilter"]

ISSUE_VOUCHERS = "issue_vouchers"
# The API document attributes purchases through the API to this user.
SYSTEM_USER = ("Certiverse", "API")
PURCHASES: Editable[Purchase] = Editable(
    kind="VoucherPurchase", noun="voucher purchase", moves=rules.MOVES, values=row_of
)


class PurchaseOrder(NamedTuple):
    """A purchase to place, which has no code yet, and the names of its partner and program."""

    purchase: NewPurchase
    partner_name: str
    program_name: str


class NoUnfinishedPurchase(NotFound):
    """There is no purchase with this id or code whose vouchers are still to be issued."""

    def __init__(self) -> None:
        super().__init__("There is no such purchase with vouchers still to be issued.")


async def create_free(work: UnitOfWork, drafts: Sequence[PurchaseDraft], *, now: datetime) -> list[Purchase | Invalid]:
    """Create purchases of free programs, and queue their vouchers in the same transaction.

    The results are in the order of the drafts, which do not affect one another. The result for an invalid draft is
    Invalid with every violation.
    """
    offers = {names: await _find_offer(work, *names) for names in {_names(draft): None for draft in drafts}}
    invalid: dict[int, Invalid] = {}
    orders: dict[int, PurchaseOrder] = {}
    for position, draft in enumerate(drafts):
        partner, program = offers[_names(draft)]
        violations = [*rules.violations(draft), *rules.terms_violations(draft, _terms(partner, program))]
        if violations or partner is None or program is None:
            invalid[position] = Invalid(violations)
        else:
            purchase = _new_purchase(draft, partner_id=partner.id, program_id=program.id, now=now)
            orders[position] = PurchaseOrder(purchase, partner.name, program.name)
    purchases = dict(zip(orders, await place(work, list(orders.values()), now=now), strict=True))
    return [invalid[position] if position in invalid else purchases[position] for position in range(len(drafts))]


def _names(draft: PurchaseDraft) -> tuple[str | None, str | None]:
    return draft.partner_name or None, draft.program_name or None


async def _find_offer(
    work: UnitOfWork, partner_name: str | None, program_name: str | None
) -> tuple[AnyRow | None, AnyRow | None]:
    partner = await PartnerRepository(work).find_by_name(partner_name) if partner_name else None
    if program_name is None:
        return partner, None
    partner_id = partner.id if partner else None
    return partner, await ProgramRepository(work).find_by_name(program_name, partner_id=partner_id)


def _terms(partner: AnyRow | None, program: AnyRow | None) -> Terms:
    return Terms(
        partner_status=partner.status if partner else None,
        program_status=program.status if program else None,
        is_open_to_partner=bool(program and program.is_open_to_partner),
        cost_per_voucher=program.partner_cost_per_voucher if program else Decimal(0),
    )


def _new_purchase(draft: PurchaseDraft, *, partner_id: UUID, program_id: UUID, now: datetime) -> NewPurchase:
    return NewPurchase(
        id=new_id(),
        partner_id=partner_id,
        program_id=program_id,
        code="",
        status=PurchaseStatus.VOUCHER_CREATION,
        quantity=draft.quantity or 0,
        amount_paid=Decimal(0),
        notes=draft.notes or "",
        purchased_by_first_name=SYSTEM_USER[0],
        purchased_by_last_name=SYSTEM_USER[1],
        purchased_at=now,
    )


async def queue(work: UnitOfWork, *purchase_ids: UUID) -> None:
    """Queue the jobs that issue the vouchers of purchases after this transaction commits."""
    await job_queue.defer(work, ISSUE_VOUCHERS, *({"purchase_id": str(each)} for each in purchase_ids))


async def issue(work: UnitOfWork, *, purchase_id: UUID, now: datetime) -> int:
    """Issue the vouchers of a purchase and complete it; returns their number, 0 if it was complete already.

    One transaction does both, so a crash leaves either no vouchers or exactly the quantity bought. Concurrent calls
    wait for the lock of the purchase, and then find it complete. Raises NoUnfinishedPurchase.
    """
    purchases = PurchaseRepository(work)
    purchase = await purchases.lock_for_issue(purchase_id)
    if purchase is None or purchase.status not in (PurchaseStatus.VOUCHER_CREATION, PurchaseStatus.COMPLETE):
        raise NoUnfinishedPurchase
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
    move = PURCHASES.require_move(before.status, PurchaseStatus.COMPLETE)
    await change(work, before, replace(before, status=PurchaseStatus.COMPLETE), move.action, now=now)
    return batch.quantity


async def retry(work: UnitOfWork, *, id_or_code: str) -> UUID:
    """Queue the job for an unfinished purchase again; returns the id of the purchase. Raises NoUnfinishedPurchase."""
    purchases = PurchaseRepository(work)
    purchase_id = _as_id(id_or_code) or await purchases.find_id(id_or_code)
    purchase = await purchases.lock_for_issue(purchase_id) if purchase_id else None
    if purchase is None or purchase.status != PurchaseStatus.VOUCHER_CREATION:
        raise NoUnfinishedPurchase
    await queue(work, purchase.id)
    return UUID(str(purchase.id))


async def list_page(work: UnitOfWork, *, filters: PurchaseFilter, number: int, now: datetime) -> Page[Purchase]:
    """A page of the purchases visible to the caller; raises TooManyResults."""
    page = await PurchaseRepository(work).list_page(filters, number=number, now=now)
    return Page([_as_of(each, now=now) for each in page.items], page.number, page.has_next)


async def list_by_cursor(
    work: UnitOfWork, *, filters: PurchaseFilter, newest: bool = False, after: str | None, size: int, now: datetime
) -> CursorPage[Purchase]:
    """A page of the organization's purchases, in reverse order if `newest` is set.

    Raises Invalid for a cursor of another list.
    """
    page = await PurchaseRepository(work).list_by_cursor(filters, newest=newest, after=after, size=size, now=now)
    return page.map(lambda purchase: _as_of(purchase, now=now))


async def get(work: UnitOfWork, purchase_id: UUID, *, now: datetime) -> Purchase:
    """The purchase with this id as of `now`; raises NotFound."""
    return _as_of(PURCHASES.require(await PurchaseRepository(work).find(purchase_id)), now=now)


async def find_id(work: UnitOfWork, code: str) -> UUID | None:
    """The id of the purchase with this code, ignoring case."""
    return await PurchaseRepository(work).find_id(code)


async def list_unfinished(work: UnitOfWork, *, purchased_before: datetime) -> Sequence[AnyRow]:
    """The purchases of all organizations whose vouchers are overdue, for a unit of work pinned to the platform.

    Columns: `organization_id`, `organization_name`, `id`, `code`, `quantity` and `purchased_at`.
    """
    return await PurchaseRepository(work).list_unfinished(purchased_before=purchased_before)


async def count_uses(work: UnitOfWork, changes: Mapping[UUID, int]) -> None:
    """Add to the number of used vouchers of each purchase; by the lock order, purchases are locked last."""
    await PurchaseRepository(work).count_uses(changes)


async def add_all(work: UnitOfWork, purchases: Sequence[NewPurchase]) -> None:
    """Add purchases in any status without checking them."""
    await PurchaseRepository(work).add_all(purchases)


async def place(work: UnitOfWork, orders: Sequence[PurchaseOrder], *, now: datetime) -> list[Purchase]:
    """Add purchases, each with a new unique code, and queue the vouchers of those that need no checkout."""
    codes_by_id = await _add(work, [order.purchase for order in orders])
    purchases = [_purchase(order, codes_by_id[order.purchase.id]) for order in orders]
    if ids_to_issue := [each.id for each in purchases if each.status is PurchaseStatus.VOUCHER_CREATION]:
        await queue(work, *ids_to_issue)
    changes = [Change(action=Action.CREATED, kind=PURCHASES.kind, id=each.id, after=row_of(each)) for each in purchases]
    await audit.record_all(work, changes, now=now)
    return purchases


async def _add(work: UnitOfWork, purchases: Sequence[NewPurchase]) -> dict[UUID, str]:
    codes_by_id: dict[UUID, str] = {}
    for _ in range(codes.MAX_ROUNDS):
        missing = [each for each in purchases if each.id not in codes_by_id]
        if not missing:
            return codes_by_id
        attempts = [replace(each, code=codes.new_purchase_code()) for each in missing]
        added_ids = await PurchaseRepository(work).add(attempts)
        codes_by_id |= {each.id: each.code for each in attempts if each.id in added_ids}
    raise codes.NoUnusedCode


def _purchase(order: PurchaseOrder, code: str) -> Purchase:
    values = {field: getattr(order.purchase, field) for field in _PURCHASE_FIELDS if hasattr(order.purchase, field)}
    names = {"partner_name": order.partner_name, "program_name": order.program_name}
    return Purchase(**values | names | {"code": code, "version": editing.FIRST})


async def lock(work: UnitOfWork, target: Target, *, now: datetime) -> Purchase:
    """A purchase as of `now`, locked FOR UPDATE; raises NotFound, VersionStale."""
    return _as_of(await PURCHASES.lock(PurchaseRepository(work), target), now=now)


async def change(work: UnitOfWork, before: Purchase, after: Purchase, action: str, *, now: datetime) -> Purchase:
    """Write the next version of a locked purchase and record the change."""
    return await PURCHASES.save(work, PurchaseRepository(work), before, after, action, now=now)


_PURCHASE_FIELDS = tuple(Purchase.__dataclass_fields__)


def _as_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _as_of(purchase: Purchase, *, now: datetime) -> Purchase:
    status = status_at(purchase.status, purchase.checkout_expires_at, now=now)
    return purchase if status is purchase.status else replace(purchase, status=status)
