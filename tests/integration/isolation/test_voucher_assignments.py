"""A partner's user cannot hand out vouchers of another partner; each of the two locks prevents it by itself."""

from collections.abc import AsyncIterator

import httpx
import pytest
from tests.conftest import app_on
from tests.support.factories import Tenant
from tests.support.recording import rewrite_statements
from tests.support.voucher_factories import add_user
from tests.support.voucher_shops import Shop, furnish, unlocked_database, without_partner_clauses

from tessera.api.serving.resources import Resources
from tessera.identity.rules import FunctionPoint
from tessera.kit.db.database import Database
from tessera.provision import Addresses
from tessera.vouchers.issued.actions import service as actions

PEOPLE = ["bob@example.com"]


@pytest.fixture
async def superuser_database(addresses: Addresses) -> AsyncIterator[Database]:
    async with unlocked_database(addresses) as database:
        yield database


@pytest.fixture
async def shop(resources: Resources, tenant: Tenant) -> Shop:
    return await furnish(resources, tenant)


async def user_of(resources: Resources, shop: Shop, partner: str) -> dict[str, str]:
    right = (FunctionPoint.PARTNER_ASSIGN_VOUCHERS,)
    email = f"assigner@{partner.lower()}.example.com"
    return await add_user(resources, shop.tenant, email, partner_id=shop.partners[partner], function_points=right)


async def statuses(database: Database, resources: Resources, shop: Shop, headers: dict[str, str]) -> list[int]:
    """The responses to an assignment and an export of Globex's purchase."""
    url = f"/management/v1/voucher-purchases/{shop.purchases['Globex']}/assignments"
    transport = httpx.ASGITransport(app=app_on(database, resources))
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        assigned = await client.post(url, json={"recipientEmails": PEOPLE, "dryRun": True}, headers=headers)
        exported = await client.get(url, headers=headers)
        return [assigned.status_code, exported.status_code]


async def test_row_level_security_alone_refuses(resources: Resources, shop: Shop) -> None:
    headers = await user_of(resources, shop, "Acme")
    with rewrite_statements(resources.database, without_partner_clauses):
        assert await statuses(resources.database, resources, shop, headers) == [404, 404]


async def test_the_clauses_alone_refuse(resources: Resources, superuser_database: Database, shop: Shop) -> None:
    headers = await user_of(resources, shop, "Acme")
    assert await statuses(superuser_database, resources, shop, headers) == [404, 404]
    with rewrite_statements(superuser_database, without_partner_clauses):
        # Without either lock, the purchase is found: it has no free voucher, and its only one is exported.
        assert await statuses(superuser_database, resources, shop, headers) == [400, 200]


@pytest.mark.parametrize("without_clauses", [False, True])
async def test_the_vouchers_of_another_partners_purchase_are_not_listed(
    resources: Resources, superuser_database: Database, shop: Shop, *, without_clauses: bool
) -> None:
    database = resources.database if without_clauses else superuser_database
    with rewrite_statements(database, without_partner_clauses if without_clauses else str):
        async with database.unit_of_work(shop.tenant.id, partner_id=shop.partners["Acme"]) as work:
            own = await actions.list_assigned(work, shop.purchases["Acme"])
            theirs = await actions.list_assigned(work, shop.purchases["Globex"])
    assert [len(own), len(theirs)] == [1, 0]
