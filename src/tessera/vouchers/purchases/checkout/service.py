"""Paid purchases: their orders, the end of their checkouts, and archiving."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.rules import Action, Change
from tessera.kit.db.passes import Progress
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid
from tessera.kit.identifiers import new_id
from tessera.kit.normalization import stored_email
from tessera.vouchers.partners.repository import ManagedPartner, PartnerRepository
from tessera.vouchers.programs import service as programs
from tessera.vouchers.programs.service import Program
from tessera.vouchers.purchases import service as purchases
from tessera.vouchers.purchases.checkout import repository, rules
from tessera.vouchers.purchases.checkout.rules import Order
from tessera.vouchers.purchases.repository import PurchaseRepository
from tessera.vouchers.purchases.rules import NewPurchase, Purchase, Terms, amount
from tessera.vouchers.purchases.service import PURCHASES, PurchaseOrder
from tessera.vouchers.rules import PurchaseStatus


async def start(work: UnitOfWork, order: Order, *, now: datetime) -> Purchase:
    """Order vouchers with a deadline for the payment; vouchers of a free program are issued without a checkout.

    Raises Invalid with every violation, including an unknown partner or program.
    """
    partner, program = await find_offer(work, order, now=now)
    quantity, tiers = order.quantity or 0, [(tier.quantity, tier.percent) for tier in program.discounts]
    price = amount(program.partner_cost_per_voucher, quantity, tiers)
    if violations := list(rules.amount_violations(price, quantity)):
        raise Invalid(violations)
    purchase = _new_purchase(order, partner.id, program.id, price, now=now)
    (result,) = await purchases.place(work, [PurchaseOrder(purchase, partner.name, program.name)], now=now)
    return result


async def find_offer(work: UnitOfWork, order: Order, *, now: datetime) -> tuple[ManagedPartner, Program]:
    """The partner and the program of an order, locked FOR SHARE; raises Invalid with every violation of the order."""
    partner = await PartnerRepository(work).find_for_share(order.partner_id) if order.partner_id else None
    program, is_open = await programs.find_for_share(work, order.program_id, partner_id=order.partner_id)
    terms = Terms(
        partner_status=partner.status if partner else None,
        program_status=program.status if program else None,
        is_open_to_partner=is_open,
        cost_per_voucher=program.partner_cost_per_voucher if program else Decimal(0),
    )
    violations = [*rules.violations(order, now=now), *rules.terms_violations(order, terms)]
    if violations or partner is None or program is None:
        raise Invalid(violations)
    return partner, program


async def settle(work: UnitOfWork, target: Target, *, outcome: PurchaseStatus, now: datetime) -> Purchase:
    """End a checkout as paid (`VoucherCreation`), `CheckoutFailed` or `CheckoutCancelled`.

    A payment queues the vouchers in the same transaction. Raises NotFound, VersionStale, WrongState.
    """
    before = await purchases.lock(work, target, now=now)
    move = PURCHASES.require_move(before.status, outcome)
    amount_paid = before.amount_paid
    if outcome is PurchaseStatus.VOUCHER_CREATION:
        amount_paid = before.amount
        await purchases.queue(work, target.id)
    after = replace(before, status=outcome, amount_paid=amount_paid)
    return await purchases.change(work, before, after, move.action, now=now)


async def archive(work: UnitOfWork, target: Target, *, now: datetime) -> Purchase:
    """Permanently archive a purchase, but not its vouchers; raises NotFound, VersionStale, WrongState."""
    before = await purchases.lock(work, target, now=now)
    rules.ensure_archivable(before.status, is_archived=before.is_archived)
    return await purchases.change(work, before, replace(before, is_archived=True), Action.ARCHIVED, now=now)


async def list_overdue_organizations(work: UnitOfWork, *, now: datetime) -> Sequence[UUID]:
    """The organizations with checkouts past their deadline, for a unit of work pinned to the platform."""
    return await PurchaseRepository(work).list_overdue_organizations(now=now)


async def expire(
    work: UnitOfWork, organization_ids: Sequence[UUID], *, limit: int, now: datetime
) -> dict[UUID, Progress]:
    """Store the status `CheckoutExpired` of checkouts of these organizations past their deadline.

    At most `limit` checkouts are expired, or one of each organization; those that are locked are left out.
    """
    size = max(limit // len(organization_ids), 1)
    overdue = await repository.lock_overdue(work, organization_ids, now=now, size=size)
    await repository.expire(work, overdue)
    changes = {each: [_expiry(purchase) for purchase in own] for each, own in overdue.items()}
    await audit.record_for_each(work, changes, now=now)
    return {each: Progress(len(own), has_more=len(own) == size) for each, own in overdue.items()}


def _expiry(before: Purchase) -> Change:
    after = replace(before, status=PurchaseStatus.CHECKOUT_EXPIRED, version=before.version + 1)
    return PURCHASES.change(PURCHASES.require_move(before.status, after.status).action, before, after)


def _new_purchase(order: Order, partner_id: UUID, program_id: UUID, price: Decimal, *, now: datetime) -> NewPurchase:
    return NewPurchase(
        id=new_id(),
        partner_id=partner_id,
        program_id=program_id,
        code="",
        status=PurchaseStatus.CHECKOUT_IN_PROGRESS if price else PurchaseStatus.VOUCHER_CREATION,
        quantity=order.quantity or 0,
        amount=price,
        amount_paid=Decimal(0),
        notes=order.notes or "",
        purchased_by_first_name=order.purchased_by_first_name or "",
        purchased_by_last_name=order.purchased_by_last_name or "",
        purchased_by_email=order.purchased_by_email and stored_email(order.purchased_by_email),
        purchased_at=now,
        checkout_expires_at=(order.checkout_expires_at or now + rules.LIFETIME) if price else None,
        metadata=order.metadata or None,
    )
