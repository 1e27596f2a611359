"""The uses of a global code that one organization can take, by redemptions and holds together."""

from typing import Any

import httpx
import psycopg
import pytest
from tests.conftest import NOW, Clock
from tests.support.factories import Tenant, add_platform, add_promo_codes, create_tenant, percent_code
from tests.support.management_requests import platform_administrator
from tests.support.redemption_requests import act, create_redemption, reasons, redeem

from tessera.api.serving.resources import Resources
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.identifiers import new_id
from tessera.redemptions.ledger import service as ledger

MANAGED = "/management/v1/promo-codes"
EVERYWHERE = {"store_exam_ids": (), "max_redemptions": 4, "max_redemptions_per_organization": 2}
USED_UP = [("/code", "UsedUpForOrganization")]


@pytest.fixture
async def neighbour(resources: Resources) -> Tenant:
    return await create_tenant(resources, now=NOW)


@pytest.fixture
async def shared(resources: Resources, superuser: psycopg.Connection, tenant: Tenant) -> str:
    """The name of a global code with four uses, two for each organization."""
    name = f"S{new_id().hex[-20:]}"
    platform = add_platform(superuser, tenant)
    await add_promo_codes(resources, platform, percent_code(platform, name, **EVERYWHERE), now=NOW)
    return name


async def validation(client: httpx.AsyncClient, tenant: Tenant, name: str) -> dict[str, Any]:
    question = {"codes": [name], "storeExamCode": "NCA-GENL"}
    answer = await client.post("/storefront/v1/validations", json=question, headers=tenant.api_key)
    result: dict[str, Any] = answer.json()["results"][0]
    return result


async def carevalidate(client: httpx.AsyncClient, tenant: Tenant, name: str) -> list[dict[str, Any]]:
    answer = await client.get("/api/v1/promo-codes", params={"code": name}, headers={"cv-api-key": tenant.key.secret})
    data: list[dict[str, Any]] = answer.json()["data"]
    return data


async def assert_recounted(resources: Resources, name: str) -> None:
    async with resources.database.unit_of_work(PLATFORM_ID) as work:
        discrepancies = (await ledger.verify(work)).discrepancies
    assert [each for each in discrepancies if each.name.startswith(name)] == []


async def test_an_organization_leaves_uses_to_the_others(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, neighbour: Tenant, shared: str, clock: Clock
) -> None:
    used = await create_redemption(client, tenant, shared, "RSV-1")
    await create_redemption(client, tenant, shared, "RSV-2", holdSeconds=60)
    assert reasons(await redeem(client, tenant, shared, "RSV-3")) == USED_UP
    refused = await validation(client, tenant, shared)
    (reason,) = refused["reasons"]
    assert (refused["remainingUses"], reason["code"], reason["validFrom"]) == (
        0,
        "UsedUpForOrganization",
        "2026-06-15T12:01:00Z",
    )
    assert (await validation(client, neighbour, shared))["remainingUses"] == 2
    assert [await carevalidate(client, each, shared) for each in (tenant, neighbour)] == [[], [{"percentDiscount": 10}]]
    for number in (1, 2):
        await create_redemption(client, neighbour, shared, f"RSV-{number}")
    assert reasons(await redeem(client, neighbour, shared, "RSV-3")) == [("/code", "UsedUp"), *USED_UP]
    clock.advance(seconds=60)
    assert (await validation(client, tenant, shared))["remainingUses"] == 1
    assert await carevalidate(client, tenant, shared) == [{"percentDiscount": 10}]
    await create_redemption(client, tenant, shared, "RSV-4")
    await act(client, tenant, used, "cancel")
    await create_redemption(client, tenant, shared, "RSV-5", holdSeconds=60)
    assert reasons(await redeem(client, tenant, shared, "RSV-6")) == [("/code", "UsedUp"), *USED_UP]
    await assert_recounted(resources, shared)


async def test_no_organization_learns_when_the_holds_of_another_end(
    client: httpx.AsyncClient, tenant: Tenant, neighbour: Tenant, shared: str
) -> None:
    for number in (1, 2):
        await create_redemption(client, tenant, shared, f"RSV-{number}")
        await create_redemption(client, neighbour, shared, f"RSV-{number}", holdSeconds=60)
    theirs, ours = [(await validation(client, each, shared))["reasons"] for each in (neighbour, tenant)]
    assert [(each["code"], each["validFrom"]) for each in ours] == [("UsedUp", None), ("UsedUpForOrganization", None)]
    assert [each["validFrom"] for each in theirs] == [None, "2026-06-15T12:01:00Z"]


async def test_a_new_share_counts_the_uses_so_far(
    client: httpx.AsyncClient, resources: Resources, superuser: psycopg.Connection, tenant: Tenant, clock: Clock
) -> None:
    administrator = await platform_administrator(resources, superuser) | {"If-Match": "*"}
    name = f"N{new_id().hex[-20:]}"
    created = await client.post(
        MANAGED, json={"name": name, "discountPercent": 10, "isActive": True}, headers=administrator
    )
    url = f"{MANAGED}/{created.json()['id']}"
    await create_redemption(client, tenant, name, "RSV-1")
    await create_redemption(client, tenant, name, "RSV-2", holdSeconds=60)
    await create_redemption(client, tenant, name, "RSV-3", holdSeconds=1)
    clock.advance(seconds=1)
    for share, expected in ((2, USED_UP), (None, []), (3, []), (3, USED_UP)):
        content = {"discountPercent": 10, "maxRedemptionsPerOrganization": share}
        answer = await client.put(url, json=content, headers=administrator)
        assert (answer.status_code, answer.json().get("maxRedemptionsPerOrganization")) == (200, share)
        refused = await redeem(client, tenant, name, f"RSV-{new_id()}")
        assert (share, [] if refused.status_code == 201 else reasons(refused)) == (share, expected)
        if share is None:
            (extra,) = [refused.json()]
            await act(client, tenant, extra, "cancel")
        await assert_recounted(resources, name)


async def test_the_default_share_is_half_of_the_uses(
    client: httpx.AsyncClient, resources: Resources, superuser: psycopg.Connection
) -> None:
    administrator = await platform_administrator(resources, superuser)
    shares = []
    for terms in ({"maxRedemptions": 5}, {"maxRedemptions": 5, "maxRedemptionsPerOrganization": 5}, {}):
        content = {"name": f"D{new_id().hex[-20:]}", "discountPercent": 10, **terms}
        created = await client.post(MANAGED, json=content, headers=administrator)
        shares.append(created.json().get("maxRedemptionsPerOrganization"))
    assert shares == [3, 5, None]


async def test_only_a_global_code_has_shares(client: httpx.AsyncClient, tenant: Tenant) -> None:
    content = {"name": "OWN", "discountPercent": 10, "maxRedemptions": 5, "maxRedemptionsPerOrganization": 6}
    answer = await client.post(MANAGED, json=content, headers=tenant.bearer)
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [
        ("/maxRedemptionsPerOrganization", "NotGlobal"),
        ("/maxRedemptionsPerOrganization", "LimitAboveTotal"),
    ]
