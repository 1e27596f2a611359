"""Guesses at voucher codes by operations with another purpose: each uses the budget of its credential."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import psycopg
import pytest
from tests.conftest import NOW, TOKEN_KEYS
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.responses import status_and_body
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_user, add_vouchers, voucher

from tessera import main
from tessera.api.application import create_app
from tessera.api.serving.resources import Resources
from tessera.identity.rules import FunctionPoint
from tessera.settings import Settings

ROOT = "/management/v1"
MESSAGE = "Too many guesses at codes. Try again later."
Headers = dict[str, str]
Door = Callable[[httpx.AsyncClient, Headers, str], Awaitable[httpx.Response]]


@pytest.fixture
async def client(resources: Resources, tenant: Tenant) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application with a budget of two guesses, whose tenant has a voucher SECRET and a code SPRING."""
    partner, program = await add_partner(resources, tenant, "Acme"), await add_program(resources, tenant, "Open")
    purchase = await add_purchase(resources, tenant, partner, program, "VP-1")
    await add_vouchers(resources, tenant, voucher(purchase, partner, "SECRET"))
    await add_promo_codes(resources, tenant, percent_code(tenant, "SPRING"), now=NOW)
    settings = Settings(token_keys=TOKEN_KEYS, misses_per_minute=1, misses_burst=2, transfer_seconds=2)
    app = create_app(main.create_resources(settings, resources.database, schema_revision="any", clock=resources.clock))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as test_client:
        yield test_client


@pytest.fixture
async def clerk(resources: Resources, tenant: Tenant) -> Headers:
    """A manager without the right to voucher codes."""
    rights = tuple(each for each in FunctionPoint if each is not FunctionPoint.SEE_VOUCHER_CODES)
    return await add_user(resources, tenant, "clerk@example.com", function_points=rights)


def documented(client: httpx.AsyncClient, headers: Headers, name: str) -> Awaitable[httpx.Response]:
    terms = {"discountPercent": 0, "storeExamCodes": ["NCA-GENL"], "maxRedemptions": 1}
    body = {"promoCodeName": name, "expirationDateUtc": "2030-01-01T00:00:00", **terms}
    return client.post("/promo-codes", json=body, headers=headers)


def managed(client: httpx.AsyncClient, headers: Headers, name: str) -> Awaitable[httpx.Response]:
    return client.post(f"{ROOT}/promo-codes", json={"name": name, "discountPercent": 0}, headers=headers)


def vouchers(client: httpx.AsyncClient, headers: Headers, name: str) -> Awaitable[httpx.Response]:
    return client.get(f"{ROOT}/vouchers?voucherCode={name}", headers=headers)


def redemptions(client: httpx.AsyncClient, headers: Headers, name: str) -> Awaitable[httpx.Response]:
    return client.get(f"/storefront/v1/redemptions?code={name}", headers=headers)


def exported(client: httpx.AsyncClient, headers: Headers, name: str) -> Awaitable[httpx.Response]:
    return client.get(f"{ROOT}/exports/redemptions?code={name}", headers=headers)


def imported(client: httpx.AsyncClient, headers: Headers, name: str) -> Awaitable[httpx.Response]:
    content = f"name,discountPercent\n{name},5\n"
    url = f"{ROOT}/promo-code-imports?dryRun=true"
    return client.post(url, content=content, headers=headers | {"Content-Type": "text/csv"})


DOORS: list[Door] = [documented, managed, vouchers, redemptions, exported, imported]


def message_of(answer: httpx.Response) -> Any:
    content = answer.json()
    return content.get("detail") or content["errorMessages"][0]


@pytest.mark.parametrize("door", DOORS)
async def test_a_guess_by_each_door_counts(client: httpx.AsyncClient, clerk: Headers, door: Door) -> None:
    answers = [await door(client, clerk, f"GUESS{number}") for number in range(3)]
    assert answers[0].status_code == answers[1].status_code != 429
    assert (answers[2].status_code, message_of(answers[2])) == (429, MESSAGE)
    assert (await client.get(f"{ROOT}/vouchers", headers=clerk)).status_code == 200


@pytest.mark.parametrize("door", [documented, managed, imported])
async def test_a_name_that_a_voucher_has_is_taken_and_counts(
    client: httpx.AsyncClient, clerk: Headers, door: Door
) -> None:
    by_voucher, by_promo_code = await door(client, clerk, "Secret"), await door(client, clerk, "Spring")
    assert "'Secret' is taken" in by_voucher.text
    assert by_voucher.text.replace("Secret", "Spring") == by_promo_code.text
    await door(client, clerk, "Secret")
    assert (await door(client, clerk, "Secret")).status_code == 429


@pytest.mark.parametrize("door", [documented, managed])
async def test_names_that_promo_codes_have_and_bad_names_cost_nothing(
    client: httpx.AsyncClient, clerk: Headers, door: Door
) -> None:
    for name in ("SPRING", "ACME-1", "", "SPRING"):
        assert (await door(client, clerk, name)).status_code == 400
    assert "is taken" not in (await door(client, clerk, "SECRET!")).text
    assert "is taken" in (await door(client, clerk, "SECRET")).text


async def test_the_lines_of_an_import_count_unless_it_adds_them_or_its_caller_may_see_codes(
    client: httpx.AsyncClient, tenant: Tenant, clerk: Headers
) -> None:
    def send(headers: Headers, lines: str, query: str = "") -> Awaitable[httpx.Response]:
        content = f"name,discountPercent\n{lines}"
        url = f"{ROOT}/promo-code-imports{query}"
        return client.post(url, content=content, headers=headers | {"Content-Type": "text/csv"})

    assert (await send(clerk, "A11,5\nA12,5\nA13,5\n")).status_code == 201
    for query in ("", "?dryRun=true"):
        assert (await send(tenant.bearer, "B11,5\nB12,5\nSECRET,5\n", query)).status_code == 400
    assert (await send(clerk, "B11,5\nB12,5\nSPRING,5\n")).status_code == 400
    refused = await send(clerk, "A14,5\n")
    assert (refused.status_code, message_of(refused)) == (429, MESSAGE)
    assert 60 < int(refused.headers["Retry-After"]) <= 120


async def test_the_lines_of_an_import_that_ends_in_an_outage_cost_nothing(
    client: httpx.AsyncClient, superuser: psycopg.Connection[Any], clerk: Headers
) -> None:
    url, headers = f"{ROOT}/promo-code-imports", clerk | {"Content-Type": "text/csv"}
    with superuser.transaction():
        superuser.execute("lock table audit_entries")  # to which an import adds an entry at its end
        answer = await client.post(url, content="name,discountPercent\nA11,5\nA12,5\nA13,5\n", headers=headers)
    assert answer.status_code == 503
    assert (await imported(client, clerk, "GUESS")).status_code == 200


async def test_the_lines_of_an_import_of_vouchers_count(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, clerk: Headers
) -> None:
    partner, program = await add_partner(resources, tenant, "Shop"), await add_program(resources, tenant, "Shops")
    url = f"{ROOT}/voucher-imports?partnerId={partner}&programId={program}&dryRun=true"
    headers = clerk | {"Content-Type": "text/csv"}
    answers = [await client.post(url, content="code\nGUESS1\nGUESS2\n", headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]


async def test_a_shop_that_sees_only_its_own_redemptions_guesses_nothing_by_their_list(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    shop = await add_user(resources, tenant, "shop@example.com", function_points=(FunctionPoint.STOREFRONT_REDEEM,))
    answers = [status_and_body(await redemptions(client, shop, "SECRET")) for _ in range(4)]
    assert {status for status, _ in answers} == {200}
