"""Requests that may carry an `Idempotency-Key`, and how many effects they had."""

from typing import Any, NamedTuple

import httpx
import psycopg
from tests.support import promo_code_requests, purchasing
from tests.support.factories import Tenant


class Operation(NamedTuple):
    """One operation that takes keys: its request, the property to vary, and where its effects are."""

    path: str
    request: dict[str, Any]
    varied: str
    table: str
    status: int


PURCHASES = Operation("/api/vouchers/purchases", purchasing.REQUEST, "notes", "voucher_purchases", 200)
PROMO_CODES = Operation("/promo-codes", promo_code_requests.REQUEST, "notes", "promo_codes", 201)
OPERATIONS = (PURCHASES, PROMO_CODES)


async def post(
    client: httpx.AsyncClient, tenant: Tenant, operation: Operation, key: str | bytes, **changes: Any
) -> httpx.Response:
    """The operation's request under this key."""
    headers = {name.encode(): value.encode() for name, value in tenant.bearer.items()}
    headers[b"Idempotency-Key"] = key if isinstance(key, bytes) else key.encode()
    return await client.post(operation.path, headers=headers, json=operation.request | changes)


def count_effects(superuser: psycopg.Connection, tenant: Tenant, operation: Operation) -> int:
    """How many times the operation took effect in the organization."""
    query = f"select count(*) from {operation.table} where organization_id = %s"
    row = superuser.execute(query, [tenant.id]).fetchone()
    assert row is not None
    return int(row[0])


def error_body(code: str, message: str) -> dict[str, Any]:
    """The body of an error."""
    return {"errorCode": code, "errorMessages": [message]}


REUSED = error_body("IdempotencyKeyReused", "The Idempotency-Key was used with another request.")
IN_USE = error_body("IdempotencyKeyInUse", "A request with this Idempotency-Key is still running.")
MALFORMED = error_body("IdempotencyKeyMalformed", "The Idempotency-Key must have 1 to 255 printable ASCII characters.")
