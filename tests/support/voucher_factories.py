"""Factories: partners, programs, purchases and vouchers in any state, and partners' users."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from tests.conftest import NOW
from tests.support.factories import Tenant

from tessera.api.serving.resources import Resources
from tessera.identity import provisioning
from tessera.identity.rules import FunctionPoint
from tessera.kit.identifiers import new_id
from tessera.kit.jobs import create_jobs
from tessera.vouchers import jobs as voucher_jobs
from tessera.vouchers.issued import service as vouchers
from tessera.vouchers.issued.service import NewVoucher
from tessera.vouchers.partners import service as partners
from tessera.vouchers.partners.service import NewPartner
from tessera.vouchers.programs import service as programs
from tessera.vouchers.programs.service import NewProgram
from tessera.vouchers.purchases import service as purchases
from tessera.vouchers.purchases.service import NewPurchase
from tessera.vouchers.rules import PurchaseStatus, ReservationStatus, Status


async def add_partner(resources: Resources, tenant: Tenant, name: str, status: Status = Status.ACTIVE) -> UUID:
    """Add a partner; returns its id."""
    async with resources.database.unit_of_work(tenant.id) as work:
        partner = NewPartner(new_id(), name, status)
        await partners.add_all(work, [partner], now=resources.clock())
        return partner.id


async def add_program(resources: Resources, tenant: Tenant, name: str, **changes: Any) -> UUID:
    """Add an active program of the first exam, open to all partners and free; returns its id."""
    values: dict[str, Any] = {"status": Status.ACTIVE, "store_exam_ids": (tenant.exam_ids["NCA-GENL"],)}
    async with resources.database.unit_of_work(tenant.id) as work:
        program = NewProgram(id=new_id(), name=name, **values | changes)
        await programs.add(work, program, now=resources.clock())
        return program.id


async def add_purchase(
    resources: Resources, tenant: Tenant, partner_id: UUID, program_id: UUID, code: str, **changes: Any
) -> UUID:
    """Add a complete purchase of ten vouchers, without the vouchers; returns its id."""
    purchase = NewPurchase(
        id=new_id(),
        partner_id=partner_id,
        program_id=program_id,
        code=code,
        status=PurchaseStatus.COMPLETE,
        quantity=10,
        amount_paid=Decimal(0),
        notes=f"Notes of {code}",
        purchased_by_first_name="Grace",
        purchased_by_last_name="Hopper",
        purchased_at=NOW,
    )
    async with resources.database.unit_of_work(tenant.id) as work:
        await purchases.add_all(work, [replace(purchase, **changes)])
    return purchase.id


async def add_vouchers(resources: Resources, tenant: Tenant, *new_vouchers: NewVoucher) -> None:
    """Add vouchers in any state."""
    async with resources.database.unit_of_work(tenant.id) as work:
        await vouchers.add_all(work, new_vouchers)


def voucher(purchase_id: UUID, partner_id: UUID, code: str, **changes: Any) -> NewVoucher:
    """An unused voucher, valid for a year from NOW."""
    values: dict[str, Any] = {"expires_at": NOW + timedelta(days=365)}
    return NewVoucher(id=new_id(), purchase_id=purchase_id, partner_id=partner_id, code=code, **values | changes)


def usage(exam_id: UUID, reservation_code: str, at: datetime = NOW) -> dict[str, Any]:
    """The properties of a used voucher."""
    return {
        "reservation_code": reservation_code,
        "reservation_status": ReservationStatus.CREATED,
        "store_exam_id": exam_id,
        "used_at": at,
        "used_by_person_id": "P-4711",
        "used_by_client_candidate_id": "C-17",
        "used_by_first_name": "Ada",
        "used_by_last_name": "Byron",
    }


async def add_user(
    resources: Resources,
    tenant: Tenant,
    email: str,
    *,
    partner_id: UUID | None = None,
    function_points: tuple[FunctionPoint, ...] = (FunctionPoint.PARTNER_MANAGE_VOUCHERS,),
) -> dict[str, str]:
    """Add a user, of a partner unless `partner_id` is None; returns the headers of the user's requests."""
    now = resources.clock()
    async with resources.database.unit_of_work(tenant.id) as work:
        await provisioning.create_user(
            work,
            email=email,
            names=("Grace", "Hopper"),
            function_points=function_points,
            partner_id=partner_id,
            now=now,
        )
        token = await provisioning.issue_token(
            work, signer=resources.signer, email=email, lifetime=timedelta(days=365), now=now
        )
    return {"Authorization": f"Bearer {token.secret}"}


async def run_jobs(url: str, resources: Resources) -> None:
    """Run every queued job once, as a worker does."""
    context = {"database": resources.database, "clock": resources.clock}
    async with create_jobs(url, voucher_jobs.blueprint).open_async() as jobs:
        await jobs.run_worker_async(
            wait=False, install_signal_handlers=False, listen_notify=False, additional_context=context
        )


def fill(connection: psycopg.Connection[Any], table: str, count: int, **columns: Any) -> None:
    """Add rows with ascending ids. `{n}` in a text value is replaced by the number of the row."""
    names = ", ".join(columns)
    values = ", ".join(_sql_value(value) for value in columns.values())
    connection.execute(
        f"insert into {table} (version, id, {names})"
        f" select 1, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, {values}"
        # In descending order, so that the rows on disk are not in the order of the list.
        f" from generate_series({count}, 1, -1) n"
    )


def _sql_value(value: Any) -> str:
    if value is None:
        return "null"
    literal = "'" + str(value).replace("'", "''") + "'"
    return literal.replace("{n}", "' || n || '") if "{n}" in literal else literal


def fill_partners(connection: psycopg.Connection[Any], tenant: Tenant, count: int, **changes: Any) -> None:
    """Add active partners, Partner 1 and following."""
    columns = {"organization_id": tenant.id, "name": "Partner {n}", "status": "Active", "created_at": NOW}
    fill(connection, "voucher_partners", count, **columns | changes)


def fill_programs(connection: psycopg.Connection[Any], tenant: Tenant, count: int, **changes: Any) -> None:
    """Add active, free programs that are open to all, Program 1 and following, without related rows."""
    columns = {
        "organization_id": tenant.id,
        "name": "Program {n}",
        "status": "Active",
        "allow_ach_payments": False,
        "expiration_period_in_days": 365,
        "can_assigned_partners_purchase_zero_price": False,
        "is_available_to_all_partners": True,
        "partner_cost_per_voucher": 0,
        "enforce_assigned_email": False,
        "voucher_code_prefix": "",
        "created_at": NOW,
    }
    fill(connection, "voucher_programs", count, **columns | changes)


def fill_purchases(
    connection: psycopg.Connection[Any],
    tenant: Tenant,
    count: int,
    *,
    partner_id: UUID,
    program_id: UUID,
    **changes: Any,
) -> None:
    """Add complete purchases with the codes VP-1 and following."""
    columns = {
        "organization_id": tenant.id,
        "partner_id": partner_id,
        "program_id": program_id,
        "code": "VP-{n}",
        "status": "Complete",
        "quantity": 1,
        "quantity_used": 0,
        "amount_paid": 0,
        "notes": "Notes",
        "is_archived": False,
        "purchased_by_first_name": "Grace",
        "purchased_by_last_name": "Hopper",
        "purchased_at": NOW,
        "amount": 0,
    }
    fill(connection, "voucher_purchases", count, **columns | changes)


def fill_vouchers(
    connection: psycopg.Connection[Any],
    tenant: Tenant,
    count: int,
    *,
    partner_id: UUID,
    purchase_id: UUID,
    **changes: Any,
) -> None:
    """Add unused vouchers with the codes V1 and following."""
    columns = {
        "organization_id": tenant.id,
        "partner_id": partner_id,
        "purchase_id": purchase_id,
        "code": "V{n}",
        "is_active": True,
        "expires_at": NOW + timedelta(days=365),
        "is_archived": False,
    }
    fill(connection, "vouchers", count, **columns | changes)
