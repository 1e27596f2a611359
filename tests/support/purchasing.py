"""Purchases of vouchers, and their state in the database."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from tests.conftest import NOW
from tests.support.factories import Tenant

from tessera.api.serving.resources import Resources
from tessera.kit import jobs
from tessera.kit.db.job_queue import NAMESPACE
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.identifiers import new_id
from tessera.vouchers.partners import service as partners
from tessera.vouchers.partners.service import NewPartner
from tessera.vouchers.programs import service as programs
from tessera.vouchers.programs.service import NewProgram
from tessera.vouchers.purchases import service as purchases
from tessera.vouchers.purchases.rules import PurchaseDraft
from tessera.vouchers.purchases.service import Purchase
from tessera.vouchers.rules import Status

PREFIX = "ACME-"
DRAFT = PurchaseDraft(notes="For the summer", partner_name="Acme Corp", program_name="Acme Program", quantity=20)
REQUEST = {"notes": "For the summer", "partnerName": "Acme Corp", "programName": "Acme Program", "quantity": 20}


class PurchaseState(NamedTuple):
    """The state of a purchase in the database."""

    status: str
    vouchers: int
    codes: int


NOTHING_YET = PurchaseState("VoucherCreation", 0, 0)


def complete(quantity: int) -> PurchaseState:
    """The state of a purchase with all its vouchers, which have unique codes."""
    return PurchaseState("Complete", quantity, quantity)


async def open_market(resources: Resources, tenant: Tenant, *, now: datetime = NOW) -> None:
    """Add a partner, and a free program that is open to the partner."""
    partner = NewPartner(new_id(), "Acme Corp", Status.ACTIVE)
    program = NewProgram(id=new_id(), name="Acme Program", status=Status.ACTIVE, voucher_code_prefix=PREFIX)
    async with resources.database.unit_of_work(tenant.id) as work:
        await partners.add_all(work, [partner], now=now)
        await programs.add(work, program, now=now)


async def buy(resources: Resources, tenant: Tenant, *, quantity: int = 20, now: datetime = NOW) -> UUID:
    """Create a purchase, whose job is queued; returns its id."""
    async with resources.database.unit_of_work(tenant.id) as work:
        return await order(work, replace(DRAFT, quantity=quantity), now=now)


async def order(work: UnitOfWork, draft: PurchaseDraft, *, now: datetime) -> UUID:
    """Create a purchase in this transaction; returns its id."""
    (purchase,) = await purchases.create_free(work, [draft], now=now)
    assert isinstance(purchase, Purchase)
    return purchase.id


def purchase_state(superuser: psycopg.Connection, purchase_id: UUID) -> PurchaseState:
    """The status of a purchase and its numbers of vouchers and codes, from one query."""
    with superuser.cursor(row_factory=class_row(PurchaseState)) as cursor:
        row = cursor.execute(
            "select p.status, count(v.id) as vouchers, count(distinct v.code) as codes"
            " from voucher_purchases p"
            " left join vouchers v on v.organization_id = p.organization_id and v.purchase_id = p.id"
            " where p.id = %s group by p.status",
            [purchase_id],
        ).fetchone()
    assert row is not None
    return row


def purchase_jobs(superuser: psycopg.Connection, purchase_id: UUID) -> Sequence[tuple[Any, ...]]:
    """The status, attempts and start of each job of a purchase."""
    return superuser.execute(
        "select status::text, attempts, scheduled_at from procrastinate_jobs"
        " where args->>'purchase_id' = %s order by id",
        [str(purchase_id)],
    ).fetchall()


def bury_workers(superuser: psycopg.Connection) -> None:
    """Set the heartbeats of all workers back by an hour, and queue the periodic job that looks for their jobs.

    tests/integration/test_jobs.py waits for the period; it would take the other tests ten seconds each.
    """
    superuser.execute("update procrastinate_workers set last_heartbeat = last_heartbeat - interval '1 hour'")
    retry_stalled_jobs(superuser)


def retry_stalled_jobs(superuser: psycopg.Connection) -> None:
    """Queue the job that looks for jobs without a living worker."""
    superuser.execute(
        """insert into procrastinate_jobs (queue_name, task_name, args) values ('default', %s, '{"timestamp": 0}')""",
        [f"{NAMESPACE}:{jobs.retry_stalled_jobs.name}"],
    )


def queue_contents(superuser: psycopg.Connection) -> list[Any]:
    """The unfinished jobs, the workers and the database sessions, for the message of a failed assertion."""
    queries = (
        "select id, task_name, status::text, attempts, worker_id, scheduled_at, args::text from procrastinate_jobs"
        " where status in ('todo', 'doing') order by id",
        "select id, last_heartbeat, now() from procrastinate_workers",
        "select pid, state, wait_event, pg_blocking_pids(pid), left(query, 200) from pg_stat_activity"
        " where datname = current_database()",
    )
    return [superuser.execute(query).fetchall() for query in queries]
