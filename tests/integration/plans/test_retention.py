"""Query plans of retention: a transaction reads about what it drops, however much there is."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from tests.conftest import NOW
from tests.support.factories import Tenant, create_tenant
from tests.support.plans import MODES, rows_touched, vacuum, with_replaced_rows, without_indexes
from tests.support.recording import record_statements

from tessera.api.serving.resources import Resources
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.provision import Addresses
from tessera.retention.repository import END_JOBS, RetentionRepository

BIG, BESIDE, SIZE = 100_000, 20_000, 200
# Redemptions are redeemed for a reservation that has ended; in the second half of the year, one of four is released.
# Two months are kept. Every second job is old.
FILL = """
with numbered as (
    select n, md5(%(tenant)s::text || n)::uuid as id, n %% 4 = 3 and n > %(count)s / 2 as is_released,
           %(now)s - interval '365 days' * (1 - n::float / %(count)s) as at
    from generate_series(1, %(count)s) n
), booked as (
    insert into reservations (organization_id, id, code, status, created_at, updated_at, anonymised_at)
    select %(tenant)s::uuid, id, 'RSV-' || n, case when is_released then 'Created' else 'Completed' end, at, at,
           case when not is_released then at end
    from numbered
), entries as (
    insert into redemption_ledger (organization_id, redemption_id, number, status, redeemed_change, held_change,
        promo_code_owner_id, promo_code_id, code, store_exam_id, discount, at)
    select %(tenant)s, id, number, case when is_released then 'Released' else 'Redeemed' end,
           case when is_released then 0 else 1 end, case when not is_released then 0 when number = 1 then 1 else -1 end,
           %(tenant)s, %(tenant)s, 'CODE', %(exam)s, 10, at
    from numbered, generate_series(1, case when is_released then 2 else 1 end) as number
), jobs as (
    insert into procrastinate_jobs (queue_name, task_name, args, status)
    select 'q', 't', jsonb_build_object('organization_id', %(tenant)s::uuid), 'failed'
    from numbered where n <= %(count)s / 10
)
insert into redemptions (organization_id, id, reservation_id, code, promo_code_owner_id, promo_code_id, store_exam_id,
    person_id, client_candidate_id, first_name, last_name, list_price, discount, status, changes,
    created_at, updated_at)
select %(tenant)s, id, id, 'CODE', %(tenant)s, %(tenant)s, %(exam)s, 'P-' || n, 'C', 'A', 'B', 100, 10,
       case when is_released then 'Released' else 'Redeemed' end, case when is_released then 2 else 1 end, at, at
from numbered
"""
TABLES = ("reservations", "redemptions", "redemption_ledger", "procrastinate_jobs", "procrastinate_events")


@pytest.fixture(scope="module")
async def big(resources: Resources, addresses: Addresses) -> Tenant:
    """An organization with 100,000 redemptions and 10,000 failed jobs, beside a smaller one."""
    tenants = [await create_tenant(resources, now=NOW) for _ in range(2)]
    with psycopg.connect(addresses.owner.replace("+psycopg", ""), autocommit=True) as superuser:
        superuser.execute("set session_replication_role = replica")  # no foreign keys to check, row by row
        with without_indexes(superuser, *TABLES):
            for tenant, count in zip(tenants, (BIG, BESIDE), strict=True):
                values = {"tenant": tenant.id, "count": count, "now": NOW, "exam": tenant.exam_ids["NCA-GENL"]}
                superuser.execute(FILL, values)
        for tenant in tenants:
            superuser.execute("insert into report_marks values (%s, %s)", [tenant.id, NOW.date()])
            superuser.execute(
                "insert into retention_settings (organization_id, redemptions_after_months) values (%s, 2)", [tenant.id]
            )
        superuser.execute(
            "insert into procrastinate_events (job_id, type, at)"
            " select id, 'failed', %s + case when id %% 2 = 0 then interval '1 day' else interval '-1 day' end"
            " from procrastinate_jobs",
            [NOW],
        )
        vacuum(superuser, *TABLES)
    return tenants[0]


async def drop_released(work: UnitOfWork) -> int:
    return await RetentionRepository(work).drop_redemptions(size=SIZE, now=NOW)


async def drop_redeemed(work: UnitOfWork) -> int:
    return await RetentionRepository(work).drop_redemptions(size=SIZE, now=NOW - timedelta(days=130))


async def drop_nothing(work: UnitOfWork) -> int:
    return await RetentionRepository(work).drop_redemptions(size=SIZE, now=NOW - timedelta(days=310))


async def end_jobs(work: UnitOfWork) -> int:
    return await RetentionRepository(work).remove(END_JOBS, before=NOW, size=SIZE, now=NOW)


# A redemption goes with its reservation, and foreign keys look up both. The oldest thousand jobs are read.
@pytest.mark.parametrize(
    ("ask", "dropped", "rows"),
    [
        (drop_released, 2 * SIZE, 2 * SIZE),
        (drop_redeemed, 2 * SIZE, 2 * SIZE),
        (drop_nothing, 0, 0),
        (end_jobs, SIZE, 2 * SIZE),
    ],
)
async def test_a_transaction_reads_about_what_it_removes(
    resources: Resources, application: psycopg.Connection[Any], big: Tenant, ask: Any, dropped: int, rows: int
) -> None:
    with record_statements(resources.database) as sent:
        async with resources.database.unit_of_work(big.id) as work, work.undoing():
            assert await ask(work) == dropped
    statement = next(each for each in sent if "drop_redemptions" in each.text or "procrastinate_jobs" in each.text)
    for mode in MODES:
        assert rows_touched(application, sent[0], statement, mode=mode) <= with_replaced_rows(rows)
