"""Query plans of the list of audit entries in a long log beside others."""

from typing import Any

import httpx
import psycopg
import pytest
from tests.conftest import NOW
from tests.support.factories import Tenant, create_tenant
from tests.support.plans import MODES, blocks_for, buffers_read, explain, plan_nodes, rows_read, vacuum
from tests.support.recording import record_statements

from tessera.api.serving.resources import Resources
from tessera.audit import service as audit
from tessera.audit.service import Change
from tessera.kit.identifiers import new_id
from tessera.provision import Addresses

LONG, BESIDE = 50_000, 10_000
FILL = """
insert into audit_entries (organization_id, id, at, actor_kind, actor_id, actor_name, action, entity_kind, entity_id)
select %(tenant)s, md5(%(tenant)s::text || n)::uuid, timestamptz '2026-01-01' + n * interval '1 minute', 'User', null,
       case when n %% 10000 = 0 then 'rare@example.com' else 'often@example.com' end,
       case when n %% 10000 = 0 then 'Archived' else 'Updated' end,
       case when n %% 10000 = 0 then 'Token' else 'PromoCode' end,
       md5((n / 100)::text)::uuid
from generate_series(1, %(count)s) n
"""
# For each filter: the entries on the first page, and the rows that it may read, which are each entry and its seal.
PAGE = 250
FILTERS = [
    ("", 100, PAGE),
    ("actorName=often@example.com", 100, PAGE),
    ("actorName=rare@example.com", 5, 15),
    ("action=Updated", 100, PAGE),
    ("action=Archived", 5, 15),
    ("kind=PromoCode", 100, PAGE),
    ("kind=Token", 5, 20),  # and those of the test itself
    ("entityId=c4ca4238-a0b9-2382-0dcc-509a6f75849b", 100, PAGE),
    ("since=2026-01-10T00:00:00Z&until=2026-01-10T01:00:00Z", 60, PAGE),
    ("kind=PromoCode&since=2026-01-10T00:00:00Z&until=2026-01-10T01:00:00Z", 60, PAGE),
]


@pytest.fixture(scope="module")
async def long_log(resources: Resources, addresses: Addresses) -> Tenant:
    """An organization with 50,000 entries, beside two with 10,000 of the same."""
    tenants = [await create_tenant(resources, now=resources.clock()) for _ in range(3)]
    with psycopg.connect(addresses.owner.replace("+psycopg", ""), autocommit=True) as superuser:
        superuser.execute("set session_replication_role = replica")  # no foreign keys to check, row by row
        for tenant in tenants:
            superuser.execute(FILL, {"tenant": tenant.id, "count": LONG if tenant is tenants[0] else BESIDE})
        vacuum(superuser, "audit_entries")
    return tenants[0]


@pytest.mark.parametrize("case", FILTERS)
async def test_a_filter_of_the_log_reads_little_more_than_it_shows(
    client: httpx.AsyncClient,
    resources: Resources,
    application: psycopg.Connection[Any],
    long_log: Tenant,
    case: tuple[str, int, int],
) -> None:
    query, result, bound = case
    with record_statements(resources.database) as sent:
        answer = await client.get(f"/management/v1/audit-entries?{query}", headers=long_log.bearer)
    assert len(answer.json()["data"]) >= result
    (listing,) = [statement for statement in sent if "audit_seals" in statement.text]
    for mode in MODES:
        plan = explain(application, sent[1], listing, mode=mode)
        assert [part for part in plan_nodes(plan) if "Seq Scan" in part["Node Type"]] == []
        assert (mode, rows_read(plan)) <= (mode, bound)
        assert (mode, buffers_read(plan)) <= (mode, blocks_for(bound))


async def test_many_entries_are_checked_by_plans_for_many(resources: Resources, tenant: Tenant) -> None:
    changes = [Change(action="Updated", kind="Thing", id=new_id(), after={"n": n}) for n in range(1000)]
    async with resources.database.unit_of_work(tenant.id) as work:

        async def execute(*statements: str) -> None:
            for statement in statements:
                await work.connection.exec_driver_sql(statement)

        # The connection keeps plans for its foreign keys that are right for a log of a few entries.
        await execute("discard plans", "set local plan_cache_mode = force_generic_plan")
        await execute("set local enable_seqscan = on", "set local enable_indexscan = off")
        await audit.record_all(work, changes[:1], now=NOW)
        await execute("set local enable_seqscan = off", "set local enable_indexscan = on")
        query = "select seq_scan from pg_stat_xact_user_tables where relname = 'audit_entries'"
        before = (await work.connection.exec_driver_sql(query)).scalar_one()
        await audit.record_all(work, changes, now=NOW)
        after = (await work.connection.exec_driver_sql(query)).scalar_one()
    assert (before, after) == (1, 1)
