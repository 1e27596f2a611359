"""Requests that share a transaction: each caller gets the answer to its own request, whatever the others ask for."""

import asyncio
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest
from tests.conftest import NOW
from tests.support import citus
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.promo_code_requests import request
from tests.support.redemption_requests import URL, body, candidate
from tests.support.responses import status_and_body
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_vouchers, voucher

from tessera.api.serving.resources import Resources

COUNT = 30


class Asked(NamedTuple):
    """A request, and what its answer must be or contain."""

    method: str
    path: str
    headers: dict[str, str]
    json: Any
    status: int
    expected: dict[str, Any]


@pytest.fixture
async def tenants(resources: Resources, tenant: Tenant, other_tenant: Tenant) -> tuple[Tenant, Tenant]:
    """Two organizations with codes and vouchers of the same names but other discounts."""
    for each, percent in ((tenant, 10), (other_tenant, 20)):
        codes = [
            percent_code(each, f"CODE{number}", discount_percent=percent + number, max_redemptions=1 + number % 2)
            for number in range(COUNT)
        ]
        await add_promo_codes(resources, each, *codes, now=NOW)
        partner = await add_partner(resources, each, "Acme Corp")
        program = await add_program(resources, each, "Open")
        purchase = await add_purchase(resources, each, partner, program, "VP-1", quantity=COUNT)
        vouchers = [voucher(purchase, partner, f"V-{number}") for number in range(COUNT)]
        await add_vouchers(resources, each, *vouchers)
    return tenant, other_tenant


def validations(tenant: Tenant, base: int) -> list[Asked]:
    path = "/api/v1/promo-codes"
    asked = []
    for number in range(COUNT):
        good = {"data": [{"percentDiscount": base + number}]}
        asked.append(Asked("GET", f"{path}?code=CODE{number}", tenant.api_key, None, 200, good))
        asked.append(Asked("GET", f"{path}?code=NO{number}", tenant.api_key, None, 404, {"success": False}))
        asked.append(Asked("GET", f"{path}?code=CODE{number}", {"cv-api-key": "x"}, None, 401, {"status": 401}))
        malformed = f"{path}?code=CODE{number}&product_bundle_id=x"
        asked.append(Asked("GET", malformed, tenant.api_key, None, 400, {"success": False}))
    return asked


def creations(tenant: Tenant, base: int) -> list[Asked]:
    asked = []
    for number in range(COUNT):
        name, percent = f"NEW{number}", base + number
        new = request(promoCodeName=name, discountPercent=percent)
        good = {"promoCodeName": name, "discountPercent": percent}
        asked.append(Asked("POST", "/promo-codes", tenant.bearer, new, 201, good))
        taken = request(promoCodeName=f"CODE{number}")
        asked.append(Asked("POST", "/promo-codes", tenant.bearer, taken, 400, {"errorCode": "ValidationFailed"}))
        unknown = request(promoCodeName=f"BAD{number}", storeExamCodes=[f"X-{number}"])
        words = {"errorMessages": [f"storeExamCodes has unknown store exams: 'X-{number}'."]}
        asked.append(Asked("POST", "/promo-codes", tenant.bearer, unknown, 400, words))
    return asked


def redemptions(tenant: Tenant, base: int) -> list[Asked]:
    asked = []
    for number in range(COUNT):
        reservation = f"RSV-{base}-{number}"
        good = {"reservationCode": reservation, "discount": base + number, "code": f"CODE{number}"}
        content = body(f"CODE{number}", reservation, candidate=candidate(f"P-{number}"))
        asked.append(Asked("POST", URL, tenant.api_key, content, 201, good))
        unknown = body(f"NO{number}", f"{reservation}-x")
        asked.append(Asked("POST", URL, tenant.api_key, unknown, 409, {"status": 409}))
        asked.append(Asked("POST", URL, tenant.api_key, {"code": "CODE1"}, 400, {"status": 400}))
        paid = body(f"V-{number}", f"{reservation}-v", candidate=candidate(f"W-{number}"), holdSeconds=60 + number)
        until = (NOW + timedelta(seconds=60 + number)).strftime("%Y-%m-%dT%H:%M:%SZ")
        held = {"reservationCode": f"{reservation}-v", "heldUntil": until, "code": f"V-{number}", "status": "Held"}
        asked.append(Asked("POST", URL, tenant.api_key, paid, 201, held))
    return asked


@pytest.mark.parametrize("ask", [validations, creations, redemptions])
async def test_each_caller_gets_the_answer_to_its_own_request(
    client: httpx.AsyncClient, tenants: tuple[Tenant, Tenant], ask: Any
) -> None:
    lists = [ask(each, base) for each, base in zip(tenants, (10, 20), strict=True)]
    asked = [each for pair in zip(*lists, strict=True) for each in pair]
    answers = await asyncio.gather(
        *(client.request(each.method, each.path, headers=each.headers, json=each.json) for each in asked)
    )
    for each, answer in zip(asked, answers, strict=True):
        status, content = status_and_body(answer)
        told = {name: content.get(name) for name in each.expected}
        assert (status, told) == (each.status, each.expected), each.json


async def test_vouchers_of_several_candidates_in_one_transaction_stay_apart(
    client: httpx.AsyncClient, tenants: tuple[Tenant, Tenant], superuser: psycopg.Connection[Any]
) -> None:
    own, other = tenants
    held = [
        body(f"V-{number}", f"RSV-{number}", candidate=candidate(f"P-{number}"), holdSeconds=60 + number)
        for number in range(COUNT)
    ]
    used = [body(f"V-{number}", f"RSV-{number}", candidate=candidate(f"P-{number}")) for number in range(COUNT)]
    holds = await asyncio.gather(*(client.post(URL, json=each, headers=own.api_key) for each in held))
    uses = await asyncio.gather(*(client.post(URL, json=each, headers=other.api_key) for each in used))
    assert [answer.status_code for answer in uses] == [201] * COUNT
    expected_holds = [
        (f"V-{number}", answer.json()["id"], NOW + timedelta(seconds=60 + number))
        for number, answer in enumerate(holds)
    ]
    query = "select code, held_by::text, held_until from vouchers where organization_id = %s and held_by is not null"
    assert sorted(superuser.execute(query, [own.id]).fetchall()) == sorted(expected_holds)
    query = "select code, reservation_code, used_by_person_id, used_at from vouchers where organization_id = %s"
    expected_uses: list[tuple[str, str, str, datetime]] = [
        (f"V-{number}", f"RSV-{number}", f"P-{number}", NOW) for number in range(COUNT)
    ]
    assert sorted(superuser.execute(query, [other.id]).fetchall()) == sorted(expected_uses)


FAILING_COMMIT = """
create sequence commits;
grant usage on sequence commits to public;
create function fail_commit() returns trigger language plpgsql as $$
begin
    perform nextval('commits');
    raise exception using errcode = 'XX000', message = 'a node was lost during the commit';
end $$;
create constraint trigger fail_commit after insert on promo_codes deferrable initially deferred
for each row when (new.name like 'LOST%') execute function fail_commit();
"""


@citus.plain_postgres_only("distributed tables have no triggers")
async def test_a_batch_whose_commit_may_have_succeeded_is_not_executed_again(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection[Any]
) -> None:
    superuser.execute(FAILING_COMMIT)
    try:
        asked = [request(promoCodeName=f"LOST{number}") for number in range(20)]
        answers = await asyncio.gather(
            *(client.post("/promo-codes", json=each, headers=tenant.bearer) for each in asked)
        )
        ((commits,),) = superuser.execute("select last_value from commits").fetchall()
    finally:
        superuser.execute("drop function fail_commit cascade; drop sequence commits")
    assert [answer.status_code for answer in answers] == [503] * 20
    assert commits <= 4  # the first rows of as many batches
