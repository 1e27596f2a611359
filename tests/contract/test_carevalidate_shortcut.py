"""GET /api/v1/promo-codes is answered ahead of the framework; the route behind it would say the same."""

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request
from tests.factories import Tenant, add_promo_codes, percent_code

from tessera.api import deps
from tessera.api.application import create_app
from tessera.api.carevalidate.shortcut import ValidationShortcut
from tessera.api.deps import Resources

PATH = "/api/v1/promo-codes"


@pytest.fixture
def framework(resources: Resources) -> FastAPI:
    """The application without the shortcut."""
    app = create_app(resources, trusted_proxies=["127.0.0.1"])
    app.user_middleware = [each for each in app.user_middleware if each.cls is not ValidationShortcut]
    return app


@pytest.mark.parametrize("key", ["good", "wrong", "none"])
@pytest.mark.parametrize(
    "query",
    ["code=PER10", "code=per10&code=NOSUCH", "code=NOSUCH&x=y", "code=PAST", "code=FLAT", "", "code=%FF", "code=%00",
     "code=PER10&product_bundle_id=x", "code=PER10&product_bundle_id=0aad00c1-9c18-4b7c-ac3c-67afffdfbc4e"],
)  # fmt: skip
async def test_the_route_and_the_shortcut_say_the_same_with_the_same_headers(
    client: httpx.AsyncClient, framework: FastAPI, resources: Resources, tenant: Tenant, key: str, query: str
) -> None:
    codes = (
        percent_code(tenant, "PER10"),
        percent_code(tenant, "PAST", expires_at=resources.clock()),
        percent_code(tenant, "FLAT", discount_percent=None, flat_discount=12),
    )
    await add_promo_codes(resources, tenant, *codes, now=resources.clock())
    headers = {"good": tenant.api_key, "wrong": {"cv-api-key": tenant.key.secret + "x"}, "none": {}}[key]
    headers["X-Request-ID"] = "the-same"
    transport = httpx.ASGITransport(framework, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url=client.base_url) as other:
        behind = await other.get(f"{PATH}?{query}", headers=headers)
    ahead = await client.get(f"{PATH}?{query}", headers=headers)
    assert (ahead.status_code, ahead.content) == (behind.status_code, behind.content)
    assert ahead.headers.multi_items() == behind.headers.multi_items()


async def test_the_framework_sees_no_validation_and_everything_else(
    client: httpx.AsyncClient, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def noticed(request: Request) -> Resources:
        seen.append(request.method)
        return found(request)

    found = deps.resources_of
    monkeypatch.setattr("tessera.api.carevalidate.router.resources_of", noticed)
    assert (await client.get(f"{PATH}?code=X", headers=tenant.api_key)).status_code == 404
    assert (await client.post(f"{PATH}?code=X", headers=tenant.api_key)).status_code == 405
    assert (await client.get(f"{PATH}/", headers=tenant.api_key)).status_code == 404
    assert seen == []
