"""Two organizations with equal names inside, and every endpoint: with both locks, and with only one of them."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from jose import jwt
from tests.conftest import TOKEN_KEYS, Clock, app_on
from tests.integration.isolation.conftest import TENANT_CLAUSE, without_tenant_clause
from tests.support.citus import NEEDS_ITS_ORGANIZATION, plain_postgres_only
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.recording import record_statements, rewrite_statements

from tessera.api.serving.resources import Resources
from tessera.catalog import service as catalog
from tessera.catalog.service import NewStoreExam
from tessera.kit.db.database import Database
from tessera.kit.identifiers import new_id


@dataclass
class Neighbours:
    """Two organizations with a code of the same name, and with one code and one exam of their own."""

    first: Tenant
    second: Tenant
    client: httpx.AsyncClient


async def furnish(resources: Resources, tenant: Tenant, *, percent: int, own: str) -> None:
    now = resources.clock()
    same = percent_code(tenant, "SAME", discount_percent=percent, email_addresses=(f"{own}@example.com",))
    restricted = percent_code(
        tenant, own, discount_percent=percent, restrict_to_email_addresses=True, email_addresses=("a@example.com",)
    )
    bundled = percent_code(
        tenant, f"{own}B", discount_percent=percent, store_exam_ids=(), product_bundle_ids=(tenant.bundle_id,)
    )
    await add_promo_codes(resources, tenant, same, restricted, bundled, now=now)
    async with resources.database.unit_of_work(tenant.id) as work:
        await catalog.add_store_exams(work, [NewStoreExam(new_id(), f"EXAM-{own}", own, Decimal(1))], now=now)


@pytest.fixture
async def furnished_tenants(resources: Resources, tenant: Tenant, other_tenant: Tenant) -> tuple[Tenant, Tenant]:
    await furnish(resources, tenant, percent=10, own="FIRST")
    await furnish(resources, other_tenant, percent=20, own="SECOND")
    return tenant, other_tenant


@pytest.fixture
def neighbours(furnished_tenants: tuple[Tenant, Tenant], guarded_client: httpx.AsyncClient) -> Neighbours:
    return Neighbours(*furnished_tenants, guarded_client)


def promo_code(name: str, *, percent: int, emails: list[str], restricted: bool) -> dict[str, Any]:
    return {
        "storeExamCodes": ["NCA-GENL"],
        "discountPercent": percent,
        "emailAddresses": emails,
        "expirationDateEndUtc": "2030-01-01T00:00:00",
        "maxRedemptions": 100,
        "promoCodeName": name,
        "redemptionCount": 0,
        "restrictToEmailAddresses": restricted,
    }


def same(own: str, percent: int) -> dict[str, Any]:
    return promo_code("SAME", percent=percent, emails=[f"{own}@example.com"], restricted=False)


def own_code(own: str, percent: int) -> dict[str, Any]:
    return promo_code(own, percent=percent, emails=["a@example.com"], restricted=True)


async def test_every_endpoint_with_tenants_is_tried_here(app: FastAPI) -> None:
    tried = {"/promo-codes", "/api/promo-codes", "/api/v1/promo-codes", "/authenticate", "/api/authenticate"}
    # test_management.py covers the management API.
    untenanted = ("/health/", "/docs", "/openapi", "/home.css", "/guide", "/management/")
    paths = {str(route.path) for route in iter_route_contexts(app.routes)}
    vouchers = {"/api/vouchers", "/api/vouchers/partners", "/api/vouchers/programs", "/api/vouchers/purchases"}
    result = {path for path in paths if not path.startswith(untenanted)}
    # Other files of this directory cover vouchers, the storefront and the management API.
    result = {path for path in result if not path.startswith(("/storefront/", "/management/"))}
    assert result == tried | vouchers | {"/", "/oauth/token"}


@plain_postgres_only(NEEDS_ITS_ORGANIZATION)
async def test_without_either_lock_another_organization_is_visible(
    resources: Resources, superuser_database: Database, furnished_tenants: tuple[Tenant, Tenant]
) -> None:
    app = app_on(superuser_database, resources)
    with rewrite_statements(superuser_database, without_tenant_clause):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
            answer = await client.get("/promo-codes?promoCodeName=SECOND", headers=furnished_tenants[0].bearer)
    assert answer.json()["data"] != []


@plain_postgres_only(NEEDS_ITS_ORGANIZATION)
async def test_the_clause_is_really_taken_out(
    app: FastAPI, client: httpx.AsyncClient, resources: Resources, furnished_tenants: tuple[Tenant, Tenant]
) -> None:
    removed: list[int] = []

    def take_out(text: str) -> str:
        changed, count = TENANT_CLAUSE.subn("true", text)
        removed.append(count)
        return changed

    with rewrite_statements(resources.database, take_out), record_statements(resources.database) as sent:
        answer = await client.get("/promo-codes?storeExamCode=nca-genl", headers=furnished_tenants[0].bearer)
    assert answer.status_code == 200
    # The query of the caller and BEGIN have no clause, the query of the page has seven.
    assert removed == [0, 0, 7]
    assert not [each.text for each in sent if TENANT_CLAUSE.search(each.text)]


async def test_without_row_level_security_every_row_is_seen(
    superuser_database: Database, furnished_tenants: tuple[Tenant, Tenant]
) -> None:
    async with superuser_database.unit_of_work(furnished_tenants[0].id) as work:
        result = await work.connection.exec_driver_sql(
            "select count(distinct organization_id) from promo_codes where name in ('FIRST', 'SECOND')"
        )
        assert result.scalar_one() >= 2


@pytest.mark.parametrize("path", ["/promo-codes", "/api/promo-codes"])
async def test_a_list_shows_only_one_organization(neighbours: Neighbours, path: str) -> None:
    first = await neighbours.client.get(path, headers=neighbours.first.bearer)
    second = await neighbours.client.get(path, headers=neighbours.second.bearer)
    assert first.json() == {"data": [same("FIRST", 10), own_code("FIRST", 10)], "nextLink": None}
    assert second.json() == {"data": [same("SECOND", 20), own_code("SECOND", 20)], "nextLink": None}


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("promoCodeName=SAME", [same]),
        ("status=active", [same, own_code]),
        ("storeExamCode=NCA-GENL", [same, own_code]),
        ("restrictToEmailAddresses=true", [own_code]),
        ("restrictToEmailAddresses=true&emailAddress=a@example.com", [own_code]),
    ],
)
async def test_no_filter_reaches_another_organization(
    neighbours: Neighbours, query: str, shown: list[Callable[[str, int], dict[str, Any]]]
) -> None:
    for tenant, own, percent in ((neighbours.first, "FIRST", 10), (neighbours.second, "SECOND", 20)):
        answer = await neighbours.client.get(f"/promo-codes?{query}", headers=tenant.bearer)
        expected = [code(own, percent) for code in shown]
        assert answer.json() == {"data": expected, "nextLink": None}


async def test_what_only_another_organization_has_is_not_found(neighbours: Neighbours) -> None:
    for tenant, theirs in ((neighbours.first, "SECOND"), (neighbours.second, "FIRST")):
        for query in (f"promoCodeName={theirs}", f"storeExamCode=EXAM-{theirs}"):
            answer = await neighbours.client.get(f"/promo-codes?{query}", headers=tenant.bearer)
            assert answer.json() == {"data": [], "nextLink": None}


def creation(name: str, exam: str) -> dict[str, Any]:
    return {
        "promoCodeName": name,
        "storeExamCodes": [exam],
        "discountPercent": 5,
        "maxRedemptions": 1,
        "expirationDateUtc": "2030-01-01T00:00:00",
    }


async def test_a_name_is_free_although_another_organization_has_it(neighbours: Neighbours) -> None:
    for tenant, theirs in ((neighbours.first, "SECOND"), (neighbours.second, "FIRST")):
        body = creation(theirs, "NCA-GENL")
        created = await neighbours.client.post("/promo-codes", headers=tenant.bearer, json=body)
        again = await neighbours.client.post("/promo-codes", headers=tenant.bearer, json=body)
        message = f"promoCodeName must be unique, and '{theirs}' is taken."
        assert created.status_code == 201
        assert (again.status_code, again.json()) == (
            400,
            {"errorCode": "ValidationFailed", "errorMessages": [message]},
        )


async def test_an_exam_of_another_organization_is_unknown(neighbours: Neighbours) -> None:
    for tenant, theirs in ((neighbours.first, "SECOND"), (neighbours.second, "FIRST")):
        body = creation("NEW", f"EXAM-{theirs}")
        answer = await neighbours.client.post("/promo-codes", headers=tenant.bearer, json=body)
        message = f"storeExamCodes has unknown store exams: 'EXAM-{theirs}'."
        assert (answer.status_code, answer.json()) == (
            400,
            {"errorCode": "ValidationFailed", "errorMessages": [message]},
        )


async def test_validation_sees_only_the_keys_organization(neighbours: Neighbours) -> None:
    for tenant, theirs, percent in ((neighbours.first, "SECOND", 10), (neighbours.second, "FIRST", 20)):
        own = await neighbours.client.get("/api/v1/promo-codes?code=same", headers=tenant.api_key)
        other = await neighbours.client.get(f"/api/v1/promo-codes?code={theirs}", headers=tenant.api_key)
        assert own.json() == {"success": True, "data": [{"percentDiscount": percent}]}
        assert (other.status_code, other.json()) == (404, {"success": False, "message": "Promo code not found!"})


async def test_a_bundle_of_another_organization_covers_nothing(neighbours: Neighbours) -> None:
    pairs = ((neighbours.first, "FIRST", neighbours.second), (neighbours.second, "SECOND", neighbours.first))
    for tenant, own, other in pairs:
        query = f"code={own}B&product_bundle_id={other.bundle_id}"
        answer = await neighbours.client.get(f"/api/v1/promo-codes?{query}", headers=tenant.api_key)
        assert answer.json() == {"success": False, "data": []}


@pytest.mark.parametrize("path", ["/authenticate", "/api/authenticate"])
async def test_a_fetched_token_is_for_the_clients_organization(neighbours: Neighbours, path: str) -> None:
    for tenant in (neighbours.first, neighbours.second):
        answer = await neighbours.client.get(path, auth=(tenant.client.name, tenant.client.secret))
        form = {"grant_type": "client_credentials"}
        other = await neighbours.client.post("/oauth/token", data=form, auth=(tenant.client.name, tenant.client.secret))
        for token in (answer.json()["authToken"], other.json()["access_token"]):
            assert jwt.get_unverified_claims(token)["org"] == str(tenant.id)


def with_organization(text: str, prefix: str, organization: Tenant) -> str:
    """The same ClientId or key with the id of another organization."""
    name, rest = text.removeprefix(prefix)[:43], text.removeprefix(prefix)[43:]
    own_id = urlsafe_b64decode(name + "=")[16:]
    return prefix + urlsafe_b64encode(organization.id.bytes + own_id).decode().rstrip("=") + rest


async def test_a_client_id_with_another_organization_is_refused(neighbours: Neighbours) -> None:
    first, second = neighbours.first, neighbours.second
    for name in (second.client.name, with_organization(first.client.name, "tsc_", second)):
        answer = await neighbours.client.get("/authenticate", auth=(name, first.client.secret))
        body = {"errorCode": "NotAuthenticated", "errorMessages": ["The client or its secret is not valid."]}
        assert (answer.status_code, answer.json()) == (401, body)
        form = {"grant_type": "client_credentials", "client_id": name, "client_secret": first.client.secret}
        answer = await neighbours.client.post("/oauth/token", data=form)
        body = {"error": "invalid_client", "error_description": "The client or its secret is not valid."}
        assert (answer.status_code, answer.json()) == (401, body)


async def test_a_key_with_another_organization_is_refused(neighbours: Neighbours) -> None:
    forged = with_organization(neighbours.first.key.secret, "tsk_", neighbours.second)
    for code in ("SAME", "SECOND", "FIRST", ""):
        answer = await neighbours.client.get(f"/api/v1/promo-codes?code={code}", headers={"cv-api-key": forged})
        assert (answer.status_code, answer.json()) == (401, {"status": 401, "error": "Invalid API key"})


async def test_a_token_with_another_organization_is_refused(neighbours: Neighbours, clock: Clock) -> None:
    token = neighbours.first.token.secret
    claims = jwt.get_unverified_claims(token) | {"org": str(neighbours.second.id)}
    by_us = jwt.encode(claims, TOKEN_KEYS["test"], algorithm="HS256", headers={"kid": "test"})
    by_another = jwt.encode(claims, "x" * 40, algorithm="HS256", headers={"kid": "test"})
    spliced = ".".join([token.split(".")[0], by_us.split(".")[1], token.split(".")[2]])
    for forged in (by_us, by_another, spliced):
        answer = await neighbours.client.get("/promo-codes", headers={"Authorization": f"Bearer {forged}"})
        assert answer.status_code == 401
        assert answer.json()["errorCode"] == "NotAuthenticated"
        assert answer.headers["WWW-Authenticate"] == "Bearer"
