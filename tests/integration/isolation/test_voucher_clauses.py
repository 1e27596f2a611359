"""Tests of the tests: each of the two locks on vouchers is really off where a test says so."""

from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy.exc import DBAPIError
from tests.conftest import app_on
from tests.support.citus import NEEDS_ITS_ORGANIZATION, plain_postgres_only
from tests.support.factories import Tenant
from tests.support.narrowing import narrow
from tests.support.recording import record_statements, rewrite_statements
from tests.support.responses import status_and_body, validation_failed
from tests.support.voucher_factories import add_purchase, add_user
from tests.support.voucher_requests import NO_FUNCTION_POINT, request
from tests.support.voucher_shops import (
    TENANT_CLAUSE,
    Shop,
    furnish,
    ids,
    unlocked_database,
    without_clauses,
    without_partner_clauses,
)

from tessera.api.serving.resources import Resources
from tessera.kit.db.database import Database
from tessera.provision import Addresses

ROOT = "/api/vouchers"
LISTS = ("/partners", "/programs", "/purchases?status=Complete", "?isUsed=true")


@pytest.fixture
async def superuser_database(addresses: Addresses) -> AsyncIterator[Database]:
    async with unlocked_database(addresses) as database:
        yield database


@pytest.fixture
async def shop(resources: Resources, tenant: Tenant) -> Shop:
    return await furnish(resources, tenant)


@pytest.mark.parametrize("path", LISTS)
async def test_without_either_lock_the_other_partner_is_seen(
    resources: Resources, superuser_database: Database, shop: Shop, path: str
) -> None:
    app = app_on(superuser_database, resources)
    with rewrite_statements(superuser_database, without_partner_clauses):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
            narrow = await client.get(ROOT + path, headers=shop.headers["Acme"])
            wide = await client.get(ROOT + path, headers=shop.headers[""])
    assert [each["id"] for each in narrow.json()["data"]] == [each["id"] for each in wide.json()["data"]]
    assert len(wide.json()["data"]) > 1


@plain_postgres_only(NEEDS_ITS_ORGANIZATION)
@pytest.mark.parametrize(("path", "count"), list(zip(LISTS, (1, 2, 1, 1), strict=True)))
async def test_the_partners_clauses_are_really_taken_out(
    client: httpx.AsyncClient, resources: Resources, shop: Shop, path: str, count: int
) -> None:
    changed: list[str] = []

    def take_out(text: str) -> str:
        result = without_clauses(text)
        if result != TENANT_CLAUSE.sub("true", text):
            changed.append(result)
        return result

    with rewrite_statements(resources.database, take_out), record_statements(resources.database) as sent:
        assert (await client.get(ROOT + path, headers=shop.headers["Acme"])).status_code == 200
    assert len(changed) == count
    assert not [each.text for each in sent if TENANT_CLAUSE.search(each.text)]


@pytest.mark.parametrize("path", LISTS)
async def test_a_partners_user_needs_the_function_point_too(
    client: httpx.AsyncClient, resources: Resources, shop: Shop, path: str
) -> None:
    partner = shop.partners["Acme"]
    headers = await add_user(resources, shop.tenant, "x@example.com", partner_id=partner, function_points=())
    assert status_and_body(await client.get(ROOT + path, headers=headers)) == NO_FUNCTION_POINT
    body = request(partnerName="Acme", programName="Open")
    assert status_and_body(await client.post(f"{ROOT}/purchases", headers=headers, json=body)) == NO_FUNCTION_POINT


@plain_postgres_only("a purchase of a closed program shows the program at its next change")
async def test_a_purchase_of_a_program_that_was_closed_since_stays_in_its_partners_sight(
    client: httpx.AsyncClient, resources: Resources, shop: Shop
) -> None:
    # A partner keeps its purchases when a program is no longer open or assigned to it.
    bought = await add_purchase(resources, shop.tenant, shop.partners["Acme"], shop.programs["Nobody's"], "VP-OLD")
    for query in ("purchaseCode=VP-OLD", "programName=nobody's", "programName=Nobody's&status=Complete"):
        answer = await client.get(f"{ROOT}/purchases?{query}", headers=shop.headers["Acme"])
        assert [(each["id"], each["programName"]) for each in answer.json()["data"]] == [(str(bought), "Nobody's")]
    assert (await client.get(f"{ROOT}/purchases?{query}", headers=shop.headers["Globex"])).json() == {"data": []}


async def test_a_program_that_was_closed_since_is_neither_listed_nor_sold(
    client: httpx.AsyncClient, resources: Resources, shop: Shop
) -> None:
    await add_purchase(resources, shop.tenant, shop.partners["Acme"], shop.programs["Nobody's"], "VP-OLD")
    answer = await client.get(f"{ROOT}/programs", headers=shop.headers["Acme"])
    assert [each["id"] for each in answer.json()["data"]] == ids(shop.programs, ("Open", "Acme's", "Shared"))
    body = request(partnerName="Acme", programName="Nobody's")
    refusal = validation_failed("programName was not found: 'Nobody's'.")
    assert status_and_body(await client.post(f"{ROOT}/purchases", headers=shop.headers["Acme"], json=body)) == refusal


@pytest.mark.parametrize(
    "statement",
    [
        "insert into voucher_purchases (organization_id, id, partner_id, program_id, code, status, quantity,"
        " quantity_used, amount_paid, notes, is_archived, purchased_by_first_name, purchased_by_last_name,"
        " purchased_at, amount, version) select organization_id, gen_random_uuid(), %(other)s, program_id, 'X', status,"
        " quantity, 0, 0, notes, false, 'A', 'B', purchased_at, 0, 1 from voucher_purchases",
        "update voucher_purchases set partner_id = %(other)s",
        "update vouchers set partner_id = %(other)s",
        "insert into voucher_program_partners select organization_id, id, %(other)s from voucher_programs",
        "insert into voucher_partners values (%(tenant)s, gen_random_uuid(), 'New', default, 'Active', now(), 1)",
    ],
)
async def test_a_partners_user_cannot_write_for_another(resources: Resources, shop: Shop, statement: str) -> None:
    values = {"other": shop.partners["Globex"], "tenant": shop.tenant.id}

    async def write() -> None:
        async with resources.database.unit_of_work(shop.tenant.id) as work:
            narrowed = await narrow(work, shop.partners["Acme"])
            await narrowed.connection.exec_driver_sql(statement, values)

    with pytest.raises(DBAPIError, match="row-level security"):
        await write()


@pytest.mark.parametrize(
    "statement",
    [
        "update voucher_programs set name = name || '!'",
        "delete from voucher_program_discounts",
        "update store_exams set price = 0",
        "update users set is_active = false",
        "update voucher_partners set status = 'Active'",
        "update organizations set name = 'Mine'",
        "update api_clients set revoked_at = null",
        "update api_keys set revoked_at = null",
        "update issued_tokens set revoked_at = null",
    ],
)
async def test_a_partners_user_changes_nothing_that_is_the_organizations(
    resources: Resources, shop: Shop, statement: str
) -> None:
    async with resources.database.unit_of_work(shop.tenant.id) as work:
        partner = await narrow(work, shop.partners["Acme"])
        assert (await partner.connection.exec_driver_sql(statement)).rowcount == 0


@pytest.mark.parametrize("table", ["api_clients", "api_keys", "issued_tokens"])
async def test_a_partners_user_sees_no_credentials(resources: Resources, shop: Shop, table: str) -> None:
    async with resources.database.unit_of_work(shop.tenant.id) as work:
        count = f"select count(*) from {table}"
        assert (await work.connection.exec_driver_sql(count)).scalar_one() > 0
        partner = await narrow(work, shop.partners["Acme"])
        assert (await partner.connection.exec_driver_sql(count)).scalar_one() == 0
