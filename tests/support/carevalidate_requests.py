"""Questions of a storefront, and the answers of the document, to the byte."""

import httpx
from tests.support.factories import Tenant

INVALID_KEY = (401, b'{"status":401,"error":"Invalid API key"}')
CODE_REQUIRED = (400, b'{"success":false,"message":"Promo code is required"}')
INVALID_BUNDLE = (400, b'{"success":false,"message":"Invalid product bundle ID format"}')
NOT_FOUND = (404, b'{"success":false,"message":"Promo code not found!"}')
UNUSABLE = (200, b'{"success":false,"data":[]}')
TEN_PERCENT = (200, b'{"success":true,"data":[{"percentDiscount":10}]}')
FIFTEEN_PERCENT = (200, b'{"success":true,"data":[{"percentDiscount":15}]}')


async def validate(client: httpx.AsyncClient, caller: Tenant, **query: object) -> tuple[int, bytes]:
    parameters = {name: str(value) for name, value in query.items()}
    return await validate_raw(client, caller, str(httpx.QueryParams(parameters)))


async def validate_raw(client: httpx.AsyncClient, caller: Tenant, query: str) -> tuple[int, bytes]:
    answer = await client.get(f"/api/v1/promo-codes?{query}", headers=caller.api_key)
    assert answer.headers["Content-Type"] == "application/json"
    return answer.status_code, answer.content
