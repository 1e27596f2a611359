import httpx
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from tessera.api.serving.limits import DRAINING


async def test_a_process_that_serves_is_live(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "live"})


async def test_a_process_with_a_migrated_database_is_ready(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "database": "ok", "migrations": "ok"})


async def test_a_process_that_ends_soon_is_not_ready(app: FastAPI) -> None:
    async def draining(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {DRAINING: True}}, receive, send)

    transport = httpx.ASGITransport(draining)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (503, {"status": "stopping", "database": "ok", "migrations": "ok"})
