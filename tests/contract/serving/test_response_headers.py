"""The headers of every kind of response, compared whole."""

from typing import Any

import httpx
import pytest
from tests.support.factories import Tenant
from tests.support.promo_code_requests import request

JSON = {"content-type": "application/json", "cache-control": "no-store"}
PROBLEM = JSON | {"content-type": "application/problem+json"}
EXAMS = "/management/v1/store-exams"
EXAM = {"code": "NEW", "name": "New", "price": 1}
BEARER = {"www-authenticate": "Bearer"}


@pytest.mark.parametrize(
    ("requested", "json", "status", "expected"),
    [
        ("GET /promo-codes", None, 200, JSON),
        ("POST /promo-codes", request(), 201, JSON),
        ("POST /promo-codes", {}, 400, JSON),
        ("GET /api/vouchers", None, 400, JSON),
        ("GET /nowhere", None, 404, JSON),
        ("DELETE /promo-codes", None, 405, JSON | {"allow": "GET, HEAD, POST"}),
        ("GET /api/v1/promo-codes?code=NO", None, 404, JSON),
        ("GET /storefront/v1/redemptions", None, 200, JSON),
        (f"GET {EXAMS}", None, 200, JSON),
        (
            f"GET {EXAMS}?limit=1",
            None,
            200,
            JSON | {"link": '<http://testserver/management/v1/store-exams?limit=1&cursor=CURSOR>; rel="next"'},
        ),
        (f"POST {EXAMS}", EXAM, 201, JSON | {"etag": '"1"'}),
        (f"POST {EXAMS}", {}, 400, PROBLEM),
        (f"POST {EXAMS}/EXAM/archive", None, 428, PROBLEM),
        (f"GET {EXAMS}/{'0' * 8}-0000-7000-8000-{'0' * 12}", None, 404, PROBLEM),
        (f"PATCH {EXAMS}", None, 405, PROBLEM | {"allow": "GET, HEAD, POST"}),
        (
            "GET /management/v1/exports/promo-codes",
            None,
            200,
            {
                "content-type": "text/csv; charset=utf-8",
                "content-disposition": 'attachment; filename="promo-codes.csv"',
                "cache-control": "no-store",
            },
        ),
        ("GET /health/live", None, 200, JSON),
    ],
)
async def test_a_response_has_these_headers(
    client: httpx.AsyncClient, tenant: Tenant, requested: str, json: Any, status: int, expected: dict[str, str]
) -> None:
    method, _, path = requested.partition(" ")
    url = path.replace("EXAM", str(tenant.exam_ids["CLD-100"]))
    answer = await client.request(method, url, json=json, headers=tenant.bearer | tenant.api_key)
    assert (answer.status_code, own_headers(answer)) == (status, expected)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/promo-codes", JSON | BEARER),
        ("/api/vouchers", JSON | BEARER),
        ("/authenticate", JSON | {"www-authenticate": 'Basic realm="tessera", charset="UTF-8"'}),
        ("/api/v1/promo-codes?code=X", JSON),
        ("/storefront/v1/redemptions", PROBLEM | BEARER),
        ("/management/v1/users", PROBLEM | BEARER),
    ],
)
async def test_a_response_without_a_credential_has_these_headers(
    client: httpx.AsyncClient, path: str, expected: dict[str, str]
) -> None:
    answer = await client.get(path)
    assert (answer.status_code, own_headers(answer)) == (401, expected)


def own_headers(answer: httpx.Response) -> dict[str, str]:
    """All headers but those of every response; the position in a link is left out."""
    headers = dict(answer.headers)
    assert headers.pop("x-request-id")
    headers.pop("content-length", None)
    if "link" in headers:
        before, _, after = headers["link"].partition("cursor=")
        headers["link"] = f"{before}cursor=CURSOR{after[after.index('>') :]}"
    return headers
