"""A large organization for the plans of lists of promo codes."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from tests.conftest import own_database
from tests.support.factories import Tenant, create_tenant
from tests.support.plans import vacuum, without_indexes

from tessera.api.serving.resources import Resources
from tessera.provision import Addresses

BIG = 200_000
BESIDE = 20_000

# Of each 200 codes 100 are active, 98 inactive and 2 archived; one of 1,000 is restricted; the exams have 98, 1 and 1.
# Every second one has metadata.
FILL = """
with numbered as (
    select n, md5(%(tenant)s::text || n)::uuid as id from generate_series(1, %(count)s) n
), codes as (
    insert into promo_codes (organization_id, id, name, status, discount_percent, expires_at, max_redemptions,
        redemption_count, held_count, restrict_to_email_addresses, has_store_exams, has_product_bundles,
        campaign, campaign_key, created_at, version)
    select %(tenant)s, id, 'CODE' || n,
           case when n %% 200 < 100 then 'Active' when n %% 200 < 198 then 'Inactive' else 'Archived' end,
           10, '2030-01-01', 100, 0, 0, n %% 1000 = 0, true, false,
           case when n %% 1000 = 5 then 'Few' when n %% 2 = 0 then 'Many' end,
           case when n %% 1000 = 5 then 'few' when n %% 2 = 0 then 'many' end, '2026-01-01', 1
    from numbered
), texts as (
    insert into record_metadata (organization_id, kind, record_id, key, value)
    select %(tenant)s, 'PromoCode', id, 'channel', case when n %% 1000 = 5 then 'few' else 'many' end
    from numbered where n %% 2 = 1
), exams as (
    insert into promo_code_store_exams (organization_id, promo_code_id, store_exam_id, position)
    select %(tenant)s, id, (%(exams)s::uuid[])[case n %% 100 when 0 then 2 when 1 then 3 else 1 end], 0 from numbered
)
insert into promo_code_email_addresses (organization_id, promo_code_id, email_key, email, position)
select %(tenant)s, id, address, address, 0
from numbered, lateral (values ('everyone@example.com'), ('a' || n || '@example.com')) as listed (address)
where n %% 10 = 0
"""
TABLES = ("promo_codes", "record_metadata", "promo_code_store_exams", "promo_code_email_addresses", "store_exams")


# Plans depend on the rows of all tests in a database.
addresses, resources, app = own_database("plans")


@pytest.fixture
def application(addresses: Addresses) -> Iterator[psycopg.Connection[Any]]:
    """A connection that acts as the application."""
    url = addresses.application.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True, options="-c role=tessera_app") as connection:
        yield connection


@pytest.fixture(scope="module")
async def big(resources: Resources, addresses: Addresses) -> Tenant:
    """An organization with 200,000 codes, beside three with 20,000 of the same names."""
    tenants = [await create_tenant(resources, now=resources.clock()) for _ in range(4)]
    with psycopg.connect(addresses.owner.replace("+psycopg", ""), autocommit=True) as superuser:
        superuser.execute("set session_replication_role = replica")  # no foreign keys to check, row by row
        with without_indexes(superuser, *TABLES):
            for tenant in tenants:
                count = BIG if tenant is tenants[0] else BESIDE
                superuser.execute(FILL, {"tenant": tenant.id, "count": count, "exams": list(tenant.exam_ids.values())})
        vacuum(superuser, *TABLES)
    return tenants[0]
