"""How statements reach a database of several nodes; here one Postgres is taken for it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import event
from tests.support import citus
from tests.support.factories import Tenant
from tests.support.recording import record_statements

from tessera.api.serving.resources import Resources
from tessera.kit.batching import Batcher
from tessera.kit.db.database import Database
from tessera.kit.db.engine import IS_DISTRIBUTED
from tessera.kit.db.passes import Progress, run_pass
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import TransactionAborted
from tessera.provision import Addresses


@pytest.fixture
async def distributed(addresses: Addresses) -> AsyncIterator[Database]:
    database = Database(addresses.application, deadline=60)

    def mark(_: object, record: Any) -> None:
        record.info[IS_DISTRIBUTED] = True

    for engine in (database._engine, database._readers._engine):
        event.listen(engine.sync_engine, "connect", mark)
    yield database
    await database.close()


@citus.plain_postgres_only("the recorder there shows the statements that begin a transaction as one")
async def test_each_setting_is_sent_alone_because_citus_repeats_the_whole_text(
    distributed: Database, tenant: Tenant, other_tenant: Tenant
) -> None:
    with record_statements(distributed) as statements:
        async with (
            distributed.unit_of_work(tenant.id, partner_id=uuid4(), settings={"jit": "off"}) as work,
            work.pinned_to(other_tenant.id),
        ):
            pass
    texts = [text for text, _ in statements if ";" in text or text.startswith("SET LOCAL")]
    assert len(texts) == 9
    assert not [text for text in texts if ";" in text]


async def test_readers_pin_organizations_in_a_transaction_because_citus_does_so_there_only(
    distributed: Database,
) -> None:
    # They are equal outside of a transaction block.
    assert await distributed.fetch("select now() < statement_timestamp()", {}) == [(True,)]
    (reader,) = distributed._readers.idle
    assert reader.driver.info.transaction_status.name == "IDLE"


# As the coordinator reports it, whose own connection remains.
AWAY = "do $$ begin raise 'connection to the remote node failed' using errcode = '08006'; end $$"
# What Citus has for its nodes. Here the last digit of an id names its node.
CATALOG = """
create table pg_dist_partition as select 'redemptions'::regclass as logicalrelid;
create table pg_dist_placement as select 2 * n as shardid, n as groupid from generate_series(0, 2) n;
create function get_shard_id_for_distribution_column(regclass, id uuid) returns bigint language sql
as $$ select 2 * right(id::text, 1)::bigint $$;
grant select on pg_dist_partition, pg_dist_placement to tessera_app
"""
NO_CATALOG = """
drop function get_shard_id_for_distribution_column;
drop table pg_dist_partition, pg_dist_placement
"""


@citus.plain_postgres_only("its own nodes are not those of the test")
async def test_a_pass_leaves_out_the_organizations_of_a_node_that_is_away_together(
    distributed: Database, superuser: psycopg.Connection, resources: Resources
) -> None:
    groups: list[set[str]] = []
    organizations = [UUID(f"{number:031x}{number % 3}") for number in range(1, 61)]

    async def execute(work: UnitOfWork, group: Sequence[UUID]) -> dict[UUID, Progress]:
        groups.append({str(each)[-1] for each in group})
        if "1" in groups[-1]:
            await work.connection.exec_driver_sql(AWAY)
        return dict.fromkeys(group, Progress(1))

    superuser.execute(
        "insert into organizations (id, name, is_active, created_at, version)"
        " select id, 'On a node ' || id, true, now(), 1 from unnest(%s) as id",
        [organizations],
    )
    superuser.execute(CATALOG)
    try:
        counts = await run_pass(distributed, organizations, execute, task="test")
    finally:
        superuser.execute(NO_CATALOG)
    assert groups.pop(0) == {"0", "1", "2"}
    assert sorted(groups, key=str) == [{"0"}, {"1"}, {"2"}]
    assert sorted(counts) == [each for each in organizations if str(each)[-1] != "1"]
    # One Postgres has no nodes to divide a group by.
    assert await run_pass(resources.database, organizations, execute, task="test") == {}
    assert groups[3:] == [{"0", "1", "2"}]


async def test_a_node_that_is_away_fails_only_the_requests_of_its_organizations(
    distributed: Database, tenant: Tenant, other_tenant: Tenant
) -> None:
    async def execute(organizations: Sequence[UUID]) -> Sequence[int]:
        if tenant.id in organizations:
            await distributed.fetch(AWAY, {})
        return [1 for _ in organizations]

    batcher = Batcher(execute, max_concurrency=1)
    first = asyncio.create_task(batcher.submit(other_tenant.id))
    await asyncio.sleep(0)
    failing, going_on = (asyncio.create_task(batcher.submit(each)) for each in (tenant.id, other_tenant.id))
    assert list(await asyncio.gather(first, going_on)) == [1, 1]
    failing.cancel()
    with pytest.raises(TransactionAborted):
        await distributed.fetch(AWAY, {})
