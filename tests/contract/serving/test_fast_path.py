"""The fast path gives the same responses as the routes behind it, byte for byte."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware
from tests.support import redemption_requests
from tests.support.factories import Tenant, add_promo_codes, percent_code

from tessera.api.application import HOT_OPERATIONS, create_app
from tessera.api.serving.middleware import FastPath
from tessera.api.serving.resources import Resources

VALIDATE = "/api/v1/promo-codes"
REDEEM = "/storefront/v1/redemptions"


def is_fast_path(middleware: Middleware) -> bool:
    factory: object = middleware.cls
    return factory is FastPath


@pytest.fixture(scope="module")
def app_behind(resources: Resources) -> FastAPI:
    """The application without the fast path."""
    app = create_app(resources, trusted_proxies=["127.0.0.1"])
    app.user_middleware = [each for each in app.user_middleware if not is_fast_path(each)]
    return app


@pytest.fixture
async def behind(app_behind: FastAPI, client: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application without the fast path."""
    transport = httpx.ASGITransport(app_behind, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url=client.base_url) as test_client:
        yield test_client


def headers_of(tenant: Tenant, method: str, path: str, kind: str) -> dict[str, str]:
    by_key = path in (VALIDATE, REDEEM)
    good = tenant.api_key if by_key else tenant.bearer
    wrong = {name: value + "x" for name, value in good.items()}
    other = tenant.bearer if by_key else tenant.api_key
    return {"good": good, "wrong": wrong, "other": other, "none": {}}[kind]


CODE = {"storeExamCodes": ["NCA-GENL"], "discountPercent": 10, "maxRedemptions": 5}
CREATE = CODE | {"promoCodeName": "SPRING1", "expirationDateUtc": "2030-01-01T00:00:00"}
TAKEN = CREATE | {"promoCodeName": "per10"}
PURCHASE = {"notes": "", "partnerName": "Nobody", "programName": "Nothing", "quantity": 7}
CREATE_BODIES: list[Any] = [TAKEN, {}, CODE, [], "x", {"promoCodeName": 7}]
PURCHASE_BODIES: list[Any] = [{}, {"quantity": "x"}, PURCHASE, []]
REQUESTS: list[tuple[str, str, Any]] = [
    *(
        ("GET", f"{VALIDATE}?{query}", None)
        for query in (
            "code=PER10", "code=per10&code=NOSUCH", "code=NOSUCH&x=y", "code=PAST", "code=FLAT", "", "code=%FF",
            "code=%00", "code=PER10&product_bundle_id=x",
            "code=PER10&product_bundle_id=0aad00c1-9c18-4b7c-ac3c-67afffdfbc4e",
        )
    ),
    *(
        ("GET", f"/promo-codes{query}", None)
        for query in ("", "?page=1", "?page=0", "?status=X&page=1", "?promoCodeName=PER10", "?emailAddress=%FF", "?x=y")
    ),
    *(("GET", f"/api/vouchers{query}", None) for query in ("", "?isUsed=false", "?isUsed=7&page=x", "?purchaseCode=X")),
    *(("POST", "/promo-codes", body) for body in CREATE_BODIES),
    *(("POST", "/api/vouchers/purchases", body) for body in PURCHASE_BODIES),
    *(("POST", REDEEM, body) for body in ({}, redemption_requests.body("NOSUCH"), redemption_requests.body("PAST"))),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["good", "wrong", "other", "none"])
@pytest.mark.parametrize("request_", REQUESTS)
async def test_the_route_and_the_fast_path_give_the_same_bytes_and_headers(
    client: httpx.AsyncClient,
    behind: httpx.AsyncClient,
    resources: Resources,
    tenant: Tenant,
    kind: str,
    request_: tuple[str, str, Any],
) -> None:
    method, path, body = request_
    codes = (
        percent_code(tenant, "PER10"),
        percent_code(tenant, "PAST", expires_at=resources.clock()),
        percent_code(tenant, "FLAT", discount_percent=None, flat_discount=12),
    )
    await add_promo_codes(resources, tenant, *codes, now=resources.clock())
    headers = headers_of(tenant, method, path.partition("?")[0], kind) | {"X-Request-ID": "the-same"}
    expected = await behind.request(method, path, headers=headers, json=body)
    response = await client.request(method, path, headers=headers, json=body)
    assert (response.status_code, response.content) == (expected.status_code, expected.content)
    assert response.headers.multi_items() == expected.headers.multi_items()


@pytest.mark.parametrize(("method", "path"), sorted(operation.route for operation in HOT_OPERATIONS))
async def test_the_framework_handles_only_other_methods(
    client: httpx.AsyncClient, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    seen: list[str] = []
    handle = APIRouter.__call__

    async def noticed(router: APIRouter, scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["method"])
        await handle(router, scope, receive, send)

    monkeypatch.setattr(APIRouter, "__call__", noticed)
    headers = tenant.api_key | tenant.bearer
    assert (await client.request(method, path, headers=headers)).status_code != 405
    assert seen == []
    assert (await client.delete(path, headers=headers)).status_code == 405
    assert (await client.request(method, f"{path}/", headers=headers)).status_code == 404
    assert seen[:1] == ["DELETE"]


@pytest.mark.parametrize("body", [b"{", b"x" * (1024 * 1024 + 1)])
@pytest.mark.parametrize("path", ["/promo-codes", REDEEM])
async def test_an_unreadable_body_is_reported_alike(
    client: httpx.AsyncClient, behind: httpx.AsyncClient, tenant: Tenant, path: str, body: bytes
) -> None:
    headers = headers_of(tenant, "POST", path, "good") | {"X-Request-ID": "1", "Content-Type": "application/json"}
    expected = await behind.post(path, headers=headers, content=body)
    response = await client.post(path, headers=headers, content=body)
    assert response.status_code in (400, 413)
    assert (response.status_code, response.content) == (expected.status_code, expected.content)
