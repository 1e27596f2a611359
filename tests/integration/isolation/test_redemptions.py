"""Two organizations with equal codes and equal reservations: with both locks, and with only one of them."""

from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy.exc import DBAPIError
from tests.conftest import NOW, app_on
from tests.integration.isolation.conftest import without_tenant_clause
from tests.support.citus import NEEDS_ITS_ORGANIZATION, plain_postgres_only
from tests.support.factories import Tenant, add_platform, add_promo_codes, percent_code
from tests.support.narrowing import narrow
from tests.support.recording import rewrite_statements
from tests.support.redemption_requests import (
    RESERVATIONS,
    URL,
    act,
    body,
    create_redemption,
    reasons,
    redeem,
    update_reservation,
)
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_user, add_vouchers, voucher

from tessera.api.serving.resources import Resources
from tessera.kit.db.database import Database
from tessera.kit.identifiers import new_id

MISSING = "00000000-0000-7000-8000-000000000000"
TABLES = ("reservations", "redemptions", "redemption_ledger")


async def furnish(resources: Resources, tenant: Tenant, *, own: str) -> None:
    same = percent_code(tenant, "SAME", max_redemptions=1)
    await add_promo_codes(resources, tenant, same, percent_code(tenant, own, max_redemptions=1), now=NOW)
    partner = await add_partner(resources, tenant, "Acme Corp")
    purchase = await add_purchase(resources, tenant, partner, await add_program(resources, tenant, "Program"), "VP-1")
    await add_vouchers(resources, tenant, voucher(purchase, partner, "PAID"), voucher(purchase, partner, f"V-{own}"))


@pytest.fixture
async def shops(resources: Resources, tenant: Tenant, other_tenant: Tenant) -> tuple[Tenant, Tenant]:
    await furnish(resources, tenant, own="FIRST")
    await furnish(resources, other_tenant, own="SECOND")
    return tenant, other_tenant


async def list_ids(client: httpx.AsyncClient, shop: Tenant, query: str) -> list[str]:
    data = (await client.get(f"{URL}?{query}", headers=shop.api_key)).json()["data"]
    return [each["id"] for each in data]


async def test_equal_codes_and_reservations_of_two_organizations_never_meet(
    guarded_client: httpx.AsyncClient, shops: tuple[Tenant, Tenant]
) -> None:
    client = guarded_client
    for code in ("SAME", "PAID"):
        redemptions = [await create_redemption(client, shop, code, holdSeconds=60) for shop in shops]
        for shop, own in zip(shops, redemptions, strict=True):
            assert (await create_redemption(client, shop, code, holdSeconds=60)) == own
            assert (await act(client, shop, own, "confirm")).status_code == 200
            for query in ("", "personId=P-1&", "reservationCode=RSV-1&", "status=Redeemed&"):
                assert await list_ids(client, shop, f"{query}code={code}") == [own["id"]]
            await act(client, shop, own, "cancel")
    for shop in shops:
        await create_redemption(client, shop, "SAME")
        assert (
            await update_reservation(client, shop, "RSV-1", "Rescheduled", reservationCode="RSV-2")
        ).status_code == 200
    response = await update_reservation(client, shops[0], "RSV-2", "Cancelled")
    assert [each["status"] for each in response.json()["redemptions"]] == ["Cancelled"] * 3
    other = await client.get(f"{RESERVATIONS}/RSV-2", headers=shops[1].api_key)
    assert [each["status"] for each in other.json()["redemptions"]] == ["Cancelled", "Cancelled", "Redeemed"]
    assert reasons(await redeem(client, shops[1], "SAME", "RSV-3")) == [("/code", "UsedUp")]
    await create_redemption(client, shops[0], "SAME", "RSV-3")


async def test_what_only_another_organization_has_is_not_found(
    guarded_client: httpx.AsyncClient, shops: tuple[Tenant, Tenant]
) -> None:
    client, (first, second) = guarded_client, shops
    for code in ("SECOND", "V-SECOND"):
        assert reasons(await redeem(client, first, code)) == [("/code", "NotFound")]
    bundle = {"storeExamCode": None, "productBundleId": str(second.bundle_id)}
    assert reasons(await redeem(client, first, "SAME", **bundle)) == [("/productBundleId", "ProductNotFound")]
    theirs = await create_redemption(client, second, "V-SECOND", "RSV-9", holdSeconds=60)
    for each in (theirs, {"id": MISSING}):
        answers = [await client.get(f"{URL}/{each['id']}", headers=first.api_key)]
        answers += [await act(client, first, each, action) for action in ("confirm", "release", "cancel")]
        response = {(answer.status_code, answer.json()["detail"]) for answer in answers}
        assert response == {(404, "There is no such redemption.")}
    assert (await client.get(f"{RESERVATIONS}/RSV-9", headers=first.api_key)).status_code == 404
    assert (await update_reservation(client, first, "RSV-9", "Cancelled")).status_code == 404
    for query in ("", "code=V-SECOND", "reservationCode=RSV-9", "personId=P-1", "status=Held"):
        assert await list_ids(client, first, query) == []
    assert (await client.get(f"{URL}/{theirs['id']}", headers=second.api_key)).json() == theirs


async def test_a_key_of_one_organization_is_not_the_others(
    guarded_client: httpx.AsyncClient, shops: tuple[Tenant, Tenant]
) -> None:
    answers = []
    for shop in shops:
        headers = shop.api_key | {"Idempotency-Key": "k-1"}
        answers.append(await guarded_client.post(URL, json=body("SAME"), headers=headers))
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["id"] != answers[1].json()["id"]


@plain_postgres_only(NEEDS_ITS_ORGANIZATION)
async def test_without_either_lock_another_organization_is_visible(
    resources: Resources, superuser_database: Database, shops: tuple[Tenant, Tenant], client: httpx.AsyncClient
) -> None:
    theirs = await create_redemption(client, shops[1], "SECOND")
    app = app_on(superuser_database, resources)
    with rewrite_statements(superuser_database, without_tenant_clause):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as open_client:
            answer = await open_client.get(f"{URL}/{theirs['id']}", headers=shops[0].api_key)
    assert answer.json()["id"] == theirs["id"]


async def test_a_global_code_is_shared_and_its_redemptions_are_not(
    guarded_client: httpx.AsyncClient, resources: Resources, shops: tuple[Tenant, Tenant], superuser: psycopg.Connection
) -> None:
    name = f"G{new_id().hex}"
    code = percent_code(shops[0], name, max_redemptions=2, store_exam_ids=())
    await add_promo_codes(resources, add_platform(superuser, shops[0]), code, now=NOW)
    redemptions = [await create_redemption(guarded_client, shop, name, holdSeconds=60) for shop in shops]
    assert reasons(await redeem(guarded_client, shops[0], name, "RSV-2")) == [("/code", "UsedUp")]
    for shop, own in zip(shops, redemptions, strict=True):
        assert await list_ids(guarded_client, shop, f"code={name}") == [own["id"]]
    assert (await act(guarded_client, shops[1], redemptions[1], "release")).status_code == 200
    await create_redemption(guarded_client, shops[0], name, "RSV-2")


@pytest.fixture
async def partners_user(resources: Resources, tenant: Tenant) -> dict[str, str]:
    """Headers of a voucher partner's user."""
    partner = await add_partner(resources, tenant, "Partner")
    return await add_user(resources, tenant, "eve@example.com", partner_id=partner)


async def test_a_voucher_partners_user_has_no_storefront(
    guarded_client: httpx.AsyncClient, shops: tuple[Tenant, Tenant], partners_user: dict[str, str]
) -> None:
    client = guarded_client
    redemption = await create_redemption(client, shops[0], "SAME", holdSeconds=60)
    answers = [
        await client.post(URL, json=body("PAID"), headers=partners_user),
        await client.post(URL, json={}, headers=partners_user),
        await client.get(URL, headers=partners_user),
        await client.get(f"{URL}/{redemption['id']}", headers=partners_user),
        *[
            await client.post(f"{URL}/{redemption['id']}/{each}", headers=partners_user)
            for each in ("confirm", "release")
        ],
        await client.post(f"{URL}/{redemption['id']}/cancel", headers=partners_user),
        await client.get(f"{RESERVATIONS}/RSV-1", headers=partners_user),
        await client.put(f"{RESERVATIONS}/RSV-1", json={"status": "Cancelled"}, headers=partners_user),
        await client.post("/storefront/v1/validations", json={}, headers=partners_user),
    ]
    assert {(answer.status_code, answer.json()["type"].rpartition(":")[2]) for answer in answers} == {
        (403, "function-point-missing")
    }


@pytest.mark.parametrize("table", TABLES)
async def test_a_voucher_partners_user_sees_no_redemption_even_past_the_application(
    client: httpx.AsyncClient, resources: Resources, shops: tuple[Tenant, Tenant], table: str
) -> None:
    await create_redemption(client, shops[0], "SAME")
    partner = await add_partner(resources, shops[0], "Partner")
    async with resources.database.unit_of_work(shops[0].id) as work:
        count = f"select count(*) from {table}"
        assert (await work.connection.exec_driver_sql(count)).scalar_one() == 1
        narrowed = await narrow(work, partner)
        assert (await narrowed.connection.exec_driver_sql(count)).scalar_one() == 0


@pytest.mark.parametrize(
    "statement",
    [
        "insert into reservations select %(other)s, gen_random_uuid(), code, status, null, created_at, updated_at"
        " from reservations",
        "update redemptions set organization_id = %(other)s",
        "update reservations set organization_id = %(other)s",
        "delete from redemptions",
        "delete from reservations",
        "delete from redemption_ledger",
        "update redemption_ledger set redeemed_change = 0",
    ],
)
async def test_nothing_is_written_for_another_and_nothing_that_was_written_down_is_taken_away(
    client: httpx.AsyncClient, resources: Resources, shops: tuple[Tenant, Tenant], statement: str
) -> None:
    await create_redemption(client, shops[0], "SAME")
    other: dict[str, Any] = {"other": shops[1].id}
    with pytest.raises(DBAPIError, match=r"row-level security|permission denied|modifying the partition value"):
        async with resources.database.unit_of_work(shops[0].id) as work:
            await work.connection.exec_driver_sql(statement, other)


async def test_functions_of_the_database_reach_no_other_organization(
    client: httpx.AsyncClient, resources: Resources, shops: tuple[Tenant, Tenant], superuser: psycopg.Connection
) -> None:
    held = await create_redemption(client, shops[1], "SECOND", holdSeconds=1)
    code = superuser.execute(
        "select id from promo_codes where organization_id = %s and name = 'SECOND'", [shops[1].id]
    ).fetchone()
    assert code is not None
    async with resources.database.unit_of_work(shops[0].id) as work:
        execute = work.connection.exec_driver_sql
        await execute("select lock_promo_codes('{second}', %s::uuid[], '2030-01-01')", ([code[0]],))
        await execute("select count_promo_code_uses(%s::uuid[], '{1}', '{0}')", ([code[0]],))
        for function in ("list_lapsed_holds('2030-01-01')", "sum_ledger_of_global_codes()"):
            assert (await execute(f"select * from {function}")).all() == []
    counts = superuser.execute("select redemption_count, held_count from promo_codes where id = %s", code).fetchone()
    status = superuser.execute("select status from redemptions where id = %s", [held["id"]]).fetchone()
    assert (counts, status) == ((0, 1), ("Held",))
