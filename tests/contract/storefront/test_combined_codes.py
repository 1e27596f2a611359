"""POST /storefront/v1/redemptions for a reservation that uses several codes."""

from decimal import Decimal

import httpx
import psycopg
import pytest
from tests.conftest import NOW, Clock
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.redemption_requests import URL, act, candidate, create_redemption, reasons, redeem
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_vouchers, voucher

from tessera.api.serving.resources import Resources

COMBINABLE = {"discount_percent": 60, "is_combinable": True}


@pytest.fixture
async def shop(resources: Resources, tenant: Tenant, superuser: psycopg.Connection) -> Tenant:
    """A tenant with combinable codes, one that is not, and a voucher; the exam costs 135 dollars."""
    flat = {"discount_percent": None, "flat_discount": Decimal("100.00")}
    await add_promo_codes(
        resources,
        tenant,
        percent_code(tenant, "FIRST", **COMBINABLE),
        percent_code(tenant, "SECOND", **COMBINABLE),
        percent_code(tenant, "THIRD", **COMBINABLE | flat),
        percent_code(tenant, "ALONE", discount_percent=60),
        percent_code(tenant, "ALL", **COMBINABLE | {"discount_percent": 100}),
        now=NOW,
    )
    partner = await add_partner(resources, tenant, "Acme Corp")
    purchase = await add_purchase(resources, tenant, partner, await add_program(resources, tenant, "Open"), "VP-1")
    await add_vouchers(resources, tenant, voucher(purchase, partner, "PAID"))
    superuser.execute("update store_exams set price = 135 where organization_id = %s", [tenant.id])
    return tenant


async def test_each_code_is_taken_off_what_the_ones_before_it_have_left(
    client: httpx.AsyncClient, shop: Tenant
) -> None:
    first, second, third = [await create_redemption(client, shop, code) for code in ("FIRST", "SECOND", "THIRD")]
    assert [each["discount"] for each in (first, second, third)] == [81.0, 32.4, 21.6]
    assert [each["finalPrice"] for each in (first, second, third)] == [54.0, 21.6, 0.0]
    assert {each["listPrice"] for each in (first, second, third)} == {135.0}


async def test_a_code_is_refused_where_nothing_is_left_to_pay(client: httpx.AsyncClient, shop: Tenant) -> None:
    await create_redemption(client, shop, "FIRST")
    await create_redemption(client, shop, "ALL", holdSeconds=60)
    refusal = await redeem(client, shop, "SECOND")
    assert (refusal.status_code, reasons(refusal)) == (409, [("/code", "NothingLeftToPay")])


@pytest.mark.parametrize(
    ("first", "second"), [("FIRST", "ALONE"), ("ALONE", "FIRST"), ("FIRST", "PAID"), ("PAID", "FIRST")]
)
async def test_codes_are_combined_only_if_all_of_them_are_combinable(
    client: httpx.AsyncClient, shop: Tenant, first: str, second: str
) -> None:
    await create_redemption(client, shop, first, holdSeconds=60)
    refusal = await redeem(client, shop, second)
    assert (refusal.status_code, reasons(refusal)) == (409, [("/code", "NotCombinable")])


async def test_the_price_of_a_reservation_stays_while_it_uses_a_code(
    client: httpx.AsyncClient, shop: Tenant, superuser: psycopg.Connection
) -> None:
    first = await create_redemption(client, shop, "FIRST")
    superuser.execute("update store_exams set price = 60 where organization_id = %s", [shop.id])
    second = await create_redemption(client, shop, "SECOND")
    assert (second["listPrice"], second["discount"], second["finalPrice"]) == (135.0, 32.4, 21.6)
    for each in (first, second):
        await act(client, shop, each, "cancel")
    assert (await create_redemption(client, shop, "THIRD"))["discount"] == 60.0


async def test_a_code_for_a_cheap_exam_does_not_pay_for_a_dear_bundle(
    client: httpx.AsyncClient, shop: Tenant, superuser: psycopg.Connection
) -> None:
    superuser.execute("update store_exams set price = 10 where organization_id = %s and code = 'NCA-GENL'", [shop.id])
    superuser.execute("update product_bundles set price = 900 where organization_id = %s", [shop.id])
    bundle = {"storeExamCode": None, "productBundleId": str(shop.bundle_id)}
    redemption = await create_redemption(client, shop, "ALL", **bundle)
    assert (redemption["discount"], redemption["finalPrice"]) == (10.0, 890.0)


async def test_a_validation_for_a_reservation_counts_its_other_codes_and_not_its_own_use(
    client: httpx.AsyncClient, resources: Resources, shop: Tenant
) -> None:
    await add_promo_codes(resources, shop, percent_code(shop, "LAST", max_redemptions=1, **COMBINABLE), now=NOW)

    async def validate(**more: object) -> list[tuple[list[str], float, float]]:
        body = {"codes": ["LAST", "SECOND", "ALONE", "PAID"], "storeExamCode": "NCA-GENL", **more}
        answer = await client.post("/storefront/v1/validations", json=body, headers=shop.api_key)
        return [
            ([reason["code"] for reason in each["reasons"]], each["discount"], each["finalPrice"])
            for each in answer.json()["results"]
        ]

    await create_redemption(client, shop, "LAST", holdSeconds=60)
    refused = (["NotCombinable"], 0.0, 135.0)
    own = [([], 81.0, 54.0), ([], 32.4, 21.6), refused, refused]
    assert await validate(reservationCode="RSV-1", candidate={"personId": "P-1"}) == own
    free = [(["UsedUp"], 0.0, 135.0), ([], 81.0, 54.0), ([], 81.0, 54.0), ([], 135.0, 0.0)]
    assert await validate() == await validate(reservationCode="RSV-2") == free
    other = await validate(reservationCode="RSV-1", candidate={"personId": "P-2"})
    assert [(found[0], discount, price) for found, discount, price in other] == [("ReservationDiffers", 0.0, 135.0)] * 4


@pytest.mark.parametrize("code", ["FIRST", "PAID"])
async def test_a_hold_is_extended_up_to_seven_days_from_its_start(
    client: httpx.AsyncClient, shop: Tenant, clock: Clock, code: str
) -> None:
    held = await create_redemption(client, shop, code, holdSeconds=60)
    url, headers = f"{URL}/{held['id']}/extend", shop.api_key
    clock.advance(seconds=59)
    extended = await client.post(url, json={"holdSeconds": 60}, headers=headers)
    expected = held | {"heldUntil": "2026-06-15T12:01:59Z", "updatedAt": "2026-06-15T12:00:59Z"}
    assert (extended.status_code, extended.json()) == (200, expected)
    clock.advance(seconds=59)
    assert (await redeem(client, shop, code, "RSV-1", holdSeconds=1)).json() == extended.json()
    too_long = await client.post(url, json={"holdSeconds": 7 * 24 * 3600 - 117}, headers=headers)
    assert (too_long.status_code, reasons(too_long)) == (400, [("/holdSeconds", "HoldTooLong")])
    longest = await client.post(url, json={"holdSeconds": 7 * 24 * 3600 - 118}, headers=headers)
    assert (longest.status_code, longest.json()["heldUntil"]) == (200, "2026-06-22T12:00:00Z")
    clock.advance(days=7)
    lapsed = await client.post(url, json={"holdSeconds": 60}, headers=headers)
    assert (lapsed.status_code, lapsed.json()["state"]) == (409, "Expired")


async def test_a_promo_code_cannot_have_the_text_of_a_voucher(client: httpx.AsyncClient, shop: Tenant) -> None:
    terms = {"discountPercent": 1, "storeExamCodes": ["NCA-GENL"], "maxRedemptions": 1}
    documented = {"promoCodeName": "paid", "expirationDateUtc": "2030-01-01T00:00:00", **terms}
    answer = await client.post("/promo-codes", json=documented, headers=shop.bearer)
    message = "promoCodeName must be unique, and 'paid' is taken."
    assert (answer.status_code, answer.json()["errorMessages"]) == (400, [message])
    managed = await client.post("/management/v1/promo-codes", json={"name": "Paid", **terms}, headers=shop.bearer)
    assert [error["code"] for error in managed.json()["errors"]] == ["NameTaken"]


async def test_a_voucher_is_meant_where_a_promo_code_has_its_text(
    client: httpx.AsyncClient, shop: Tenant, superuser: psycopg.Connection
) -> None:
    # The promo code is from before such texts were refused.
    superuser.execute("update promo_codes set name = 'PAID' where name = 'ALL' and organization_id = %s", [shop.id])
    paid = await create_redemption(client, shop, "paid")
    assert (paid["kind"], paid["discount"]) == ("Voucher", 135.0)
    assert (await create_redemption(client, shop, "paid", "RSV-2"))["kind"] == "PromoCode"


async def test_a_letter_that_looks_like_a_digit_is_read_as_one_in_a_voucher(
    client: httpx.AsyncClient, resources: Resources, shop: Tenant, superuser: psycopg.Connection
) -> None:
    superuser.execute("update vouchers set code = 'PRO-01A' where organization_id = %s", [shop.id])
    held = await create_redemption(client, shop, "pro-oia", holdSeconds=60)
    assert held["code"] == "PRO-01A"
    assert (await create_redemption(client, shop, "PRO-OLA"))["id"] == held["id"]
    assert reasons(await redeem(client, shop, "PR0-01A", "RSV-2")) == [("/code", "NotFound")]


async def test_a_request_without_a_hold_redeems_what_is_held(client: httpx.AsyncClient, shop: Tenant) -> None:
    for number, code in enumerate(("FIRST", "PAID")):
        held = await create_redemption(client, shop, code, f"RSV-{number}", holdSeconds=60)
        again = await create_redemption(client, shop, code, f"RSV-{number}", holdSeconds=90)
        assert again == held
        other = await redeem(client, shop, code, f"RSV-{number}", candidate=candidate("P-2"))
        assert reasons(other) == [("/reservationCode", "ReservationDiffers")]
        redeemed = await create_redemption(client, shop, code, f"RSV-{number}")
        assert redeemed == held | {"status": "Redeemed"}
        assert (await act(client, shop, redeemed, "cancel")).json()["status"] == "Cancelled"
