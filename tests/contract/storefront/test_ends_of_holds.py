"""The instant at which a hold ends, at every door that it closes; and codes full of lapsed holds."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from tests.conftest import NOW, Clock
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.jobs import job_context
from tests.support.redemption_requests import URL, act, body, candidate, create_redemption, redeem
from tests.support.reporting import open_shop

from tessera.api.serving.resources import Resources
from tessera.kit.db.database import Database
from tessera.redemptions import jobs
from tessera.redemptions.expiry import service as expiry

BEFORE, AT = NOW + timedelta(seconds=59), NOW + timedelta(seconds=60)


@pytest.fixture
async def shop(resources: Resources, tenant: Tenant) -> Tenant:
    """A tenant with a voucher PAID, and promo codes for one use and for one use of each candidate."""
    await open_shop(resources, tenant)
    codes = [
        percent_code(tenant, "ONCE", max_redemptions=1),
        percent_code(tenant, "EACH", max_redemptions=None, max_redemptions_per_candidate=1),
        percent_code(tenant, "THRICE", max_redemptions=3),
    ]
    await add_promo_codes(resources, tenant, *codes, now=NOW)
    return tenant


async def is_open(client: httpx.AsyncClient, tenant: Tenant, code: str) -> dict[str, bool]:
    """Whether each door that reads lets a candidate use the code."""
    question = {"codes": [code], "storeExamCode": "NCA-GENL", "candidate": {"personId": "P-1"}}
    validation = await client.post("/storefront/v1/validations", json=question, headers=tenant.api_key)
    doors = {"storefront": validation.json()["results"][0]["isValid"]}
    if code in ("ONCE", "THRICE"):
        answer = await client.get(f"/api/v1/promo-codes?code={code}", headers=tenant.api_key)
        doors["CareValidate"] = answer.json()["success"]
    return doors


@pytest.mark.parametrize("code", ["ONCE", "EACH", "PAID"])
async def test_a_hold_closes_every_door_until_its_end_and_not_at_it(
    client: httpx.AsyncClient, shop: Tenant, clock: Clock, code: str
) -> None:
    held = await create_redemption(client, shop, code, "RSV-1", holdSeconds=60)
    clock.now = BEFORE
    assert set((await is_open(client, shop, code)).values()) == {False}
    assert (await redeem(client, shop, code, "RSV-2")).status_code == 409
    clock.now = AT
    assert set((await is_open(client, shop, code)).values()) == {True}
    assert (await act(client, shop, held, "confirm")).status_code == 409
    assert (await redeem(client, shop, code, "RSV-2")).status_code == 201


async def test_a_hold_is_confirmed_in_its_last_second(client: httpx.AsyncClient, shop: Tenant, clock: Clock) -> None:
    held = await create_redemption(client, shop, "ONCE", "RSV-1", holdSeconds=60)
    clock.now = BEFORE
    assert (await act(client, shop, held, "confirm")).json()["status"] == "Redeemed"


@pytest.mark.parametrize("code", ["BRIEF", "PAID"])
async def test_a_code_that_expires_while_it_is_held_stays_valid_for_its_reservation(
    client: httpx.AsyncClient,
    shop: Tenant,
    clock: Clock,
    resources: Resources,
    superuser: psycopg.Connection,
    code: str,
) -> None:
    expiry = NOW + timedelta(seconds=30)
    if code == "BRIEF":
        await add_promo_codes(
            resources, shop, percent_code(shop, "BRIEF", max_redemptions=1, expires_at=expiry), now=NOW
        )
    else:
        superuser.execute("update vouchers set expires_at = %s where organization_id = %s", [expiry, shop.id])
    held = await create_redemption(client, shop, code, "RSV-1", holdSeconds=60)
    clock.now = BEFORE
    question = {"codes": [code], "storeExamCode": "NCA-GENL"}
    results = []
    for reservation in ("RSV-1", "RSV-2"):
        content = question | {"reservationCode": reservation}
        answer = await client.post("/storefront/v1/validations", json=content, headers=shop.api_key)
        results.append(answer.json()["results"][0])
    own, other = results
    assert (own["reasons"], own["remainingUses"], own["finalPrice"]) == ([], 1, held["finalPrice"])
    assert own["validUntil"] == held["heldUntil"]
    assert "Expired" in [reason["code"] for reason in other["reasons"]]
    assert (await redeem(client, shop, code, "RSV-1")).json()["status"] == "Redeemed"


async def test_the_reservation_that_holds_a_use_of_a_code_sees_how_many_are_left_with_it(
    client: httpx.AsyncClient, shop: Tenant, resources: Resources
) -> None:
    await add_promo_codes(resources, shop, percent_code(shop, "THREE", max_redemptions=3), now=NOW)
    await create_redemption(client, shop, "THREE", "RSV-1", holdSeconds=60)
    question = {"codes": ["THREE"], "storeExamCode": "NCA-GENL"}
    left = {}
    for reservation in ("RSV-1", "RSV-2"):
        content = question | {"reservationCode": reservation}
        answer = await client.post("/storefront/v1/validations", json=content, headers=shop.api_key)
        left[reservation] = answer.json()["results"][0]["remainingUses"]
    assert left == {"RSV-1": 3, "RSV-2": 2}


async def test_a_code_full_of_lapsed_holds_has_all_its_uses(
    client: httpx.AsyncClient, shop: Tenant, clock: Clock
) -> None:
    for number in range(3):
        await create_redemption(client, shop, "THRICE", f"RSV-{number}", holdSeconds=60)
    assert set((await is_open(client, shop, "THRICE")).values()) == {False}
    clock.now = AT
    assert set((await is_open(client, shop, "THRICE")).values()) == {True}
    statuses = [(await redeem(client, shop, "THRICE", f"RSV-{number}")).status_code for number in range(3, 7)]
    assert statuses == [201, 201, 201, 409]


async def test_one_run_of_the_job_expires_more_holds_than_one_pass_finds(
    client: httpx.AsyncClient,
    resources: Resources,
    shop: Tenant,
    clock: Clock,
    superuser: psycopg.Connection[Any],
) -> None:
    async def hold(number: int) -> None:
        content = body("SPRING" if number < 50 else "EACH", f"RSV-{number}", candidate=candidate(f"P-{number}"))
        answer = await client.post(URL, json=content | {"holdSeconds": 60}, headers=shop.api_key)
        assert answer.status_code == 201, answer.text

    await asyncio.gather(*map(hold, range(201)))
    clock.now = AT
    await jobs.expire_holds(job_context(resources, clock), 0)
    query = "select status, count(*) from redemptions where organization_id = %s group by status"
    assert superuser.execute(query, [shop.id]).fetchall() == [("Expired", 201)]


async def test_only_lapsed_holds_are_expired(
    client: httpx.AsyncClient,
    resources: Resources,
    shop: Tenant,
    clock: Clock,
    superuser: psycopg.Connection[Any],
) -> None:
    holds = [
        await create_redemption(client, shop, "SPRING", f"RSV-{seconds}", holdSeconds=seconds) for seconds in (60, 61)
    ]
    ids = [UUID(each["id"]) for each in holds]
    clock.now = AT
    database: Database = resources.database
    async with database.unit_of_work(shop.id) as work:
        await expiry.expire(work, {work.organization_id: ids}, now=clock.now)
    query = "select id, status from redemptions where organization_id = %s"
    assert dict(superuser.execute(query, [shop.id]).fetchall()) == dict(zip(ids, ("Expired", "Held"), strict=True))
