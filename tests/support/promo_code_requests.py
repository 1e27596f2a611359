"""The example request of the API document, and the promo code that it creates."""

from typing import Any

import httpx
from tests.support.factories import Tenant

REQUEST: dict[str, Any] = {
    "storeExamCodes": ["NCA-GENL", "CLD-100"],
    "discountPercent": 25,
    "expirationDateUtc": "2030-01-01T00:00:00",
    "maxRedemptions": 500,
    "promoCodeName": "SPRING25",
    "emailAddresses": ["ada@example.com", "bob@example.com"],
    "isActive": True,
    "maxRedemptionsPerCandidate": 2,
    "notes": "Spring campaign",
    "restrictToEmailAddresses": True,
}
PROMO_CODE: dict[str, Any] = {
    "storeExamCodes": ["NCA-GENL", "CLD-100"],
    "discountPercent": 25,
    "emailAddresses": ["ada@example.com", "bob@example.com"],
    "expirationDateEndUtc": "2030-01-01T00:00:00",
    "maxRedemptions": 500,
    "maxRedemptionsPerCandidate": 2,
    "notes": "Spring campaign",
    "promoCodeName": "SPRING25",
    "redemptionCount": 0,
    "restrictToEmailAddresses": True,
}
REQUIRED = ("storeExamCodes", "discountPercent", "expirationDateUtc", "maxRedemptions", "promoCodeName")


def request(**changes: Any) -> dict[str, Any]:
    """The example request with changes; `...` removes a property."""
    return {name: value for name, value in (REQUEST | changes).items() if value is not ...}


async def create(client: httpx.AsyncClient, tenant: Tenant, **changes: Any) -> httpx.Response:
    return await client.post("/promo-codes", headers=tenant.bearer, json=request(**changes))


async def send(client: httpx.AsyncClient, tenant: Tenant, content: bytes, **headers: str) -> httpx.Response:
    """Send these bytes, as JSON unless the headers have another content type."""
    content_headers = {"Content-Type": "application/json"} | {
        name.replace("_", "-").title(): value for name, value in headers.items()
    }
    return await client.post("/promo-codes", headers=tenant.bearer | content_headers, content=content)
