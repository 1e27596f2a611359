"""Requests of the Voucher Partner API, and its responses."""

from typing import Any

import httpx
from dirty_equals import IsUUID

# The example of the API document, character by character.
REQUEST_TEXT = (
    '{   "notes": "Q2 employee certification batch",   "partnerName": "Acme Corp",'
    '   "programName": "Spring Certification Drive",   "quantity": 50 }'
)
REQUEST: dict[str, Any] = {
    "notes": "Q2 employee certification batch",
    "partnerName": "Acme Corp",
    "programName": "Spring Certification Drive",
    "quantity": 50,
}
LISTS = ("/api/vouchers/partners", "/api/vouchers/programs", "/api/vouchers/purchases", "/api/vouchers")
NO_TOKEN = (401, {"errorCode": "NotAuthenticated", "errorMessages": ["A Bearer token is required."]})
NO_FUNCTION_POINT = (
    401,
    {
        "errorCode": "FunctionPointMissing",
        "errorMessages": ["The function point PartnerManageVouchers is required."],
    },
)
TOO_MANY = (
    422,
    {
        "errorCode": "TooManyResults",
        "errorMessages": ["The query matches more than 10,000 records. Refine it using filters."],
    },
)
UUID7 = IsUUID(version=7)  # type: ignore[arg-type]  # the annotation knows only the versions 1 to 5
EMPTY: tuple[int, dict[str, Any]] = (200, {"data": []})


def filter_required(*names: str) -> tuple[int, dict[str, Any]]:
    """Status and body of a list request without a filter."""
    message = f"At least one of {', '.join(names)} is required."
    return 400, {"errorCode": "FilterRequired", "errorMessages": [message]}


def request(**changes: Any) -> dict[str, Any]:
    """The example request with changes; `...` removes a property."""
    return {name: value for name, value in (REQUEST | changes).items() if value is not ...}


async def read_page(
    client: httpx.AsyncClient, headers: dict[str, str], path: str, name: str
) -> tuple[list[Any], str | None]:
    """One property of each record of a page, and the next link, which must equal the Link header."""
    answer = await client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    next_link = body.get("nextLink")
    assert set(body) == {"data"} | ({"nextLink"} if next_link else set())
    assert answer.headers.get("Link") == (f'<{next_link}>; rel="next"' if next_link else None)
    return [item[name] for item in body["data"]], next_link
