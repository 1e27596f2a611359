"""The number of statements of a request, which decides its speed more than anything else."""

import asyncio
from typing import Any

import httpx
import pytest
from psycopg import _queries
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.recording import Statement, record_statements

from tessera.api.serving.resources import Resources


def kinds(sent: list[Statement]) -> list[str]:
    """The first word of each statement, and the table of an INSERT; without COMMIT, which the driver sends."""
    return [" ".join(each.text.split()[: 3 if each.text.startswith("INSERT") else 1]) for each in sent]


@pytest.mark.parametrize("count", [1, 10, 100, 250])
async def test_a_page_takes_three_statements_whatever_its_size(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, count: int
) -> None:
    codes = [percent_code(tenant, f"CODE{number}", email_addresses=("a@example.com",)) for number in range(count)]
    await add_promo_codes(resources, tenant, *codes, now=resources.clock())
    with record_statements(resources.database) as sent:
        answer = await client.get("/promo-codes", headers=tenant.bearer)
    assert len(answer.json()["data"]) == min(count, 100)
    assert kinds(sent) == ["select", "BEGIN", "SELECT"]


async def test_pages_at_the_same_time_share_transactions_and_a_look_at_the_credential(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    await add_promo_codes(resources, tenant, percent_code(tenant, "SUMMER"), now=resources.clock())
    with record_statements(resources.database) as sent:
        answers = await asyncio.gather(
            *(client.get(f"/promo-codes?page={1 + n % 2}", headers=tenant.bearer) for n in range(52))
        )
    assert [len(answer.json()["data"]) for answer in answers] == [1, 0] * 26
    # The first two batches may have one page each, and eight pages share each transaction after them.
    assert kinds(sent).count("BEGIN") <= 9
    assert len(sent) <= 52 + 9 + 3


@pytest.mark.parametrize("path", ["/promo-codes", "/api/vouchers?isUsed=false"])
async def test_the_driver_converts_the_long_statement_of_a_page_once(
    client: httpx.AsyncClient, tenant: Tenant, path: str
) -> None:
    converted = _queries._query2pg.cache_info
    assert (await client.get(path, headers=tenant.bearer)).status_code == 200
    before = converted()
    assert (await client.get(path, headers=tenant.bearer)).status_code == 200
    after = converted()
    assert after.misses == before.misses
    assert after.hits >= before.hits + 2  # the look at the credential, and the page


@pytest.mark.parametrize("query", ["page=4", "page=1000000000", "promoCodeName=NONE"])
async def test_an_empty_page_takes_no_statement_more(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, query: str
) -> None:
    with record_statements(resources.database) as sent:
        answer = await client.get(f"/promo-codes?{query}", headers=tenant.bearer)
    assert answer.json() == {"data": [], "nextLink": None}
    assert len(sent) == 3


CODE: dict[str, Any] = {
    "storeExamCodes": ["NCA-GENL"],
    "discountPercent": 10,
    "maxRedemptions": 10,
    "expirationDateUtc": "2030-01-01T00:00:00",
}
CREATING = [
    "select",  # the caller
    "BEGIN;",
    "SELECT",  # the exams
    "select",  # the lock of the texts
    "with",  # the codes with their exams and addresses
    "with",  # the changes, and their queue for the seal
]


@pytest.mark.parametrize("emails", [1, 100, 10_000])
async def test_creating_takes_the_same_statements_for_one_address_and_for_thousands(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, emails: int
) -> None:
    body = CODE | {
        "promoCodeName": "SUMMER",
        "storeExamCodes": ["NCA-GENL", "NCP-ADS", "CLD-100"],
        "emailAddresses": [f"a{number}@example.com" for number in range(emails)],
    }
    with record_statements(resources.database) as sent:
        answer = await client.post("/promo-codes", headers=tenant.bearer, json=body)
    assert answer.status_code == 201
    assert kinds(sent) == CREATING


async def test_fifty_concurrent_codes_take_as_many_statements_as_one(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    bodies = [CODE | {"promoCodeName": f"CODE{number}"} for number in range(54)]
    with record_statements(resources.database) as sent:
        answers = await asyncio.gather(
            *(client.post("/promo-codes", headers=tenant.bearer, json=each) for each in bodies)
        )
    assert {answer.status_code for answer in answers} == {201}
    # The first four go in a batch of their own each; the fifty that arrive meanwhile go in one.
    assert len(sent) <= 5 * len(CREATING)


async def test_large_requests_run_separately_and_block_no_other(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    large = CODE | {"emailAddresses": [f"a{number}@example.com" for number in range(1_000)]}
    bodies = [large | {"promoCodeName": f"LARGE{number}"} for number in range(10)]
    with record_statements(resources.database) as sent:
        answers = await asyncio.gather(
            *(client.post("/promo-codes", headers=tenant.bearer, json=each) for each in bodies)
        )
    assert {answer.status_code for answer in answers} == {201}
    assert kinds(sent).count("BEGIN;") == 10


async def test_a_refused_credential_takes_one_statement_and_opens_no_transaction(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    with record_statements(resources.database) as sent:
        answer = await client.get("/authenticate", auth=(tenant.client.name, "wrong"))
    assert answer.status_code == 401
    assert kinds(sent) == ["select"]


@pytest.mark.parametrize("token", ["", "x", "a.b.c"])
async def test_a_token_that_we_did_not_sign_costs_no_statement(
    client: httpx.AsyncClient, resources: Resources, token: str
) -> None:
    with record_statements(resources.database) as sent:
        answer = await client.get("/promo-codes", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, sent) == (401, [])


async def test_one_validation_takes_one_statement(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    await add_promo_codes(resources, tenant, percent_code(tenant, "SUMMER"), now=resources.clock())
    with record_statements(resources.database) as sent:
        answer = await client.get("/api/v1/promo-codes?code=summer", headers=tenant.api_key)
    assert answer.json() == {"success": True, "data": [{"percentDiscount": 10}]}
    assert kinds(sent) == ["select"]


async def test_validations_at_the_same_time_share_statements(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, other_tenant: Tenant
) -> None:
    await add_promo_codes(resources, tenant, percent_code(tenant, "SUMMER"), now=resources.clock())
    headers = [tenant.api_key, other_tenant.api_key] * 50
    with record_statements(resources.database) as sent:
        answers = await asyncio.gather(
            *(client.get("/api/v1/promo-codes?code=summer", headers=each) for each in headers)
        )
    assert [answer.status_code for answer in answers] == [200, 404] * 50
    assert kinds(sent) == ["select"] * len(sent)
    assert len(sent) <= 10
