"""How lists of redemptions find their rows in a big organization beside others."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest
from tests.conftest import NOW
from tests.support.factories import Tenant, create_tenant
from tests.support.plans import blocks_for, buffers_read, explain, plan_nodes, rows_read, vacuum
from tests.support.recording import record_statements
from tests.support.redemption_requests import URL

from tessera.api.serving.resources import Resources
from tessera.provision import Addresses

BIG = 60_000
BESIDE = 20_000
# Of each hundred 80 are redeemed, 10 cancelled, 5 released and 3 expired; one is held, one has run out unnoticed. There
# are 100 codes and 1,000 candidates, and two in a reservation.
FILL = """
with numbered as (
    select n, md5(%(tenant)s::text || n)::uuid as id, md5(%(tenant)s::text || n / 2)::uuid as reservation_id,
           %(now)s + n * interval '1 second' as at
    from generate_series(1, %(count)s) n
), booked as (
    insert into reservations (organization_id, id, code, status, created_at, updated_at)
    select distinct on (reservation_id) %(tenant)s::uuid, reservation_id, 'RSV-' || n / 2, 'Created', at, at
    from numbered
)
insert into redemptions (organization_id, id, reservation_id, code, promo_code_owner_id, promo_code_id, store_exam_id,
    person_id, client_candidate_id, first_name, last_name, list_price, discount, status, held_until, changes,
    created_at, updated_at)
select %(tenant)s, id, reservation_id, 'CODE' || n / 2 %% 50 * 2 + n %% 2, %(tenant)s, id, %(exam)s, 'P-' || n %% 1000,
       'C', 'A', 'B', 100, 10,
       case when n %% 100 < 80 then 'Redeemed' when n %% 100 < 90 then 'Cancelled' when n %% 100 < 95 then 'Released'
            when n %% 100 < 98 then 'Expired' else 'Held' end,
       case n %% 100 when 98 then %(now)s - interval '1 day' when 99 then %(now)s + interval '1 day' end, 1, at, at
from numbered
"""
PART = 101 * 3 + 10  # each row with its reservation and its exam
QUERIES = [
    ("", 100, PART),
    ("limit=1000", 1000, 1001 * 3 + 10),
    ("code=code7", 100, PART),
    ("code=NONE", 0, 10),
    ("personId=P-7", 60, PART),
    ("reservationCode=RSV-77", 2, 20),
    ("reservationCode=NONE", 0, 10),
    ("status=Redeemed", 100, PART),
    ("status=Cancelled", 100, PART),
    ("status=Held", 100, 2 * PART),  # it meets as many that have run out
    ("status=Expired", 100, 3 * PART),
    ("createdFrom=2026-06-15T20:00:00Z", 100, PART),
    ("createdFrom=2026-06-15T20:00:00Z&createdBefore=2026-06-15T20:00:10Z", 10, PART),
    ("code=code7&createdFrom=2026-06-15T20:00:00Z", 100, PART),
    ("personId=P-7&createdBefore=2026-06-15T20:00:00Z", 29, PART),
    ("personId=P-7&code=code7", 60, PART),
    ("personId=P-7&code=code8", 0, 60 * 3 + 20),
    ("reservationCode=RSV-77&status=Redeemed&code=code7", 0, 20),
]


@pytest.fixture(scope="module")
async def big(resources: Resources, addresses: Addresses) -> Tenant:
    """An organization with 60,000 redemptions, beside one with 20,000 of the same codes and candidates."""
    tenants = [await create_tenant(resources, now=NOW) for _ in range(2)]
    with psycopg.connect(addresses.owner.replace("+psycopg", ""), autocommit=True) as superuser:
        superuser.execute("set session_replication_role = replica")  # no foreign keys to check, row by row
        for tenant, count in zip(tenants, (BIG, BESIDE), strict=True):
            values = {"tenant": tenant.id, "count": count, "now": NOW, "exam": tenant.exam_ids["NCA-GENL"]}
            superuser.execute(FILL, values)
        vacuum(superuser, "reservations", "redemptions", "store_exams")
    return tenants[0]


Ask = Callable[[str], Awaitable[tuple[httpx.Response, list[dict[str, Any]]]]]


@pytest.fixture
def ask(client: httpx.AsyncClient, resources: Resources, addresses: Addresses, big: Tenant) -> Iterator[Ask]:
    """Ask for a list, and get the answer and the plans: for these values, and for whatever values come."""
    url = addresses.application.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True, options="-c role=tessera_app") as connection:

        async def ask(query: str) -> tuple[httpx.Response, list[dict[str, Any]]]:
            with record_statements(resources.database) as sent:
                answer = await client.get(f"{URL}?{query}", headers=big.api_key)
            _, begin, *lists = sent
            modes = ("force_custom_plan", "force_generic_plan")
            return answer, [explain(connection, begin, each, mode=mode) for each in lists for mode in modes]

        yield ask


@pytest.mark.parametrize(("query", "shown", "bound"), QUERIES)
async def test_a_list_reads_about_what_it_shows(ask: Ask, query: str, shown: int, bound: int) -> None:
    answer, found = await ask(query)
    assert len(answer.json()["data"]) == shown
    for plan in found:
        assert [
            part for part in plan_nodes(plan) if part["Node Type"] in ("Seq Scan", "Sort") and rows_read(part) > 100
        ] == []
        assert rows_read(plan) <= bound
        assert buffers_read(plan) <= blocks_for(bound)


async def test_the_last_part_costs_as_little_as_the_first(ask: Ask) -> None:
    first, _ = await ask("createdFrom=2026-06-16T04:30:00Z")
    answer, found = await ask(f"cursor={first.json()['nextLink'].split('cursor=')[1]}")
    assert len(answer.json()["data"]) == 100
    assert [plan for plan in found if rows_read(plan) > PART] == []
