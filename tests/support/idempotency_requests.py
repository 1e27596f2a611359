"""Requests with an `Idempotency-Key`, and the number of their effects."""

from typing import Any, NamedTuple

import httpx
import psycopg
from tests.support import promo_code_requests, purchasing
from tests.support.factories import Tenant


class Operation(NamedTuple):
    """An operation that accepts keys: its request, a property that tests change, and the table of its effects."""

    path: str
    request: dict[str, Any]
    changed_property: str
    table: str
    status: int


PURCHASES = Operation("/api/vouchers/purchases", purchasing.REQUEST, "notes", "voucher_purchases", 200)
PROMO_CODES = Operation("/promo-codes", promo_code_requests.REQUEST, "notes", "promo_codes", 201)
OPERATIONS = (PURCHASES, PROMO_CODES)


async def post(
    client: httpx.AsyncClient, tenant: Tenant, operation: Operation, key: str | bytes, **changes: Any
) -> httpx.Response:
    """Send the operation's request with this key."""
    headers = {name.encode(): value.encode() for name, value in tenant.bearer.items()}
    headers[b"Idempotency-Key"] = key if isinstance(key, bytes) else key.encode()
    return await client.post(operation.path, headers=headers, json=operation.request | changes)


def count_effects(superuser: psycopg.Connection, tenant: Tenant, operation: Operation) -> int:
    """The number of effects of the operation in the organization."""
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
