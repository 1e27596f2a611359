import httpx
from tests.factories import Tenant


async def test_without_a_credential_it_is_401(client: httpx.AsyncClient) -> None:
    answer = await client.get("/promo-codes")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json() == {"errorCode": "NotAuthenticated", "errorMessages": ["A Bearer token is required."]}


async def test_an_organization_without_codes_gets_an_empty_page(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await client.get("/promo-codes", headers=tenant.bearer)
    assert (answer.status_code, answer.json()) == (200, {"data": [], "nextLink": None})
