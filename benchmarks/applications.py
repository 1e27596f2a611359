"""What is measured, and the floors beside it; each is a factory as uvicorn takes it."""

import hashlib
import json
import os
from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool
from starlette.types import ASGIApp, Receive, Scope, Send

from tessera import main, schema
from tessera.settings import Settings

# One look-up with the key check, as a hand-written server would send it; nothing of tenancy, globals or bundles.
BARE_LOOKUP = """
select p.status, p.expires_at > now(), p.redemption_count < p.max_redemptions, p.discount_percent, p.flat_discount
from api_keys k
join organizations o on o.id = k.organization_id and o.is_active
left join promo_codes p on p.organization_id = k.organization_id and p.name_key = %s
where k.organization_id = %s and k.id = %s and k.key_digest = %s and k.revoked_at is null
"""


def tessera() -> ASGIApp:
    """Tessera's own API, one process."""
    settings = Settings(token_keys={"benchmark": "benchmark-0123456789-abcdefghijklmnop"}, log_level="WARNING")
    main.logging.configure(level="WARNING")
    return main.create_server(settings, os.environ["APPLICATION_URL"], schema_revision=schema.latest_revision())


def bare() -> ASGIApp:
    """Bare ASGI and psycopg: one prepared statement a request, on as many connections as there are clients."""
    from tessera.identity.credentials import parse_key  # noqa: PLC0415 - the other applications do not need it

    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
        os.environ["OWNER_URL"].replace("+psycopg", ""),
        min_size=16,
        max_size=16,
        open=False,
        kwargs={"autocommit": True, "prepare_threshold": 0},
    )

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(pool, receive, send)
            return
        if scope["path"] == "/health/live":
            await _answer(send, b"{}")
            return
        key = parse_key(dict(scope["headers"])[b"cv-api-key"].decode())
        code = parse_qs(scope["query_string"].decode())["code"][0]
        async with pool.connection() as connection:
            cursor = await connection.execute(
                BARE_LOOKUP, [code.lower(), key.name.organization_id, key.name.id, key.digest], binary=True
            )
            row = await cursor.fetchone()
        usable = row is not None and row[0] == "Active" and row[1] and row[2]
        body = {"success": True, "data": [{"percentDiscount": row[3]}]} if usable else {"success": False, "data": []}
        await _answer(send, json.dumps(body).encode())

    return application


def without_database() -> ASGIApp:
    """FastAPI with the same parameters and answer, and nothing behind it."""
    app = FastAPI()

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        return {}

    @app.get("/api/v1/promo-codes")
    async def validate(code: str, product_bundle_id: str | None = None) -> dict[str, Any]:
        digest = hashlib.sha256(code.encode()).digest()
        return {"success": True, "data": [{"percentDiscount": digest[0] % 100 + 1}]}

    return app


async def _lifespan(pool: AsyncConnectionPool[Any], receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await pool.open(wait=True)
            await send({"type": "lifespan.startup.complete"})
        else:
            await pool.close()
            await send({"type": "lifespan.shutdown.complete"})
            return


async def _answer(send: Send, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
