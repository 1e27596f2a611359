"""Lists of one row and of a hundred take the same number of statements, whatever is nested in them."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from tests.support import citus
from tests.support.factories import Tenant
from tests.support.purchasing import REQUEST, open_market
from tests.support.recording import record_statements
from tests.support.voucher_factories import (
    add_partner,
    add_program,
    add_purchase,
    add_user,
    fill_partners,
    fill_programs,
    fill_purchases,
    fill_vouchers,
)

from tessera.api.serving.resources import Resources

# Each begins with two: for the caller, and for the transaction, which narrows a partner's user as it begins.
EXPECTED = {
    "/partners": 4,  # and the page, users
    "/programs": 7,  # and the page, discounts, partners, domains, exams
    "/purchases?status=Complete": 3,
    "?isUsed=false": 3,
}
NESTED = (
    "insert into voucher_program_discounts (organization_id, program_id, id, quantity, percent)"
    " select organization_id, id, gen_random_uuid(), quantity, 5 from voucher_programs, generate_series(1, 3) quantity",
    "insert into voucher_program_email_domains (organization_id, program_id, id, domain)"
    " select organization_id, id, gen_random_uuid(), 'd' || n || '.example.com'"
    " from voucher_programs, generate_series(1, 3) n",
    "insert into voucher_program_store_exams (organization_id, program_id, store_exam_id, position)"
    " select p.organization_id, p.id, e.id, 1 from voucher_programs p join store_exams e using (organization_id)",
    "insert into voucher_program_partners (organization_id, program_id, partner_id)"
    " select p.organization_id, p.id, v.id from voucher_programs p join voucher_partners v using (organization_id)",
    "insert into users (organization_id, id, email, first_name, last_name, function_points, is_active, created_at,"
    " partner_id, version) select organization_id, gen_random_uuid(), id || '.' || n || '@example.com', 'A', 'B',"
    " '{}', true, now(), id, 1 from voucher_partners, generate_series(1, 2) n",
)


def fill(connection: psycopg.Connection[Any], tenant: Tenant, count: int, partner_id: UUID, purchase_id: UUID) -> None:
    """Add partners and programs with all nested objects, and purchases and vouchers."""
    fill_partners(connection, tenant, count)
    fill_programs(connection, tenant, count)
    program_id = UUID("00000000-0000-7000-8000-000000000001")
    fill_purchases(connection, tenant, count, partner_id=partner_id, program_id=program_id)
    fill_vouchers(connection, tenant, count, partner_id=partner_id, purchase_id=purchase_id)
    for statement in NESTED:
        alias = "p." if "voucher_programs p" in statement else ""
        connection.execute(f"{statement} where {alias}organization_id = %s", [tenant.id])


@pytest.fixture(params=[1, 90])
async def filled_tables(
    request: pytest.FixtureRequest, resources: Resources, tenant: Tenant, superuser: psycopg.Connection[Any]
) -> tuple[int, UUID]:
    """The number of rows beside the first, and the partner of the purchases and vouchers."""
    partner_id = await add_partner(resources, tenant, "Own")
    program_id = await add_program(resources, tenant, "Own", store_exam_ids=())
    purchase_id = await add_purchase(resources, tenant, partner_id, program_id, "VP-OWN")
    fill(superuser, tenant, request.param, partner_id, purchase_id)
    return request.param, partner_id


async def count(client: httpx.AsyncClient, resources: Resources, headers: dict[str, str], path: str) -> tuple[int, int]:
    """The number of statements and of rows of a list."""
    with record_statements(resources.database) as sent:
        answer = await client.get(f"/api/vouchers{path}", headers=headers)
    assert answer.status_code == 200
    return len(sent), len(answer.json()["data"])


@pytest.mark.parametrize("path", EXPECTED)
async def test_the_organizations_lists_take_as_many_statements_for_many_rows_as_for_one(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, filled_tables: tuple[int, UUID], path: str
) -> None:
    rows = filled_tables[0] if path.startswith("?") else filled_tables[0] + 1
    assert await count(client, resources, tenant.bearer, path) == (EXPECTED[path], rows)


# On Citus, services note which partners see a program; no service adds the programs of this test.
OF_PROGRAMS = ("/programs", "/purchases?status=Complete")
LISTS_OF_PARTNERS = [
    pytest.param(path, marks=[citus.plain_postgres_only("services note who sees a program")] * (path in OF_PROGRAMS))
    for path in EXPECTED
]


@pytest.mark.parametrize("path", LISTS_OF_PARTNERS)
async def test_a_partners_lists_take_no_more_statements_than_the_organizations(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, filled_tables: tuple[int, UUID], path: str
) -> None:
    headers = await add_user(resources, tenant, "user@own.example.com", partner_id=filled_tables[1])
    rows = 1 if path == "/partners" else filled_tables[0] if path.startswith("?") else filled_tables[0] + 1
    assert await count(client, resources, headers, path) == (EXPECTED[path], rows)


async def test_an_empty_list_queries_no_nested_objects(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    # The rows carry the count, so that an empty page needs another query. A page of vouchers is always one row.
    for path in EXPECTED:
        assert await count(client, resources, tenant.bearer, path) == (3 if path.startswith("?") else 4, 0)


async def test_concurrent_purchases_take_as_many_statements_as_one(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection[Any]
) -> None:
    await open_market(resources, tenant)
    costs = []
    for count in (1, 52):
        with record_statements(resources.database) as sent:
            answers = await asyncio.gather(
                *(client.post("/api/vouchers/purchases", headers=tenant.bearer, json=REQUEST) for _ in range(count))
            )
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json()["voucherPurchaseCode"] for answer in answers}) == count
        costs.append(len(sent))
    # Two requests go in a batch of their own each, and the other fifty in one.
    assert costs[1] <= 3 * costs[0]
    query = "select count(*) from procrastinate_jobs where args->>'organization_id' = %s"
    assert superuser.execute(query, [str(tenant.id)]).fetchone() == (53,)
