"""Query plans of the list of records by metadata, and of the keys in use, beside 100,000 other texts."""

import psycopg
import pytest
from tests.conftest import NOW
from tests.support.factories import Tenant, create_tenant
from tests.support.plans import MODES, explain, plan_nodes, rows_read, vacuum
from tests.support.recording import record_statements

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


@pytest.fixture(scope="module")
async def big(resources: Resources, addresses: Addresses) -> Tenant:
    """An organization with 200,000 texts beside one with as many."""
    tenants = [await create_tenant(resources, now=NOW) for _ in range(2)]
    with psycopg.connect(addresses.owner.replace("+psycopg", ""), autocommit=True) as superuser:
        superuser.execute("set session_replication_role = replica")
        for tenant in tenants:
            superuser.execute(FILL, {"tenant": tenant.id})
        vacuum(superuser, "record_metadata")
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
