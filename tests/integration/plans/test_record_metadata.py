"""Query plans of lists by metadata, and of the keys in use, beside 100,000 other records and texts."""

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
    vacuum,
    without_indexes,
)
from tests.support.recording import record_statements
from tests.support.voucher_factories import add_partner

from tessera.api.serving.resources import Resources
from tessera.provision import Addresses
from tessera.record_metadata import service
from tessera.record_metadata.rules import Kind

# Each voucher has a key of its own text, and one of a text that every second one has.
FILL = """
insert into record_metadata (organization_id, kind, record_id, key, value)
select %(tenant)s, 'Voucher', md5(%(tenant)s::text || n)::uuid, key, value
from generate_series(1, 100000) n
cross join lateral (values ('order', 'ORD-' || n), ('group', 'G' || n %% 2)) as texts (key, value)
"""
# One of 1,000 programs and purchases has the text of few, the others that of many; a hundredth is archived.
OFFERS = """
with numbered as (
    select n, md5(%(tenant)s::text || n)::uuid as id, case when n %% 1000 = 5 then 'few' else 'many' end as text
    from generate_series(1, 100000) n
), programs as (
    insert into voucher_programs (organization_id, id, name, status, allow_ach_payments, expiration_period_in_days,
        can_assigned_partners_purchase_zero_price, is_available_to_all_partners, partner_cost_per_voucher,
        enforce_assigned_email, voucher_code_prefix, created_at, version)
    select %(tenant)s, id, 'Program ' || n, case when n %% 100 = 0 then 'Archived' else 'Active' end, false, 365, false,
           true, 0, false, '', %(now)s, 1
    from numbered
), purchases as (
    insert into voucher_purchases (organization_id, id, partner_id, program_id, code, status, quantity, quantity_used,
        amount_paid, notes, is_archived, purchased_by_first_name, purchased_by_last_name, purchased_by_email,
        purchased_at, amount, version)
    select %(tenant)s, id, %(partner)s, id, 'VP-' || n,
           case when n %% 100 = 0 then 'CheckoutCancelled' else 'Complete' end, 1, 0, 0, '', false, '', '', '',
           %(now)s, 0, 1
    from numbered
)
insert into record_metadata (organization_id, kind, record_id, key, value)
select %(tenant)s, kind, id, 'channel', text
from numbered cross join (values ('VoucherProgram'), ('VoucherPurchase')) as kinds (kind)
"""
# Each record of a page with its partner, its program and its text, and one more for the next page.
PAGE = 5 * 101


@pytest.fixture(scope="module")
async def big(resources: Resources, addresses: Addresses) -> Tenant:
    """An organization with 400,000 texts, 100,000 programs and as many purchases, beside one with 200,000 texts."""
    tenants = [await create_tenant(resources, now=NOW) for _ in range(2)]
    partner = await add_partner(resources, tenants[0], "Acme")
    with psycopg.connect(addresses.owner.replace("+psycopg", ""), autocommit=True) as superuser:
        superuser.execute("set session_replication_role = replica")
        for tenant in tenants:
            superuser.execute(FILL, {"tenant": tenant.id})
        with without_indexes(superuser, "voucher_programs", "voucher_purchases"):
            superuser.execute(OFFERS, {"tenant": tenants[0].id, "partner": partner, "now": NOW})
        vacuum(superuser, "record_metadata", "voucher_programs", "voucher_purchases", "voucher_partners")
    return tenants[0]


@pytest.mark.parametrize(
    ("key", "value", "result"), [("order", "ORD-77", 1), ("group", "G1", 100), ("group", "G2", 0), ("none", "", 0)]
)
async def test_a_page_reads_the_texts_that_it_shows(
    resources: Resources, addresses: Addresses, big: Tenant, key: str, value: str, result: int
) -> None:
    with record_statements(resources.database) as sent:
        async with resources.database.unit_of_work(big.id) as work:
            page = await service.list_by_cursor(work, Kind.VOUCHER, key=key, value=value, after=None, size=100)
    assert len(page.items) == result
    begin, *statements = sent
    url = addresses.application.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True, options="-c role=tessera_app", prepare_threshold=None) as connection:
        for mode in MODES:
            planned = [explain(connection, begin, statement, mode=mode) for statement in statements[:2]]
            nodes = [node["Node Type"] for plan in planned for node in plan_nodes(plan)]
            assert [node for node in nodes if "Seq" in node] == []
            # The ids with one more for the next page, and both texts of each record.
            assert (mode, sum(map(rows_read, planned))) <= (mode, 3 * result + 1)


async def test_each_key_in_use_is_found_by_one_look_up(resources: Resources, addresses: Addresses, big: Tenant) -> None:
    with record_statements(resources.database) as sent:
        async with resources.database.unit_of_work(big.id) as work:
            assert await service.list_keys(work, Kind.VOUCHER, limit=100) == ["group", "order"]
    begin, keys = sent[:2]
    url = addresses.application.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True, options="-c role=tessera_app", prepare_threshold=None) as connection:
        for mode in MODES:
            plan = explain(connection, begin, keys, mode=mode)
            assert (mode, rows_read(plan)) <= (mode, 10)


@pytest.mark.parametrize(
    "case",
    [
        ("voucher-programs?metadata=channel=few", 100, PAGE),
        ("voucher-programs?metadata=channel=many", 100, PAGE),
        ("voucher-programs?metadata=channel=few&status=Archived", 0, 2 * 100),
        ("voucher-programs?metadata=channel=many&status=Active&name=program", 100, PAGE),
        ("voucher-programs?metadata=channel=none", 0, 0),
        ("voucher-purchases?metadata=channel=few", 100, PAGE),
        ("voucher-purchases?metadata=channel=many", 100, PAGE),
        ("voucher-purchases?metadata=channel=few&status=CheckoutCancelled", 0, 4 * 100 + 1),
        ("voucher-purchases?metadata=channel=many&status=Complete&partnerId={partner}", 100, PAGE + 1),
        ("voucher-purchases?metadata=channel=none", 0, 0),
    ],
)
async def test_a_list_by_metadata_reads_little_more_than_it_shows(
    client: httpx.AsyncClient,
    resources: Resources,
    addresses: Addresses,
    big: Tenant,
    case: tuple[str, int, int],
) -> None:
    query, result, bound = case
    (partner,) = (await client.get("/management/v1/voucher-partners", headers=big.bearer)).json()["data"]
    link: str | None = f"/management/v1/{query.format(partner=partner['id'])}"
    url = addresses.application.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True, options="-c role=tessera_app", prepare_threshold=None) as connection:
        for _ in range(2):
            with record_statements(resources.database) as sent:
                answer = await client.get(str(link), headers=big.bearer)
            assert len(answer.json()["data"]) == result
            page = next(each for each in sent if "record_metadata" in each.text and "LATERAL" in each.text)
            for mode in MODES:
                plan = explain(connection, sent[1], page, mode=mode)
                assert [node["Node Type"] for node in plan_nodes(plan) if "Seq" in node["Node Type"]] == []
                assert (mode, rows_read(plan)) <= (mode, bound)
                assert (mode, buffers_read(plan)) <= (mode, blocks_for(bound))
            link = answer.json()["nextLink"]
            if link is None:
                return
