"""Query plans of the lists of redemptions in a large organization beside others."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from hashlib import md5
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from tests.conftest import NOW
from tests.support.factories import Tenant, create_tenant
from tests.support.plans import (
    MODES,
    blocks_for,
    buffers_read,
    explain,
    plan_nodes,
    rows_read,
    rows_touched,
    vacuum,
    with_replaced_rows,
    without_indexes,
)
from tests.support.recording import Statement, record_statements
from tests.support.redemption_requests import URL

from tessera.api.serving.resources import Resources
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.db.compiled_queries import TextQuery, run
from tessera.persons import service as persons
from tessera.provision import Addresses
from tessera.redemptions.repository import RedemptionRepository
from tessera.redemptions.reservations.repository import ReservationRepository
from tessera.retention.repository import END_REDEMPTIONS, END_RESERVATIONS

BIG = 60_000
BESIDE = 20_000
# Of each hundred 80 are redeemed, 10 cancelled, 5 released and 3 expired; one is held, one has run out unnoticed. There
# are 100 codes and 1,000 candidates, of whom 100 have the same address, and two in a reservation.
FILL = """
with numbered as (
    select n, md5(%(tenant)s::text || n)::uuid as id, md5(%(tenant)s::text || n / 2)::uuid as reservation_id,
           %(now)s + n * interval '1 second' as at
    from generate_series(1, %(count)s) n
), booked as (
    insert into reservations (organization_id, id, code, status, created_at, updated_at)
    select distinct on (reservation_id) %(tenant)s::uuid, reservation_id, 'RSV-' || n / 2,
           case when n / 2 %% 50 = 0 then 'Completed' else 'Created' end, at, at
    from numbered
), texts as (
    insert into record_metadata (organization_id, kind, record_id, key, value)
    select %(tenant)s, 'Redemption', id, 'channel', case when n %% 100 = 99 then 'few' else 'many' end from numbered
)
insert into redemptions (organization_id, id, reservation_id, code, promo_code_owner_id, promo_code_id, store_exam_id,
    person_id, client_candidate_id, first_name, last_name, email, list_price, discount, status, held_until, changes,
    created_at, updated_at)
select %(tenant)s, id, reservation_id, 'CODE' || n / 2 %% 50 * 2 + n %% 2, %(tenant)s, id, %(exam)s, 'P-' || n %% 1000,
       'C', 'A', 'B', case when n %% 1000 < 900 then n %% 1000 else 900 end || '@Example.com', 100, 10,
       case when n %% 100 < 80 then 'Redeemed' when n %% 100 < 90 then 'Cancelled' when n %% 100 < 95 then 'Released'
            when n %% 100 < 98 then 'Expired' else 'Held' end,
       case n %% 100 when 98 then %(now)s - interval '1 day' when 99 then %(now)s + interval '1 day' end, 1, at, at
from numbered
"""
TABLES = ("reservations", "redemptions", "record_metadata", "store_exams")
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
    ("status=Held", 100, 2 * PART),  # it reads as many expired ones
    ("status=Expired", 100, 3 * PART),
    ("createdFrom=2026-06-15T20:00:00Z", 100, PART),
    ("createdFrom=2026-06-15T20:00:00Z&createdBefore=2026-06-15T20:00:10Z", 10, PART),
    ("code=code7&createdFrom=2026-06-15T20:00:00Z", 100, PART),
    ("personId=P-7&createdBefore=2026-06-15T20:00:00Z", 29, PART),
    ("personId=P-7&code=code7", 60, PART),
    ("personId=P-7&code=code8", 0, 60 * 3 + 20),
    ("reservationCode=RSV-77&status=Redeemed&code=code7", 0, 20),
    ("metadata=channel=many", 100, PART + 101),
    ("metadata=channel=few&status=Held", 100, PART + 101),
    ("metadata=channel=many&status=Redeemed", 100, 2 * PART),
    ("metadata=channel=none", 0, 0),
]


@pytest.fixture(scope="module")
async def big(resources: Resources, addresses: Addresses) -> Tenant:
    """An organization with 60,000 redemptions, beside one with 20,000 of the same codes and candidates."""
    tenants = [await create_tenant(resources, now=NOW) for _ in range(2)]
    with psycopg.connect(addresses.owner.replace("+psycopg", ""), autocommit=True) as superuser:
        superuser.execute("set session_replication_role = replica")  # no foreign keys to check, row by row
        with without_indexes(superuser, *TABLES):
            for tenant, count in zip(tenants, (BIG, BESIDE), strict=True):
                values = {"tenant": tenant.id, "count": count, "now": NOW, "exam": tenant.exam_ids["NCA-GENL"]}
                superuser.execute(FILL, values)
        vacuum(superuser, *TABLES)
    return tenants[0]


Ask = Callable[[str], Awaitable[tuple[httpx.Response, list[dict[str, Any]]]]]


@pytest.fixture
def ask(client: httpx.AsyncClient, resources: Resources, application: psycopg.Connection[Any], big: Tenant) -> Ask:
    """Request a list; its response with the custom and the generic plan of its query."""

    async def ask(query: str) -> tuple[httpx.Response, list[dict[str, Any]]]:
        with record_statements(resources.database) as sent:
            answer = await client.get(f"{URL}?{query}", headers=big.api_key)
        # Neither the last that a page compares, nor the counts of up to 1,000 that each of several filters matches.
        _, begin, *lists = [each for each in sent if "OFFSET" not in each.text and "count(" not in each.text]
        return answer, [explain(application, begin, each, mode=mode) for each in lists for mode in MODES]

    return ask


@pytest.mark.parametrize(("query", "shown", "bound"), QUERIES)
async def test_a_list_reads_about_what_it_shows(ask: Ask, query: str, shown: int, bound: int) -> None:
    answer, result = await ask(query)
    assert len(answer.json()["data"]) == shown
    for plan in result:
        assert [
            part for part in plan_nodes(plan) if part["Node Type"] in ("Seq Scan", "Sort") and rows_read(part) > PART
        ] == []
        assert rows_read(plan) <= bound
        assert buffers_read(plan) <= blocks_for(bound)


async def test_the_last_part_costs_as_little_as_the_first(ask: Ask) -> None:
    first, _ = await ask("createdFrom=2026-06-16T04:30:00Z")
    answer, result = await ask(f"cursor={first.json()['nextLink'].split('cursor=')[1]}")
    assert len(answer.json()["data"]) == 100
    assert [plan for plan in result if rows_read(plan) > PART] == []


@pytest.mark.parametrize("number", [1, 2, 50, 1_000])
async def test_reservations_and_their_redemptions_are_looked_up_one_by_one(
    resources: Resources, application: psycopg.Connection[Any], big: Tenant, number: int
) -> None:
    numbers = [n * 7 + 1 for n in range(number)]
    ids = [UUID(md5(f"{big.id}{n}".encode(), usedforsecurity=False).hexdigest()) for n in numbers]
    with record_statements(resources.database) as sent:
        async with resources.database.unit_of_work(big.id) as work:
            await ReservationRepository(work).find_all([f"RSV-{n}" for n in numbers])
            await run(work.connection, RedemptionRepository(work).finding_live([f"RSV-{n}" for n in numbers]))
            await RedemptionRepository(work).find_live(ids)
            await RedemptionRepository(work).find_all(ids)
    begin, *statements = sent
    for statement in statements:
        for mode in MODES:
            touched = rows_touched(application, begin, statement, mode=mode)
            # Two redemptions for each reservation, each with its reservation and its exam, and their index entries.
            assert (mode, touched) <= (mode, with_replaced_rows(12 * number)), statement.text


async def test_lapsed_holds_are_found_without_the_other_redemptions(
    resources: Resources, application: psycopg.Connection[Any], big: Tenant
) -> None:
    with record_statements(resources.database) as sent:
        async with resources.database.unit_of_work(PLATFORM_ID):
            pass
    lapsed = Statement("select * from list_lapsed_holds(%(now)s)", {"now": NOW})
    assert big.id != PLATFORM_ID
    assert rows_touched(application, sent[0], lapsed, mode=MODES[0]) <= 8 * 200  # each with its organization


@pytest.mark.parametrize("person", ["P-7", "7@example.com", "P-907"])
async def test_a_person_is_exported_by_indexes(
    resources: Resources, application: psycopg.Connection[Any], big: Tenant, person: str
) -> None:
    with record_statements(resources.database) as sent:
        async with resources.database.unit_of_work(big.id) as work:
            records = await persons.export(work, person, now=NOW)
    assert (len(records["redemptions"]), len(records["reservations"])) == (60, 60)
    begin, *statements = [each for each in sent if "insert into" not in each.text]
    for statement in statements:
        for mode in MODES:
            touched = rows_touched(application, begin, statement, mode=mode)
            assert (mode, touched) <= (mode, with_replaced_rows(4 * 60)), statement.text


@pytest.mark.parametrize("query", [END_RESERVATIONS, END_REDEMPTIONS])
async def test_a_piece_of_what_is_no_longer_kept_is_found_by_indexes(
    resources: Resources, application: psycopg.Connection[Any], big: Tenant, query: TextQuery
) -> None:
    with record_statements(resources.database) as sent:
        async with resources.database.unit_of_work(big.id):
            pass
    before = NOW + timedelta(days=3_650)
    piece = Statement(query._text, {"organization_id": big.id, "before": before, "size": 100, "now": NOW})
    for mode in MODES:
        # Each of 100 reservations has two redemptions, and each of these a text and some index entries.
        touched = rows_touched(application, sent[0], piece, mode=mode)
        assert (mode, touched) <= (mode, with_replaced_rows(2_000))
