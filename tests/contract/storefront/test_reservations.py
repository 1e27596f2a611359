"""GET and PUT /storefront/v1/reservations/{code}: the status of a booking, and of the codes used for it."""

from typing import Any

import httpx
import pytest
from tests.conftest import NOW, Clock
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.redemption_requests import RESERVATIONS, act, create_redemption, reasons, redeem, update_reservation
from tests.support.voucher_factories import (
    add_partner,
    add_program,
    add_purchase,
    add_user,
    add_vouchers,
    usage,
    voucher,
)

from tessera.api.serving.resources import Resources
from tessera.identity.rules import FunctionPoint

NOT_FOUND = {
    "type": "urn:tessera:problem:not-found",
    "title": "Not found",
    "status": 404,
    "detail": "There is no such reservation.",
}


@pytest.fixture
async def shop(resources: Resources, tenant: Tenant) -> Tenant:
    """A tenant with combinable promo codes, for two uses and for one by each candidate, and a voucher."""
    once = percent_code(tenant, "ONCE", max_redemptions_per_candidate=1, is_combinable=True)
    spring = percent_code(tenant, "SPRING", max_redemptions=2, is_combinable=True)
    await add_promo_codes(resources, tenant, spring, once, now=NOW)
    partner = await add_partner(resources, tenant, "Acme Corp")
    purchase = await add_purchase(resources, tenant, partner, await add_program(resources, tenant, "Open"), "VP-1")
    await add_vouchers(resources, tenant, voucher(purchase, partner, "PAID"))
    return tenant


async def booking(client: httpx.AsyncClient, tenant: Tenant, code: str = "RSV-1") -> dict[str, Any]:
    answer = await client.get(f"{RESERVATIONS}/{code}", headers=tenant.api_key)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def voucher_reservation(client: httpx.AsyncClient, tenant: Tenant, code: str = "PAID") -> tuple[str, str, bool]:
    """The voucher's properties about its reservation."""
    answer = await client.get(f"/api/vouchers?voucherCode={code}", headers=tenant.bearer)
    (records,) = answer.json()["data"]
    return records["reservationCode"], records["reservationStatus"], records["isUsed"]


def conflict(state: str) -> dict[str, Any]:
    return {
        "type": "urn:tessera:problem:wrong-state",
        "title": "Wrong state",
        "status": 409,
        "detail": f"The reservation is {state}.",
        "state": state,
    }


async def test_a_reservation_is_shown_with_all_its_redemptions_oldest_first(
    client: httpx.AsyncClient, shop: Tenant, clock: Clock
) -> None:
    first = await create_redemption(client, shop, "PAID", holdSeconds=10)
    clock.advance(seconds=10)
    second = await create_redemption(client, shop, "SPRING")
    assert await booking(client, shop) == {
        "reservationCode": "RSV-1",
        "status": "Created",
        "redemptions": [first | {"status": "Expired"}, second],
    }


@pytest.mark.parametrize("status", ["Rescheduled", "Completed", "NoShow"])
async def test_what_became_of_a_reservation_is_shown_everywhere_and_keeps_its_uses(
    client: httpx.AsyncClient, shop: Tenant, status: str
) -> None:
    promo = await create_redemption(client, shop, "SPRING")
    await act(client, shop, promo, "cancel")
    paid = await create_redemption(client, shop, "PAID")
    response = await update_reservation(client, shop, "RSV-1", status.lower())
    expected = [each | {"reservationStatus": status} for each in (promo | {"status": "Cancelled"}, paid)]
    assert (response.status_code, response.json()) == (
        200,
        {"reservationCode": "RSV-1", "status": status, "redemptions": expected},
    )
    assert await booking(client, shop) == response.json()
    assert await voucher_reservation(client, shop) == ("RSV-1", status, True)
    again = await update_reservation(client, shop, "RSV-1", status)
    assert (again.status_code, again.content) == (200, response.content)


async def test_cancelling_gives_back_every_use(client: httpx.AsyncClient, shop: Tenant) -> None:
    await create_redemption(client, shop, "SPRING", holdSeconds=60)
    await create_redemption(client, shop, "ONCE")
    await create_redemption(client, shop, "PAID", "RSV-P")
    await create_redemption(client, shop, "SPRING", "RSV-0")
    assert reasons(await redeem(client, shop, "SPRING", "RSV-2")) == [("/code", "UsedUp")]
    response = await update_reservation(client, shop, "RSV-1", "Cancelled")
    assert [(each["code"], each["status"]) for each in response.json()["redemptions"]] == [
        ("SPRING", "Released"),
        ("ONCE", "Cancelled"),
    ]
    await update_reservation(client, shop, "RSV-P", "Cancelled")
    assert await voucher_reservation(client, shop) == ("RSV-P", "Cancelled", False)
    for code in ("SPRING", "ONCE"):
        await create_redemption(client, shop, code, "RSV-2")
    await create_redemption(client, shop, "PAID", "RSV-3")
    assert (await update_reservation(client, shop, "RSV-1", "Cancelled")).content == response.content
    assert await voucher_reservation(client, shop) == ("RSV-3", "Created", True)


async def test_a_hold_that_ran_out_before_stays_expired(client: httpx.AsyncClient, shop: Tenant, clock: Clock) -> None:
    await create_redemption(client, shop, "PAID", holdSeconds=10)
    clock.advance(seconds=10)
    response = await update_reservation(client, shop, "RSV-1", "Cancelled")
    assert [each["status"] for each in response.json()["redemptions"]] == ["Expired"]


async def test_a_reservation_gets_a_new_code(client: httpx.AsyncClient, shop: Tenant) -> None:
    paid = await create_redemption(client, shop, "PAID")
    response = await update_reservation(client, shop, "RSV-1", "Rescheduled", reservationCode=" RSV/2 ")
    moved = paid | {"reservationCode": "RSV/2", "reservationStatus": "Rescheduled"}
    assert (response.status_code, response.json()) == (
        200,
        {"reservationCode": "RSV/2", "status": "Rescheduled", "redemptions": [moved]},
    )
    assert await voucher_reservation(client, shop) == ("RSV/2", "Rescheduled", True)
    assert await booking(client, shop, "RSV/2") == response.json()
    missing = await client.get(f"{RESERVATIONS}/RSV-1", headers=shop.api_key)
    assert (missing.status_code, missing.json()) == (404, NOT_FOUND)
    # The same request again, with the code from before.
    again = await update_reservation(client, shop, "RSV-1", "Rescheduled", reservationCode="RSV/2")
    assert (again.status_code, again.content) == (200, response.content)
    assert (await create_redemption(client, shop, "PAID", "RSV/2"))["id"] == paid["id"]
    assert (await act(client, shop, paid, "cancel")).json()["reservationCode"] == "RSV/2"


async def test_a_voucher_that_was_given_back_follows_only_its_latest_reservation(
    client: httpx.AsyncClient, shop: Tenant
) -> None:
    await act(client, shop, await create_redemption(client, shop, "PAID"), "cancel")
    await update_reservation(client, shop, "RSV-1", "Rescheduled", reservationCode="RSV-2")
    assert await voucher_reservation(client, shop) == ("RSV-2", "Rescheduled", False)
    await create_redemption(client, shop, "PAID", "RSV-3")
    await update_reservation(client, shop, "RSV-2", "NoShow")
    assert await voucher_reservation(client, shop) == ("RSV-3", "Created", True)


async def test_a_voucher_that_was_used_elsewhere_for_a_reservation_of_the_same_code_does_not_follow_it(
    client: httpx.AsyncClient, resources: Resources, shop: Tenant
) -> None:
    partner = await add_partner(resources, shop, "Other Corp")
    purchase = await add_purchase(resources, shop, partner, await add_program(resources, shop, "Other"), "VP-2")
    used = usage(shop.exam_ids["NCA-GENL"], "RSV-1")
    await add_vouchers(resources, shop, voucher(purchase, partner, "IMPORTED", **used))
    await create_redemption(client, shop, "PAID")
    await update_reservation(client, shop, "RSV-1", "NoShow")
    assert await voucher_reservation(client, shop) == ("RSV-1", "NoShow", True)
    assert await voucher_reservation(client, shop, "IMPORTED") == ("RSV-1", "Created", True)


async def test_the_code_of_another_reservation_is_taken(client: httpx.AsyncClient, shop: Tenant) -> None:
    await create_redemption(client, shop, "PAID")
    await create_redemption(client, shop, "SPRING", "RSV-2")
    refusal = await update_reservation(client, shop, "RSV-1", "Rescheduled", reservationCode="RSV-2")
    assert (refusal.status_code, refusal.json()) == (
        409,
        {
            "type": "urn:tessera:problem:conflict",
            "title": "Conflict",
            "status": 409,
            "detail": "There is a reservation RSV-2 already.",
        },
    )
    assert await voucher_reservation(client, shop) == ("RSV-1", "Created", True)


@pytest.mark.parametrize("ended", ["Completed", "NoShow", "Cancelled"])
async def test_what_has_ended_takes_no_new_redemption_and_no_other_status(
    client: httpx.AsyncClient, shop: Tenant, ended: str
) -> None:
    first = await create_redemption(client, shop, "PAID")
    await update_reservation(client, shop, "RSV-1", ended)
    refusal = await redeem(client, shop, "SPRING")
    assert (refusal.status_code, refusal.json()["errors"]) == (
        409,
        [
            {
                "pointer": "/reservationCode",
                "code": "ReservationEnded",
                "detail": f"The reservation is {ended}.",
                "remainingUses": None,
                "validFrom": None,
            }
        ],
    )
    for other in {"Rescheduled", "Completed", "NoShow", "Cancelled"} - {ended}:
        response = await update_reservation(client, shop, "RSV-1", other)
        assert (response.status_code, response.json()) == (409, conflict(ended))
    moved = await update_reservation(client, shop, "RSV-1", "Rescheduled", reservationCode="RSV-2")
    assert moved.json() == conflict(ended)
    again = await redeem(client, shop, "PAID")
    assert (again.status_code == 201 and again.json()["id"] == first["id"]) == (ended != "Cancelled")


async def test_a_refusal_names_the_reservation_and_the_code(client: httpx.AsyncClient, shop: Tenant) -> None:
    await create_redemption(client, shop, "PAID")
    await update_reservation(client, shop, "RSV-1", "Completed")
    refusal = await redeem(client, shop, "NOWHERE")
    assert reasons(refusal) == [("/reservationCode", "ReservationEnded"), ("/code", "NotFound")]


@pytest.mark.parametrize("code", ["RSV-1", "RSV%00", "%FF", "a/b", "x" * 300, "%20"])
async def test_a_reservation_that_nothing_was_redeemed_for_is_unknown(
    client: httpx.AsyncClient, shop: Tenant, code: str
) -> None:
    for answer in (
        await client.get(f"{RESERVATIONS}/{code}", headers=shop.api_key),
        await client.put(f"{RESERVATIONS}/{code}", json={"status": "NoShow"}, headers=shop.api_key),
    ):
        assert (answer.status_code, answer.json()) == (404, NOT_FOUND)


@pytest.mark.parametrize(
    ("content", "errors"),
    [
        ({}, [("/status", "Required")]),
        ({"status": None}, [("/status", "Required")]),
        ({"status": "Created"}, [("/status", "NotAmongValues")]),
        ({"status": 1}, [("/status", "NotAmongValues")]),
        ({"status": "x", "reservationCode": " "}, [("/status", "NotAmongValues"), ("/reservationCode", "NotLabel")]),
        ({"reservationCode": "x" * 101}, [("/status", "Required"), ("/reservationCode", "NotLabel")]),
        ({"status": "Rescheduled", "reservationCode": "a\0b"}, [("/reservationCode", "NotLabel")]),
        ({"status": "Cancelled", "reservationCode": "RSV-2"}, [("/reservationCode", "NotRescheduled")]),
    ],
    ids=str,
)
async def test_every_violation_of_a_body_is_reported_at_once(
    client: httpx.AsyncClient, shop: Tenant, content: dict[str, Any], errors: list[tuple[str, str]]
) -> None:
    await create_redemption(client, shop, "PAID")
    answer = await client.put(f"{RESERVATIONS}/RSV-1", json=content, headers=shop.api_key)
    assert (answer.status_code, reasons(answer)) == (400, errors)
    assert (await booking(client, shop))["status"] == "Created"


@pytest.mark.parametrize(("content", "status"), [(b"", 400), (b"[]", 400), (b"{", 400), (b"null", 400)])
async def test_a_value_that_is_not_an_object_is_refused(
    client: httpx.AsyncClient, shop: Tenant, content: bytes, status: int
) -> None:
    answer = await client.put(f"{RESERVATIONS}/RSV-1", content=content, headers=shop.api_key)
    assert (answer.status_code, answer.json()["type"]) == (status, "urn:tessera:problem:malformed-request")
    text = shop.api_key | {"Content-Type": "text/plain"}
    assert (await client.put(f"{RESERVATIONS}/RSV-1", content=content, headers=text)).status_code == 415


async def test_a_key_makes_the_second_request_the_first_one(client: httpx.AsyncClient, shop: Tenant) -> None:
    await create_redemption(client, shop, "PAID")
    headers = shop.api_key | {"Idempotency-Key": "k-1"}
    first = await client.put(f"{RESERVATIONS}/RSV-1", json={"status": "Rescheduled"}, headers=headers)
    await update_reservation(client, shop, "RSV-1", "Completed")
    again = await client.put(f"{RESERVATIONS}/RSV-1", json={"status": "Rescheduled"}, headers=headers)
    assert (again.status_code, again.content) == (200, first.content)
    other = await client.put(f"{RESERVATIONS}/RSV-1", json={"status": "NoShow"}, headers=headers)
    assert other.status_code == 422


async def test_a_caller_without_the_right_or_a_credential_learns_nothing(
    client: httpx.AsyncClient, resources: Resources, shop: Tenant, other_tenant: Tenant
) -> None:
    await create_redemption(client, shop, "PAID")
    points = tuple(point for point in FunctionPoint if not point.startswith("Storefront"))
    powerless = await add_user(resources, shop, "bob@example.com", function_points=points)
    for headers, status in ((None, 401), ({"cv-api-key": "x"}, 401), (powerless, 403), (other_tenant.api_key, 404)):
        answers = (
            await client.get(f"{RESERVATIONS}/RSV-1", headers=headers),
            await client.put(f"{RESERVATIONS}/RSV-1", json={"status": "Cancelled"}, headers=headers),
        )
        assert [answer.status_code for answer in answers] == [status, status]
    assert (await booking(client, shop))["status"] == "Created"
    assert (await client.get(f"{RESERVATIONS}/RSV-1", headers=shop.bearer)).status_code == 200


async def test_reservation_codes_differ_by_case_and_not_by_surrounding_white_space(
    client: httpx.AsyncClient, shop: Tenant
) -> None:
    await create_redemption(client, shop, "PAID", " Rsv-1 ")
    assert (await booking(client, shop, "Rsv-1%20"))["reservationCode"] == "Rsv-1"
    assert (await client.get(f"{RESERVATIONS}/RSV-1", headers=shop.api_key)).status_code == 404
