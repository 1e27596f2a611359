"""How the lists find their rows in a big organization beside others, as the role that row-level security binds."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest
from tests.support.factories import Tenant, add_promo_codes, create_tenant, percent_code
from tests.support.plans import MODES, buffers_read, explained, parts, rows_read, vacuum
from tests.support.recording import recorded

from tessera.api.serving.resources import Resources
from tessera.provision import Addresses

BIG = 200_000
BESIDE = 20_000
CAP = 10_001

# Of each 200 codes 100 are active, 98 inactive and 2 archived; one in a thousand is restricted; the exams go 98, 1, 1.
FILL = """
with numbered as (
    select n, md5(%(tenant)s::text || n)::uuid as id from generate_series(1, %(count)s) n
), codes as (
    insert into promo_codes (organization_id, id, name, status, discount_percent, expires_at, max_redemptions,
        redemption_count, held_count, restrict_to_email_addresses, has_store_exams, has_product_bundles,
        created_at, version)
    select %(tenant)s, id, 'CODE' || n,
           case when n %% 200 < 100 then 'Active' when n %% 200 < 198 then 'Inactive' else 'Archived' end,
           10, '2030-01-01', 100, 0, 0, n %% 1000 = 0, true, false, '2026-01-01', 1
    from numbered
), exams as (
    insert into promo_code_store_exams (organization_id, promo_code_id, store_exam_id, position)
    select %(tenant)s, id, (%(exams)s::uuid[])[case n %% 100 when 0 then 2 when 1 then 3 else 1 end], 0 from numbered
)
insert into promo_code_email_addresses (organization_id, promo_code_id, email_key, email, position)
select %(tenant)s, id, address, address, 0
from numbered, lateral (values ('everyone@example.com'), ('a' || n || '@example.com')) as listed (address)
where n %% 10 = 0
"""
TABLES = ("promo_codes", "promo_code_store_exams", "promo_code_email_addresses", "store_exams")


@pytest.fixture(scope="module")
async def big(resources: Resources, addresses: Addresses) -> Tenant:
    """An organization with 200,000 codes, beside three with 20,000 of the same names."""
    tenants = [await create_tenant(resources, now=resources.clock()) for _ in range(4)]
    with psycopg.connect(addresses.owner.replace("+psycopg", ""), autocommit=True) as superuser:
        superuser.execute("set session_replication_role = replica")  # no foreign keys to check, row by row
        for tenant in tenants:
            count = BIG if tenant is tenants[0] else BESIDE
            superuser.execute(FILL, {"tenant": tenant.id, "count": count, "exams": list(tenant.exam_ids.values())})
        vacuum(superuser, *TABLES)
    return tenants[0]


# What a filter finds of the big organization's codes, and how many rows may be read for it: of each table that is
# joined those that the filter on it finds, up to the cap.
FILTERS = [
    ("", BIG, CAP),
    ("status=Active", 100_000, CAP),
    ("status=Archived", 2_000, 2_000),
    ("restrictToEmailAddresses=true", 200, 200),
    ("restrictToEmailAddresses=false", 199_800, CAP),
    ("status=Active&restrictToEmailAddresses=true", 200, 200),
    ("promoCodeName=code777", 1, 1),
    ("promoCodeName=NONE", 0, 0),
    ("storeExamCode=NCA-GENL", 196_000, 3 * CAP),
    ("storeExamCode=ncp-ads", 2_000, 2 * 2_000),
    ("storeExamCode=NONE", 0, 0),
    ("storeExamCode=CLD-100&status=Archived", 0, 2 * 2_000),
    ("restrictToEmailAddresses=true&emailAddress=a1000@example.com", 1, 2),
    ("restrictToEmailAddresses=true&emailAddress=everyone@example.com", 200, 2 * 20_000),
    ("restrictToEmailAddresses=true&emailAddress=none@example.com", 0, 0),
    ("page=20&status=Archived", 2_000, 2 * 2_000),
]


Ask = Callable[[Tenant, str], Awaitable[tuple[httpx.Response, list[dict[str, Any]]]]]


@pytest.fixture
def ask(client: httpx.AsyncClient, resources: Resources, addresses: Addresses) -> Iterator[Ask]:
    """Ask for a list, and get the answer and the plans: for these values, and for whatever values come.

    A connection that has asked a few times may take the second one.
    """
    url = addresses.application.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True, options="-c role=tessera_app") as connection:

        async def ask(tenant: Tenant, query: str) -> tuple[httpx.Response, list[dict[str, Any]]]:
            with recorded(resources.database) as sent:
                answer = await client.get(f"/promo-codes?{query}", headers=tenant.bearer)
            _, begin, page, *_ = sent
            return answer, [explained(connection, begin, page, mode=mode) for mode in MODES]

        yield ask


@pytest.mark.parametrize(("query", "matching", "bound"), FILTERS)
async def test_a_filter_reads_what_it_finds_and_no_whole_table(
    ask: Ask, big: Tenant, query: str, matching: int, bound: int
) -> None:
    answer, plans = await ask(big, query)
    assert answer.status_code == (200 if matching < CAP else 400)
    for plan in plans:
        assert [part for part in parts(plan) if "Seq Scan" in part["Node Type"]] == []
        # What is shown of a hundred codes comes on top: each with its exams and addresses.
        assert rows_read(plan) <= bound * 1.1 + 1_000
        # An index that has all that is asked gives the cap in a hundred blocks; a join looks up each row, in three.
        assert buffers_read(plan) <= 2_000 + (3 * bound if "Code=" in query or "emailAddress=" in query else 0)


@pytest.mark.parametrize("query", ["", "status=Active", "storeExamCode=NCA-GENL", "restrictToEmailAddresses=false"])
async def test_a_small_organization_reads_nothing_of_the_big_one(
    ask: Ask, big: Tenant, resources: Resources, tenant: Tenant, query: str
) -> None:
    assert big.id != tenant.id
    await add_promo_codes(resources, tenant, percent_code(tenant, "ONE"), now=resources.clock())
    answer, plans = await ask(tenant, query)
    assert [code["promoCodeName"] for code in answer.json()["data"]] == ["ONE"]
    # Its own few rows, some of them more than once.
    assert [plan for plan in plans if rows_read(plan) > 30] == []
