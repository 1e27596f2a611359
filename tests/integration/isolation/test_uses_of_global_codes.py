"""The redemptions of a global code: its uses are the platform's to count, and the persons are the organization's."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from tests.conftest import NOW
from tests.support import citus
from tests.support.factories import Tenant, add_platform, add_promo_codes, percent_code
from tests.support.management_requests import platform_administrator
from tests.support.redemption_requests import CANDIDATE, URL, create_redemption
from tests.support.reporting import EXPORT_URL

from tessera.api.serving.resources import Resources
from tessera.identity.rules import PLATFORM_ID
from tessera.provision import Addresses

REPORT_URL = "/management/v1/reports/redemptions?by=code"
TABLES = ("redemptions", "redemption_ledger")


@pytest.fixture
async def global_code(
    client: httpx.AsyncClient, resources: Resources, superuser: psycopg.Connection[Any], tenant: Tenant
) -> str:
    """The name of a global code that the first organization has redeemed, as it has one of its own."""
    name = f"G{uuid4().hex[:12].upper()}"
    everywhere = percent_code(tenant, name, store_exam_ids=(), max_redemptions=5)
    await add_promo_codes(resources, add_platform(superuser, tenant), everywhere, now=NOW)
    await add_promo_codes(resources, tenant, percent_code(tenant, "OWN"), now=NOW)
    await create_redemption(client, tenant, name, "RSV-1")
    await create_redemption(client, tenant, "OWN", "RSV-2")
    return name


@pytest.fixture
def application(addresses: Addresses) -> Iterator[psycopg.Connection[Any]]:
    url = addresses.application.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True, options="-c role=tessera_app") as connection:
        yield connection


def visible_codes(
    connection: psycopg.Connection[Any], table: str, of: Tenant, *, to: UUID, uses: str = "visible"
) -> list[str]:
    """The codes of those rows of an organization that a transaction pinned to another one sees without a condition."""
    with connection.transaction():
        connection.execute(f"set local app.organization_id = '{to}'")
        connection.execute(f"set local app.uses_of_global_codes = '{uses}'")
        rows = connection.execute(f"select code from {table} where organization_id = %s", [of.id]).fetchall()
    return sorted(code for (code,) in rows)


@pytest.mark.parametrize("table", TABLES)
def test_the_platform_sees_no_use_of_its_codes_by_others(
    application: psycopg.Connection[Any], tenant: Tenant, other_tenant: Tenant, global_code: str, table: str
) -> None:
    assert visible_codes(application, table, tenant, to=tenant.id) == sorted([global_code, "OWN"])
    assert visible_codes(application, table, tenant, to=PLATFORM_ID, uses="") == []
    assert visible_codes(application, table, tenant, to=other_tenant.id) == []
    # On one node, not even the functions that count uses need this setting.
    assert visible_codes(application, table, tenant, to=PLATFORM_ID) == ([global_code] if citus.COORDINATOR else [])


def test_an_organization_cannot_write_a_row_of_another_one_as_the_owner_of_its_code(
    application: psycopg.Connection[Any], tenant: Tenant, other_tenant: Tenant
) -> None:
    insert = (
        "insert into redemption_ledger (organization_id, redemption_id, number, status, redeemed_change, held_change,"
        " promo_code_owner_id, code, at) values (%s, gen_random_uuid(), 1, 'Held', 0, 1, %s, 'X', now())"
    )
    application.execute(f"set app.organization_id = '{other_tenant.id}'; set app.uses_of_global_codes = 'visible'")
    with pytest.raises(InsufficientPrivilege, match="row-level security"):
        application.execute(insert, [tenant.id, other_tenant.id])


async def test_no_list_export_or_report_shows_the_platform_persons_of_an_organization(
    client: httpx.AsyncClient,
    resources: Resources,
    superuser: psycopg.Connection[Any],
    tenant: Tenant,
    other_tenant: Tenant,
    global_code: str,
) -> None:
    platform = await platform_administrator(resources, superuser)
    for headers, sees_it in ((tenant.bearer, True), (other_tenant.bearer, False), (platform, False)):
        for url in (EXPORT_URL, REPORT_URL):
            answer = await client.get(url, headers=headers)
            assert answer.status_code == 200, url
            assert (global_code in answer.text) == sees_it, url
            assert url == REPORT_URL or (CANDIDATE["email"] in answer.text) == sees_it
    listed = await client.get(f"{URL}?code={global_code}", headers=other_tenant.api_key)
    assert listed.json()["data"] == []
