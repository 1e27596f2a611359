"""How statements reach a database of several nodes; here one Postgres is taken for it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event
from tests.support.factories import Tenant
from tests.support.recording import record_statements

from tessera.kit.batching import Batcher
from tessera.kit.db.database import Database
from tessera.kit.db.engine import IS_DISTRIBUTED
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


async def test_a_node_that_is_away_fails_only_the_requests_of_its_organizations(
    distributed: Database, tenant: Tenant, other_tenant: Tenant
) -> None:
    # As the coordinator reports it, whose own connection remains.
    away = "do $$ begin raise 'connection to the remote node failed' using errcode = '08006'; end $$"

    async def execute(organizations: Sequence[UUID]) -> Sequence[int]:
        if tenant.id in organizations:
            await distributed.fetch(away, {})
        return [1 for _ in organizations]

    batcher = Batcher(execute, max_concurrency=1)
    first = asyncio.create_task(batcher.submit(other_tenant.id))
    await asyncio.sleep(0)
    failing, going_on = (asyncio.create_task(batcher.submit(each)) for each in (tenant.id, other_tenant.id))
    assert list(await asyncio.gather(first, going_on)) == [1, 1]
    failing.cancel()
    with pytest.raises(TransactionAborted):
        await distributed.fetch(away, {})
