"""StorefrontRedeem acts on what the same credential has made, StorefrontSupport sees and cancels everything."""

import httpx
import pytest
from tests.conftest import NOW
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.management_requests import ROOT, if_match
from tests.support.redemption_requests import RESERVATIONS, URL, body

from tessera.api.serving.resources import Resources

KEYS = f"{ROOT}/keys"


async def new_key(client: httpx.AsyncClient, tenant: Tenant, *rights: str) -> tuple[dict[str, str], str]:
    made = (await client.post(KEYS, json={"name": "K", "functionPoints": rights}, headers=tenant.bearer)).json()
    return {"cv-api-key": made["apiKey"]}, made["id"]


@pytest.fixture
async def keys(client: httpx.AsyncClient, resources: Resources, tenant: Tenant) -> dict[str, dict[str, str]]:
    """Headers of two storefronts and of the support, and the id of the first one's key; a code that both may use."""
    await add_promo_codes(resources, tenant, percent_code(tenant, "SPRING", is_combinable=True), now=NOW)
    mine, mine_id = await new_key(client, tenant, "StorefrontRedeem")
    theirs, _ = await new_key(client, tenant, "StorefrontRedeem")
    support, _ = await new_key(client, tenant, "StorefrontSupport")
    return {"mine": mine, "theirs": theirs, "support": support, "ids": {"mine": mine_id}}


async def made(client: httpx.AsyncClient, headers: dict[str, str], reservation: str, **more: object) -> str:
    answer = await client.post(URL, json=body("SPRING", reservation, **more), headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_a_storefront_sees_only_its_own_redemptions(
    client: httpx.AsyncClient, keys: dict[str, dict[str, str]]
) -> None:
    own, other = await made(client, keys["mine"], "R-1"), await made(client, keys["theirs"], "R-2")

    async def listed(who: str) -> list[str]:
        return [each["id"] for each in (await client.get(URL, headers=keys[who])).json()["data"]]

    assert [await listed(who) for who in ("mine", "theirs", "support")] == [[own], [other], [own, other]]
    statuses = {}
    for path in (f"{URL}/{own}", f"{URL}/{other}", f"{RESERVATIONS}/R-1", f"{RESERVATIONS}/R-2"):
        statuses[path] = [(await client.get(path, headers=keys[who])).status_code for who in ("mine", "support")]
    assert list(statuses.values()) == [[200, 200], [404, 200], [200, 200], [404, 200]]


async def test_a_storefront_changes_only_its_own_redemptions(
    client: httpx.AsyncClient, keys: dict[str, dict[str, str]]
) -> None:
    held = await made(client, keys["theirs"], "R-1", holdSeconds=60)
    cancelled = {"status": "Cancelled"}

    async def statuses(who: str) -> list[int]:
        paths = (f"{URL}/{held}/confirm", f"{URL}/{held}/release", f"{URL}/{held}/cancel")
        answers = [(await client.post(path, headers=keys[who])).status_code for path in paths]
        put = await client.put(f"{RESERVATIONS}/R-1", json=cancelled, headers=keys[who])
        return [*answers, put.status_code]

    assert await statuses("mine") == [404, 404, 404, 404]
    again = await client.post(URL, json=body("SPRING", "R-1"), headers=keys["mine"])
    assert (again.status_code, again.json()["detail"]) == (
        409,
        "Another credential has used this code for the reservation R-1.",
    )
    # The support may not redeem, but may cancel everything.
    confirmed = await client.post(f"{URL}/{held}/confirm", headers=keys["theirs"])
    assert confirmed.status_code == 200
    assert await statuses("support") == [403, 403, 200, 200]


async def test_a_reservation_that_two_storefronts_use_is_changed_by_the_support_alone(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, keys: dict[str, dict[str, str]]
) -> None:
    await add_promo_codes(resources, tenant, percent_code(tenant, "SUMMER", is_combinable=True), now=NOW)
    own = await made(client, keys["mine"], "R-1")
    other = await client.post(URL, json=body("SUMMER", "R-1"), headers=keys["theirs"])
    seen = (await client.get(f"{RESERVATIONS}/R-1", headers=keys["mine"])).json()["redemptions"]
    assert (other.status_code, [each["id"] for each in seen]) == (201, [own])
    cancelled = {"status": "Cancelled"}
    refused = await client.put(f"{RESERVATIONS}/R-1", json=cancelled, headers=keys["mine"])
    assert (refused.status_code, refused.json()["detail"]) == (
        403,
        "The reservation has redemptions of another credential, so changing it requires the function point"
        " StorefrontSupport.",
    )
    assert (await client.put(f"{RESERVATIONS}/R-1", json=cancelled, headers=keys["support"])).status_code == 200


async def test_a_rotated_key_goes_on_with_what_the_old_one_made(
    client: httpx.AsyncClient, tenant: Tenant, keys: dict[str, dict[str, str]]
) -> None:
    held, key_id = await made(client, keys["mine"], "R-1", holdSeconds=60), keys["ids"]["mine"]
    for _ in range(2):
        url = f"{KEYS}/{key_id}/rotate"
        new = (await client.post(url, json={"overlapHours": 0}, headers=if_match("*", tenant))).json()
        key_id = new["id"]
    assert new["firstKeyId"] == keys["ids"]["mine"]
    answer = await client.post(f"{URL}/{held}/confirm", headers={"cv-api-key": new["apiKey"]})
    assert (answer.status_code, answer.json()["madeBy"]) == (200, keys["ids"]["mine"])
