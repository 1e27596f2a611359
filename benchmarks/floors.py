"""The floor of the reads: bare ASGI and psycopg, with one prepared statement for each response.

It has no row-level security, global codes, bundles, rights or error formats. Lists have a second floor, which also
checks that no more than 10,000 records match, as the documents require.
"""

import json
import os
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from psycopg_pool import AsyncConnectionPool
from starlette.types import ASGIApp, Receive, Scope, Send

from tessera.identity.authentication.credentials import parse_key

LOOKUP = """
select p.status, p.expires_at > now(), p.redemption_count < p.max_redemptions, p.discount_percent, p.flat_discount
from api_keys k
join organizations o on o.id = k.organization_id and o.is_active
left join promo_codes p on p.organization_id = k.organization_id and p.name_key = %s
where k.organization_id = %s and k.id = %s and k.key_digest = %s and k.revoked_at is null
"""
# The first 100 codes with exams and addresses, as one JSON text.
PROMO_CODES = """
select json_build_object('data', json_agg(json_build_object(
    'storeExamCodes', array(
        select e.code from promo_code_store_exams n
        join store_exams e on e.organization_id = n.organization_id and e.id = n.store_exam_id
        where n.organization_id = p.organization_id and n.promo_code_id = p.id order by n.position
    ),
    'discountPercent', discount_percent,
    'emailAddresses', array(
        select a.email from promo_code_email_addresses a
        where a.organization_id = p.organization_id and a.promo_code_id = p.id order by a.position
    ),
    'expirationDateEndUtc', expires_at, 'maxRedemptions', max_redemptions,
    'promoCodeName', name, 'redemptionCount', redemption_count,
    'restrictToEmailAddresses', restrict_to_email_addresses
) order by id))::text
from (
    select * from promo_codes where organization_id = %s and is_listed order by id limit 100
) p
"""
# A page of 100 unused vouchers, as one JSON text without nulls.
VOUCHERS = """
select json_build_object('data', json_agg(json_strip_nulls(json_build_object(
    'assignedDateUtc', assigned_at, 'expirationDateUtc', expires_at, 'id', id, 'isActive', is_active,
    'isUsed', is_used, 'recipientEmail', recipient_email, 'reservationCode', reservation_code,
    'reservationStatus', reservation_status,
    'storeExamCode', (
        select e.code from store_exams e where e.organization_id = v.organization_id and e.id = v.store_exam_id
    ),
    'voucherCode', code,
    'voucherPurchaseCode', (
        select b.code from voucher_purchases b where b.organization_id = v.organization_id and b.id = v.purchase_id
    )
)) order by id))::text
from (
    select * from vouchers where organization_id = %s and not is_used order by id limit 100 offset %s
) v
"""
# Whether more than 10,000 records match.
TOO_MANY_PROMO_CODES = """
select count(*) > 10000 from (select from promo_codes where organization_id = %s and is_listed limit 10001) p
"""
TOO_MANY_VOUCHERS = """
select count(*) > 10000 from (select from vouchers where organization_id = %s and not is_used limit 10001) v
"""

CONSTANT = b'{"success": true, "data": [{"percentDiscount": 10}]}'

Handler = Callable[[Any, dict[bytes, bytes], dict[str, list[str]]], Awaitable[bytes]]


async def validate(connection: Any, headers: dict[bytes, bytes], query: dict[str, list[str]]) -> bytes:  # noqa: ANN401
    """Validate a code with one query, which also checks the key."""
    key, code = parse_key(headers[b"cv-api-key"].decode()), query["code"][0]
    values = [code.lower(), key.name.organization_id, key.name.id, key.digest]
    row = await (await connection.execute(LOOKUP, values, binary=True)).fetchone()
    usable = row is not None and row[0] == "Active" and row[1] and row[2]
    body = {"success": True, "data": [{"percentDiscount": row[3]}]} if usable else {"success": False, "data": []}
    return json.dumps(body).encode()


async def list_codes(connection: Any, _: dict[bytes, bytes], __: dict[str, list[str]]) -> bytes:  # noqa: ANN401
    """The first page of promo codes."""
    row = await (await connection.execute(PROMO_CODES, [os.environ["ORGANIZATION_ID"]])).fetchone()
    body: bytes = row[0].encode()
    return body


async def list_vouchers(connection: Any, _: dict[bytes, bytes], query: dict[str, list[str]]) -> bytes:  # noqa: ANN401
    """A page of vouchers."""
    offset = (int(query.get("page", ["1"])[0]) - 1) * 100
    row = await (await connection.execute(VOUCHERS, [os.environ["ORGANIZATION_ID"], offset])).fetchone()
    body: bytes = row[0].encode()
    return body


def counting(too_many: str, handler: Handler) -> Handler:
    """A list whose statement for the number of records comes first."""

    async def list_counted(connection: Any, headers: dict[bytes, bytes], query: dict[str, list[str]]) -> bytes:  # noqa: ANN401
        row = await (await connection.execute(too_many, [os.environ["ORGANIZATION_ID"]], binary=True)).fetchone()
        return b"{}" if row[0] else await handler(connection, headers, query)

    return list_counted


PATHS: dict[str, Handler] = {
    "/api/v1/promo-codes": validate,
    "/promo-codes": list_codes,
    "/counted/promo-codes": counting(TOO_MANY_PROMO_CODES, list_codes),
    "/api/vouchers": list_vouchers,
    "/counted/api/vouchers": counting(TOO_MANY_VOUCHERS, list_vouchers),
}


# The planner chooses differently from run to run; the best plan reads a page from an index in the order of the list.
BEST_PLAN = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_bitmapscan=off -c enable_sort=off"


def constant() -> ASGIApp:
    """An application that responds to every request with the same bytes, without a database."""

    async def application(scope: Scope, _: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await _respond(send, CONSTANT)

    return application


def bare() -> ASGIApp:
    """All floors in one ASGI application, with one database connection for each client."""
    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
        os.environ["BARE_URL"],
        min_size=16,
        max_size=16,
        open=False,
        kwargs={"autocommit": True, "prepare_threshold": 0, "options": BEST_PLAN},
    )

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _run_lifespan(pool, receive, send)
        elif (handler := PATHS.get(scope["path"])) is None:
            await _respond(send, b"{}")
        else:
            async with pool.connection() as connection:
                query = parse_qs(scope["query_string"].decode())
                await _respond(send, await handler(connection, dict(scope["headers"]), query))

    return application


async def _run_lifespan(pool: AsyncConnectionPool[Any], receive: Receive, send: Send) -> None:
    while True:  # until the server shuts down
        message = await receive()
        if message["type"] == "lifespan.startup":
            await pool.open(wait=True)
            await send({"type": "lifespan.startup.complete"})
        else:
            await pool.close()
            await send({"type": "lifespan.shutdown.complete"})
            return


async def _respond(send: Send, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
