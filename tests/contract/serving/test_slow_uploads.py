import asyncio
from collections.abc import AsyncIterator

import httpx
from tests.support.factories import Tenant

from tessera.settings import Settings

EXAM = b'{"codes": ["ANY"], "storeExamCode": "NCA-GENL"}'


async def test_uploads_under_way_hold_no_connection_to_the_database(
    client: httpx.AsyncClient, tenant: Tenant, settings: Settings
) -> None:
    arrive = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield EXAM[:10]
        await asyncio.wait_for(arrive.wait(), 60)
        yield EXAM[10:]

    url, headers = "/storefront/v1/validations", tenant.api_key | {"Content-Type": "application/json"}
    slow = [
        asyncio.create_task(client.post(url, content=slowly(), headers=headers)) for _ in range(settings.pool_size + 1)
    ]
    await asyncio.sleep(0.05)
    # With all connections taken, this one would wait for one of them, and the uploads for this.
    assert (await client.get("/promo-codes", headers=tenant.bearer)).status_code == 200
    arrive.set()
    assert {answer.status_code for answer in await asyncio.gather(*slow)} == {200}


async def test_a_body_that_is_too_large_is_told_only_to_whom_it_concerns(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    large = b" " * (1024 * 1024 + 1)
    assert (await client.post("/promo-codes", content=large)).status_code == 401
    assert (await client.post("/promo-codes", content=large, headers=tenant.bearer)).status_code == 413
