"""Each day is summed up once, despite kills and concurrent workers."""

import asyncio
import signal
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import psycopg
from tests.conftest import NOW
from tests.support import citus, dying
from tests.support.factories import Tenant, create_tenant
from tests.support.ledgers import Entry, append, expected_sums, ledger_connection, read_report
from tests.support.reporting import roll_up

from tessera.api.serving.resources import Resources
from tessera.kit.jobs import create_jobs
from tessera.provision import Addresses
from tessera.reports import jobs
from tessera.reports.rules import Dimension

FIRST, SECOND = (datetime(2026, 6, day, 9, tzinfo=UTC) for day in (1, 3))
# Before and after each of BEGIN, the insert of the mark, its lock, the sums of the day with the move of the mark, and
# COMMIT.
DONE = 9


def entries(tenant: Tenant) -> list[Entry]:
    """A few entries on each of two days."""
    exam_id: UUID = tenant.exam_ids["NCA-GENL"]
    return [
        Entry(at, change, code, exam_id, None, None, Decimal("9.99"))
        for at in (FIRST, SECOND)
        for change, code in ((1, "A"), (1, "B"), (1, "A"), (-1, "B"), (0, "A"))
    ]


def summed_up(superuser: psycopg.Connection, tenant: Tenant) -> list[date]:
    """The summed-up days of each dimension."""
    rows = superuser.execute(
        "select day, count(distinct dimension) from redemption_totals where organization_id = %s"
        " group by day order by day",
        [tenant.id],
    ).fetchall()
    assert [count for _, count in rows] == [3] * len(rows)
    return [day for day, _ in rows]


async def assert_whole(resources: Resources, tenant: Tenant) -> None:
    for by in Dimension:
        assert await read_report(resources, tenant, by, date.min, date.max) == expected_sums(
            entries(tenant), by, date.min, date.max
        )


@citus.plain_postgres_only("it is killed at numbered statements, and Citus is sent more of them")
async def test_a_roll_up_that_is_killed_at_any_statement_leaves_all_or_nothing_of_a_day(
    resources: Resources, addresses: Addresses, superuser: psycopg.Connection
) -> None:
    for moment in range(DONE + 1):
        tenant = await create_tenant(resources, now=NOW)
        with ledger_connection(addresses) as connection:
            append(connection, tenant, entries(tenant))
        with dying.process_that_dies(
            dying.roll_up, addresses.application, organization=tenant.id, at=moment
        ) as process:
            await asyncio.to_thread(process.join, 60)
            assert process.exitcode == -signal.SIGKILL
        assert (moment, summed_up(superuser, tenant)) == (moment, [FIRST.date()] if moment == DONE else [])
        await assert_whole(resources, tenant)
        rest = [SECOND] if moment == DONE else [FIRST, SECOND]
        assert await roll_up(resources, tenant, now=NOW) == [str(day.date()) for day in rest]
        await assert_whole(resources, tenant)


async def test_concurrent_roll_ups_take_turns(
    resources: Resources, addresses: Addresses, superuser: psycopg.Connection, tenant: Tenant
) -> None:
    with ledger_connection(addresses) as connection:
        append(connection, tenant, entries(tenant))
    days = await asyncio.gather(*(roll_up(resources, tenant, now=NOW) for _ in range(6)))
    assert sorted(day for each in days for day in each) == [str(FIRST.date()), str(SECOND.date())]
    assert summed_up(superuser, tenant) == [FIRST.date(), SECOND.date()]
    await assert_whole(resources, tenant)


async def test_the_job_sums_up_every_organization_and_a_second_run_changes_nothing(
    resources: Resources, addresses: Addresses, superuser: psycopg.Connection, tenant: Tenant, other_tenant: Tenant
) -> None:
    with ledger_connection(addresses) as connection:
        for each in (tenant, other_tenant):
            append(connection, each, entries(each))
    for hours, days in ((36, []), (37, [FIRST.date()]), (37, [FIRST.date()]), (1000, [FIRST.date(), SECOND.date()])):
        now = FIRST.replace(hour=0) + timedelta(hours=hours - 12)
        await run_job(resources, addresses, now=now)
        assert [summed_up(superuser, each) for each in (tenant, other_tenant)] == [days, days]


async def run_job(resources: Resources, addresses: Addresses, *, now: datetime) -> None:
    """Run the periodic job as a worker does."""
    app = create_jobs(addresses.application, jobs.blueprint)
    context = {"database": resources.database, "clock": lambda: now}
    async with app.open_async():
        await app.configure_task("tessera:roll_up_redemptions").defer_async(timestamp=0)
        await app.run_worker_async(
            wait=False, install_signal_handlers=False, listen_notify=False, additional_context=context
        )
