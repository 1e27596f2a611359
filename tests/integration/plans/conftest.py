"""A large organization whose promo codes are listed in plans."""

import psycopg
import pytest
from tests.support.factories import Tenant, create_tenant
from tests.support.plans import vacuum

from tessera.api.serving.resources import Resources
from tessera.provision import Addresses

BIG = 200_000
BESIDE = 20_000

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
