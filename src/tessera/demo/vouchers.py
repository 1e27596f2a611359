"""The vouchers of a demonstration organization: partners and purchases in each status, vouchers in each state."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from tessera.catalog.service import NewStoreExam
from tessera.demo.organizations import EXAMPLE_ID, METADATA
from tessera.identity import provisioning
from tessera.identity.rules import FunctionPoint
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.identifiers import new_id
from tessera.vouchers import codes
from tessera.vouchers.issued import service as vouchers
from tessera.vouchers.issued.service import NewVoucher
from tessera.vouchers.partners import service as partners
from tessera.vouchers.partners.service import NewPartner
from tessera.vouchers.programs import service as programs
from tessera.vouchers.programs.service import NewProgram
from tessera.vouchers.purchases import rules as purchase_rules
from tessera.vouchers.purchases import service as purchases
from tessera.vouchers.purchases.service import SYSTEM_USER, NewPurchase
from tessera.vouchers.rules import PurchaseStatus, Status

PARTNER_NAME = "Acme Corp"
PROGRAM_NAME = "Spring Certification Drive"
TIERS = ((10, Decimal("5")), (50, Decimal("12.5")), (100, Decimal("20")))


@dataclass(frozen=True, slots=True)
class Market:
    """The partners and the programs of a demonstration organization by their names."""

    partners: dict[str, UUID]
    programs: dict[str, NewProgram]


async def load(work: UnitOfWork, exams: Sequence[NewStoreExam], *, bulk_purchases: int, now: datetime) -> None:
    """Load partners, programs, users, purchases and vouchers, with `bulk_purchases` purchases of 1,000 vouchers."""
    market = await _load_market(work, exams, now=now)
    await _load_users(work, market, now=now)
    orders = [*_orders(market, now=now), *_bulk_orders(market, bulk_purchases, now=now)]
    await purchases.add_all(work, [replace(order, status=_before_issue(order)) for order in orders])
    for order in orders:
        if order.status is PurchaseStatus.COMPLETE:
            await purchases.issue(work, purchase_id=order.id, now=order.purchased_at)
        if order.status is PurchaseStatus.VOUCHER_CREATION:
            await purchases.queue(work, order.id)
    showcase = _order(market, PARTNER_NAME, PROGRAM_NAME, quantity=8, now=now - timedelta(days=40))
    await purchases.add_all(work, [showcase])
    await vouchers.add_all(work, list(_showcase(showcase, now=now)))


async def _load_market(work: UnitOfWork, exams: Sequence[NewStoreExam], *, now: datetime) -> Market:
    statuses = {
        PARTNER_NAME: Status.ACTIVE,
        "Globex Training": Status.ACTIVE,
        "Initech Learning": Status.INACTIVE,
        "Umbrella Academy": Status.ARCHIVED,
    }
    ids = {PARTNER_NAME: EXAMPLE_ID}
    new_partners = [NewPartner(ids.get(name, new_id()), name, status) for name, status in statuses.items()]
    await partners.add_all(work, new_partners, now=now)
    partner_ids = {partner.name: partner.id for partner in new_partners}
    market = Market(partner_ids, {program.name: program for program in _programs(exams, partner_ids)})
    for program in market.programs.values():
        await programs.add(work, program, now=now)
    return market


def _programs(exams: Sequence[NewStoreExam], partner_ids: dict[str, UUID]) -> Iterator[NewProgram]:
    all_exam_ids = tuple(exam.id for exam in exams)
    free = NewProgram(
        id=new_id(),
        name=PROGRAM_NAME,
        status=Status.ACTIVE,
        can_assigned_partners_purchase_zero_price=True,
        voucher_code_prefix="SPRING-",
        store_exam_ids=all_exam_ids,
    )

    def program(name: str, prefix: str, **changes: Any) -> NewProgram:  # noqa: ANN401 - of any field
        return replace(free, **{"id": new_id(), "name": name, "voucher_code_prefix": prefix, **changes})

    yield free
    yield program(
        "Acme Employee Program",
        "ACME-",
        is_available_to_all_partners=False,
        partner_ids=(partner_ids[PARTNER_NAME],),
        enforce_assigned_email=True,
        email_domains=("acme.example.com", "example.com"),
        expiration_period_in_days=90,
        store_exam_ids=all_exam_ids[:2],
    )
    globex_id = partner_ids["Globex Training"]
    yield program("Globex Employee Program", "GLX-", is_available_to_all_partners=False, partner_ids=(globex_id,))
    yield program(
        "Professional Program",
        "PRO-",
        id=EXAMPLE_ID,
        allow_ach_payments=True,
        can_assigned_partners_purchase_zero_price=False,
        partner_cost_per_voucher=Decimal("99.50"),
        discounts=TIERS,
        metadata=METADATA,
    )
    yield program("Winter Program", "WIN-", status=Status.INACTIVE)
    yield program("Pilot Program", "PILOT-", status=Status.ARCHIVED)


async def _load_users(work: UnitOfWork, market: Market, *, now: datetime) -> None:
    for address, partner in (
        ("grace@acme.example.com", PARTNER_NAME),
        ("linus@acme.example.com", PARTNER_NAME),
        ("hedy@globex.example.com", "Globex Training"),
    ):
        await provisioning.create_user(
            work,
            email=address,
            names=(address.partition("@")[0].title(), "Partner"),
            function_points=[FunctionPoint.PARTNER_MANAGE_VOUCHERS],
            partner_id=market.partners[partner],
            now=now,
        )
    await provisioning.deactivate_user(work, now=now, email="linus@acme.example.com")


def _orders(market: Market, *, now: datetime) -> Iterator[NewPurchase]:
    checkout = (status for status in PurchaseStatus if status.value.startswith("Checkout"))
    for days, status in enumerate(checkout, start=1):
        order = _order(market, "Globex Training", "Professional Program", quantity=20, now=now - timedelta(days=days))
        yield replace(
            order,
            id=EXAMPLE_ID if status is PurchaseStatus.CHECKOUT_IN_PROGRESS else order.id,
            status=status,
            amount=purchase_rules.amount(Decimal("99.50"), 20, TIERS),
            checkout_expires_at=now + timedelta(days=1),
            purchased_by_email="hedy@globex.example.com",
            metadata=METADATA,
        )
    order = _order(market, PARTNER_NAME, "Professional Program", quantity=60, now=now - timedelta(days=30))
    price = purchase_rules.amount(Decimal("99.50"), 60, TIERS)
    yield replace(
        order,
        amount=price,
        amount_paid=price,
        purchased_by_first_name="Grace",
        purchased_by_last_name="Partner",
        purchased_by_email="grace@acme.example.com",
    )
    yield replace(
        _order(market, "Umbrella Academy", "Pilot Program", quantity=5, now=now - timedelta(days=400)), is_archived=True
    )
    # A purchase whose vouchers the first worker creates.
    waiting = _order(market, "Globex Training", "Globex Employee Program", quantity=10, now=now)
    yield replace(waiting, status=PurchaseStatus.VOUCHER_CREATION)


def _bulk_orders(market: Market, count: int, *, now: datetime) -> Iterator[NewPurchase]:
    for number in range(count):
        partner = (PARTNER_NAME, "Globex Training")[number % 2]
        yield _order(market, partner, PROGRAM_NAME, quantity=1000, now=now - timedelta(days=20 - number % 20))


def _order(market: Market, partner: str, program: str, *, quantity: int, now: datetime) -> NewPurchase:
    return NewPurchase(
        id=new_id(),
        partner_id=market.partners[partner],
        program_id=market.programs[program].id,
        code=codes.new_purchase_code(),
        status=PurchaseStatus.COMPLETE,
        quantity=quantity,
        amount_paid=Decimal(0),
        notes=f"Demonstration purchase of {quantity} vouchers",
        purchased_by_first_name=SYSTEM_USER[0],
        purchased_by_last_name=SYSTEM_USER[1],
        purchased_at=now,
    )


def _before_issue(order: NewPurchase) -> PurchaseStatus:
    return PurchaseStatus.VOUCHER_CREATION if order.status is PurchaseStatus.COMPLETE else order.status


def _showcase(order: NewPurchase, *, now: datetime) -> Iterator[NewVoucher]:
    """One voucher for each state in the document, including the vouchers that the demonstration redemptions use."""

    def voucher(code: str) -> NewVoucher:
        return NewVoucher(
            id=new_id(),
            purchase_id=order.id,
            partner_id=order.partner_id,
            code=f"SPRING-{code}",
            expires_at=order.purchased_at + timedelta(days=365),
        )

    def assigned(code: str, email: str) -> NewVoucher:
        return replace(voucher(code), assigned_at=now - timedelta(days=10), recipient_email=email)

    yield voucher("UNUSED")
    yield assigned("ASSIGNED", "ada@example.com")
    yield replace(voucher("EXPIRED"), expires_at=now - timedelta(days=1))
    yield replace(voucher("SWITCHEDOFF"), is_active=False)
    yield assigned("RESERVED", "ada@example.com")
    yield assigned("COMPLETED", "grace@acme.example.com")
    yield assigned("CANCELLED", "ada@example.com")
    yield replace(voucher("SPARE"), id=EXAMPLE_ID, metadata=METADATA)
