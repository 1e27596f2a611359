"""Purchases of vouchers of free programs, created in batches."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.errors import Invalid
from tessera.kit.identifiers import new_id
from tessera.vouchers.partners.repository import PartnerRepository
from tessera.vouchers.programs.repository import ProgramRepository
from tessera.vouchers.purchases import rules, service
from tessera.vouchers.purchases.rules import NewPurchase, Purchase, PurchaseDraft, Terms
from tessera.vouchers.purchases.service import PurchaseOrder
from tessera.vouchers.rules import PurchaseStatus

# The API document attributes purchases through the API to this user.
SYSTEM_USER = ("Certiverse", "API")


async def create_all(work: UnitOfWork, drafts: Sequence[PurchaseDraft], *, now: datetime) -> list[Purchase | Invalid]:
    """Create purchases and queue their vouchers in the same transaction; results are in the order of `drafts`.

    The drafts do not affect one another. The result for an invalid draft is Invalid with every violation.
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
    purchases = dict(zip(orders, await service.place(work, list(orders.values()), now=now), strict=True))
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
