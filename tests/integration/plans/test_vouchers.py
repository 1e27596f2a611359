"""Every documented filter on purchases and vouchers finds its rows by an index, and stops at the cap."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from tests.conftest import NOW
from tests.support.factories import Tenant, create_tenant
from tests.support.plans import MODES, buffers_read, explain, taken_for_empty, vacuum, without_indexes
from tests.support.recording import Statement, record_statements
from tests.support.voucher_factories import add_partner, add_program, add_user

from tessera.api.serving.resources import Resources
from tessera.kit.db.pages import MAX_RESULTS
from tessera.persons import service as persons
from tessera.provision import Addresses
from tessera.vouchers.issued.actions import service as actions

COUNT = 30_000
TABLES = ("voucher_purchases", "vouchers", "voucher_partners", "voucher_programs", "store_exams")
QUERIES = (
    "?isUsed=false",
    "?isUsed=true",
    "?isActive=true",
    "?isActive=false",
    "?isActive=true&isUsed=false",
    "?purchaseCode=VP-7",
    "?recipientEmail=b@example.com",
    "?reservationCode=R2",
    "?storeExamCode=NCA-GENL",
    "?storeExamCode=NCP-ADS",
    "?voucherCode=V7",
    "/purchases?status=Complete",
    "/purchases?status=VoucherCreation",
    "/purchases?partnerName=Acme",
    "/purchases?partnerName=Globex",
    "/purchases?programName=Spring",
    "/purchases?programName=Autumn",
    "/purchases?purchaseCode=VP-7",
    "/purchases?purchasedByEmail=a@example.com",
    "/purchases?purchasedByEmail=b@example.com",
)
# Even purchases and their vouchers belong to Acme, odd ones to Globex. Two of three vouchers are used, three of four
# are active.
ID = "('00000000-0000-7000-8000-' || lpad(to_hex({}), 12, '0'))::uuid"
PARTNER = "case {} % 2 when 0 then %(acme)s::uuid else %(globex)s::uuid end"
PURCHASE = "(n / 1000 + 1)"
BUYER = "case n % 2 when 0 then 'a@example.com' else 'b@example.com' end"
PURCHASES = f"""
insert into voucher_purchases (organization_id, id, partner_id, program_id, code, status, quantity, quantity_used,
    amount_paid, notes, is_archived, purchased_by_first_name, purchased_by_last_name, purchased_by_email, purchased_at,
    amount, version)
select %(tenant)s, {ID.format("n")}, {PARTNER.format("n")}, %(program)s, 'VP-' || n,
    case n % 1000 when 0 then 'VoucherCreation' else 'Complete' end, 1000, 0, 0, '', false, '', '', {BUYER}, %(now)s,
    0, 1
from generate_series(1, %(count)s) n
"""
VOUCHERS = f"""
insert into vouchers (organization_id, id, purchase_id, partner_id, code, is_active, expires_at, assigned_at,
    recipient_email, reservation_code, reservation_status, store_exam_id, used_at, used_by_person_id,
    used_by_client_candidate_id, used_by_first_name, used_by_last_name, is_archived, version)
select %(tenant)s, {ID.format("n")}, {ID.format(PURCHASE)}, {PARTNER.format(PURCHASE)},
    'V' || n, n % 4 <> 0, %(now)s, %(now)s, {BUYER}, 'R' || n, 'Created', %(exam)s,
    case n % 3 when 0 then null else %(now)s end, 'P' || n, '', '', '', false, 1
from generate_series(1, %(count)s) n
"""


async def fill(resources: Resources, connection: psycopg.Connection[Any], tenant: Tenant) -> UUID:
    """Add purchases and vouchers, half of them for the partner Acme; returns the id of Acme."""
    await add_program(resources, tenant, "Autumn")
    acme = await add_partner(resources, tenant, "Acme")
    values = {
        "tenant": tenant.id,
        "acme": acme,
        "globex": await add_partner(resources, tenant, "Globex"),
        "program": await add_program(resources, tenant, "Spring"),
        "exam": tenant.exam_ids["NCA-GENL"],
        "now": NOW,
        "count": COUNT,
    }
    for statement in (PURCHASES, VOUCHERS):
        connection.execute(statement.replace(" % ", " %% "), values)
    return acme


def scans(node: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Each scan of an executed plan, with the number of rows or index entries that it read."""
    if node["Node Type"] in ("Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Index Scan"):
        read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        yield f"{node['Node Type']} by {node.get('Index Name')}", read * node["Actual Loops"]
    for child in node.get("Plans", ()):
        yield from scans(child)


def plans(addresses: Addresses, tenant: Tenant, partner_id: UUID | None, sent: Statement) -> list[dict[str, Any]]:
    """The custom and the generic plan, for a user of the organization or of this partner."""
    begin = f"begin; set local app.organization_id = '{tenant.id}'"
    if partner_id:
        begin += f"; set local app.partner_id = '{partner_id}'"
    url = addresses.application.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True, options="-c role=tessera_app") as connection:
        return [explain(connection, Statement(begin, None), sent, mode=mode) for mode in MODES]


@dataclass(frozen=True)
class Loaded:
    """Two equal organizations; the headers of the first one's users, with the partner to which each is limited."""

    addresses: Addresses
    tenant: Tenant
    callers: tuple[tuple[dict[str, str], UUID | None], ...]


@pytest.fixture(scope="module")
async def large_tables(resources: Resources, addresses: Addresses) -> Loaded:
    """The tables with statistics of all their rows."""
    other, tenant = [await create_tenant(resources, now=NOW) for _ in range(2)]
    with psycopg.connect(addresses.owner.replace("+psycopg", ""), autocommit=True) as superuser:
        superuser.execute("set session_replication_role = replica")  # no foreign keys to check, row by row
        with without_indexes(superuser, *TABLES):
            await fill(resources, superuser, other)
            acme = await fill(resources, superuser, tenant)
        vacuum(superuser, *TABLES)
    partner = await add_user(resources, tenant, "user@acme.example.com", partner_id=acme)
    return Loaded(addresses, tenant, ((tenant.bearer, None), (partner, acme)))


async def excessive_scans(
    client: httpx.AsyncClient, resources: Resources, large_tables: Loaded, *, most: int, blocks: int
) -> list[tuple[str, UUID | None, str, int]]:
    """All scans of a whole table or of more than `most` rows, and all plans that read more than `blocks` blocks."""
    items = []
    for headers, partner_id in large_tables.callers:
        for query in QUERIES:
            with record_statements(resources.database) as sent:
                answer = await client.get(f"/api/vouchers{query}", headers=headers)
            assert answer.status_code in (200, 422)
            (listing, *_) = [each for each in sent if "matches" in each.text]
            for plan in plans(large_tables.addresses, large_tables.tenant, partner_id, listing):
                items += [
                    (query, partner_id, scan, read)
                    for scan, read in scans(plan)
                    if read > most or scan.startswith("Seq Scan")
                ]
                if (looked_at := buffers_read(plan)) > blocks:
                    items.append((query, partner_id, "blocks", looked_at))
    return items


async def test_no_filter_reads_more_than_the_cap(
    client: httpx.AsyncClient, resources: Resources, large_tables: Loaded
) -> None:
    assert await excessive_scans(client, resources, large_tables, most=MAX_RESULTS + 1_000, blocks=1_500) == []


async def test_the_vouchers_that_a_candidate_used_are_found_by_an_index(
    resources: Resources, large_tables: Loaded
) -> None:
    with record_statements(resources.database) as sent:
        async with resources.database.unit_of_work(large_tables.tenant.id) as work:
            records = await persons.export(work, "P7", now=NOW)
    assert [voucher["code"] for voucher in records["vouchers"]] == ["****"]
    (search,) = [each for each in sent if "by_person_id = any" in each.text.lower()]
    for plan in plans(large_tables.addresses, large_tables.tenant, None, search):
        assert sum(read for _, read in scans(plan)) <= 2


async def test_the_vouchers_of_purchases_are_found_and_locked_by_an_index(
    resources: Resources, large_tables: Loaded
) -> None:
    purchase_ids = [UUID(f"00000000-0000-7000-8000-00000000000{number}") for number in (6, 4)]
    count = 1_000  # vouchers of each purchase
    for _, partner_id in large_tables.callers:
        with record_statements(resources.database) as sent:
            async with resources.database.unit_of_work(large_tables.tenant.id, partner_id=partner_id) as work:
                assert len(await actions.lock_purchases(work, purchase_ids)) == 2 * count
        *lists, lock = [each for each in sent if "vouchers" in each.text]
        assert "ORDER BY vouchers.id FOR UPDATE" in lock.text
        for statement, rows in [*((each, count) for each in lists), (lock, 2 * count)]:
            for plan in plans(large_tables.addresses, large_tables.tenant, partner_id, statement):
                assert sum(read for _, read in scans(plan)) == rows


async def test_nothing_is_read_twice_while_the_planner_has_not_counted_a_tenants_rows(
    client: httpx.AsyncClient,
    resources: Resources,
    addresses: Addresses,
    tenant: Tenant,
    superuser: psycopg.Connection[Any],
) -> None:
    other = await create_tenant(resources, now=NOW)
    await fill(resources, superuser, other)
    vacuum(superuser, *TABLES)
    acme = await fill(resources, superuser, tenant)
    partner = await add_user(resources, tenant, "user@acme.example.com", partner_id=acme)
    loaded = Loaded(addresses, tenant, ((tenant.bearer, None), (partner, acme)))
    assert await excessive_scans(client, resources, loaded, most=COUNT, blocks=3_500) == []


async def test_no_page_is_computed_again_for_each_row_while_the_planner_takes_the_tables_for_empty(
    client: httpx.AsyncClient, resources: Resources, large_tables: Loaded, superuser: psycopg.Connection[Any]
) -> None:
    with taken_for_empty(superuser, *TABLES):
        assert await excessive_scans(client, resources, large_tables, most=2 * COUNT, blocks=4 * COUNT) == []
