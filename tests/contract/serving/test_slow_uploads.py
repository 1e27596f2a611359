import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from tests.conftest import Clock
from tests.support.factories import Tenant
from tests.support.waiting import until

from tessera.api.serving import pipeline
from tessera.api.serving.resources import Resources
from tessera.identity import provisioning
from tessera.settings import Settings

EXAM = b'{"codes": ["ANY"], "storeExamCode": "NCA-GENL"}'


async def test_uploads_under_way_hold_no_connection_to_the_database(
    client: httpx.AsyncClient, tenant: Tenant, settings: Settings
) -> None:
    arrive = asyncio.Event()
    under_way: list[bytes] = []

    async def slowly() -> AsyncIterator[bytes]:
        yield EXAM[:10]
        under_way.append(EXAM)
        await asyncio.wait_for(arrive.wait(), 60)
        yield EXAM[10:]

    url, headers = "/storefront/v1/validations", tenant.api_key | {"Content-Type": "application/json"}
    slow = [
        asyncio.create_task(client.post(url, content=slowly(), headers=headers)) for _ in range(settings.pool_size + 1)
    ]
    await until("all uploads are under way", lambda: len(under_way) == len(slow))
    # If uploads held connections, this request would wait for one of them.
    assert (await client.get("/promo-codes", headers=tenant.bearer)).status_code == 200
    arrive.set()
    assert {answer.status_code for answer in await asyncio.gather(*slow)} == {200}


@pytest.mark.parametrize("path", ["/promo-codes", "/storefront/v1/redemptions", "/storefront/v1/validations"])
async def test_a_credential_that_is_revoked_during_an_upload_is_refused(
    client: httpx.AsyncClient,
    resources: Resources,
    tenant: Tenant,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
) -> None:
    monkeypatch.setattr(pipeline, "SLOW_BODY_SECONDS", 0)

    async def body() -> AsyncIterator[bytes]:
        yield EXAM[:10]
        async with resources.database.unit_of_work(tenant.id) as work:
            await provisioning.revoke_token(work, token_id=tenant.token.id, now=clock.now)
            await provisioning.revoke_key(work, key_id=tenant.key.id, now=clock.now)
        yield EXAM[10:]

    credential = tenant.bearer if path == "/promo-codes" else tenant.api_key
    answer = await client.post(path, content=body(), headers=credential | {"Content-Type": "application/json"})
    assert answer.status_code == 401


async def test_only_an_authenticated_caller_gets_413_for_a_large_body(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    large = b" " * (1024 * 1024 + 1)
    assert (await client.post("/promo-codes", content=large)).status_code == 401
    headers = tenant.bearer | {"Content-Type": "application/json"}
    assert (await client.post("/promo-codes", content=large, headers=headers)).status_code == 413
    assert (await client.post("/promo-codes", content=large[1:], headers=headers)).status_code == 400
