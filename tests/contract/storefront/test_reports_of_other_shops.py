"""Bug reports of other shops, ticket and course systems, tried here: each test names the report."""

import asyncio
from typing import Any

import httpx
import psycopg
import pytest
from tests.conftest import NOW, Clock
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.management_requests import ROOT, if_match
from tests.support.redemption_requests import (
    URL,
    act,
    body,
    candidate,
    create_redemption,
    reasons,
    redeem,
    update_reservation,
)
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_vouchers, voucher

from tessera.api.serving.resources import Resources
from tessera.promo_codes.service import NewPromoCode

VALIDATIONS = "/storefront/v1/validations"


@pytest.fixture
async def shop(resources: Resources, tenant: Tenant) -> Tenant:
    """Codes with the limits and restrictions of the reports, and a program for one e-mail domain."""

    def code(name: str, **changes: Any) -> NewPromoCode:
        return percent_code(tenant, name, **changes)

    await add_promo_codes(
        resources,
        tenant,
        code("ONCE", max_redemptions=1),
        code("STACKED", max_redemptions=1, is_combinable=True),
        code("SECOND", is_combinable=True),
        code("WHOLE", discount_percent=100, is_combinable=True),
        code("PERSONAL", max_redemptions_per_candidate=1),
        code("TEAM", restrict_to_email_addresses=True, email_addresses=("Ada@Example.com",)),
        now=NOW,
    )
    partner = await add_partner(resources, tenant, "Acme")
    program = await add_program(resources, tenant, "Staff", email_domains=("example.com",))
    purchase = await add_purchase(resources, tenant, partner, program, "VP-1")
    await add_vouchers(resources, tenant, voucher(purchase, partner, "STAFF-1"))
    return tenant


async def assess(client: httpx.AsyncClient, shop: Tenant, *codes: str, **more: Any) -> list[dict[str, Any]]:
    content = {"codes": codes, "storeExamCode": "NCA-GENL", "candidate": {"personId": "P-1"}, **more}
    answer = await client.post(VALIDATIONS, json=content, headers=shop.api_key)
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


async def test_an_aborted_order_does_not_cost_the_customer_its_only_use(
    client: httpx.AsyncClient, shop: Tenant
) -> None:
    """shopware/shopware#8575, vendure#1466: one use for each customer was gone after an abort or a cancellation."""
    held = await create_redemption(client, shop, "PERSONAL", "R-1", holdSeconds=60)
    assert (await act(client, shop, held, "release")).status_code == 200
    await create_redemption(client, shop, "PERSONAL", "R-2")
    await update_reservation(client, shop, "R-2", "Cancelled")
    await create_redemption(client, shop, "PERSONAL", "R-3")
    assert reasons(await redeem(client, shop, "PERSONAL", "R-4")) == [("/code", "UsedUpForCandidate")]


async def test_a_used_up_code_of_an_order_does_not_keep_others_from_it(client: httpx.AsyncClient, shop: Tenant) -> None:
    """vendure#1807: adding a code checked the limits of the order's earlier codes again, and refused."""
    await create_redemption(client, shop, "STACKED", "R-1")
    second = await create_redemption(client, shop, "SECOND", "R-1")
    assert second["finalPrice"] == 81
    found = await assess(client, shop, "STACKED", "SECOND", reservationCode="R-1")
    assert [each["isValid"] for each in found] == [True, True]


async def test_a_code_that_takes_nothing_off_is_not_used(client: httpx.AsyncClient, shop: Tenant) -> None:
    """vendure#5278: a code without any discount used up the customer's limit."""
    await create_redemption(client, shop, "WHOLE", "R-1")
    refused = await redeem(client, shop, "STACKED", "R-1")
    assert reasons(refused) == [("/code", "NothingLeftToPay")]
    assert [each["remainingUses"] for each in await assess(client, shop, "STACKED")] == [1]


@pytest.mark.parametrize("code", ["ONCE", "STACKED", "STAFF-1"])
async def test_a_code_is_not_used_for_a_free_product(
    client: httpx.AsyncClient, shop: Tenant, superuser: psycopg.Connection, code: str
) -> None:
    """vendure#5278, of another kind: nothing is to be paid from the beginning."""
    staff = candidate("P-1", email="ada@example.com")
    known = {"personId": "P-1", "email": "ada@example.com"}
    before = await create_redemption(client, shop, code, "R-1", candidate=staff, holdSeconds=60)
    superuser.execute("update store_exams set price = 0 where organization_id = %s", [shop.id])
    (own,) = await assess(client, shop, code, candidate=known, reservationCode="R-1")
    assert (own["isValid"], own["finalPrice"]) == (True, before["finalPrice"])
    confirmed = await create_redemption(client, shop, code, "R-1", candidate=staff)
    await act(client, shop, confirmed, "cancel")
    for changes in ({}, {"holdSeconds": 60}):
        refused = await redeem(client, shop, code, "R-2", candidate=staff, **changes)
        assert (refused.status_code, reasons(refused)) == (409, [("/code", "NothingLeftToPay")])
    (found,) = await assess(client, shop, code, candidate=known)
    assert ([each["code"] for each in found["reasons"]], found["discount"]) == (["NothingLeftToPay"], 0)
    assert found["remainingUses"] == 1


@pytest.mark.parametrize(("price", "discount"), [("0.01", 0.01), ("0.00", 0)])
async def test_a_code_for_free_exams_is_not_used_for_their_bundle(
    client: httpx.AsyncClient, shop: Tenant, superuser: psycopg.Connection, price: str, discount: float
) -> None:
    """vendure#5278, of another kind: the discount is on exams of the bundle that cost nothing."""
    superuser.execute("update store_exams set price = %s where organization_id = %s", [price, shop.id])
    bundle = {"storeExamCode": None, "productBundleId": str(shop.bundle_id)}
    (found,) = await assess(client, shop, "WHOLE", **bundle)
    assert (found["isValid"], found["discount"]) == (discount > 0, discount)
    answer = await redeem(client, shop, "WHOLE", "R-1", **bundle)
    assert answer.status_code == (201 if discount else 409)
    assert discount or reasons(answer) == [("/code", "NoDiscount")]


async def test_a_payment_in_two_steps_uses_a_code_once(client: httpx.AsyncClient, shop: Tenant) -> None:
    """saleor#8219: a checkout that was completed twice, for 3-D Secure, used its voucher twice."""
    held = await create_redemption(client, shop, "ONCE", "R-1", holdSeconds=60)
    completed = [await redeem(client, shop, "ONCE", "R-1") for _ in range(2)]
    completed += [await act(client, shop, held, "confirm") for _ in range(2)]
    assert {(each.status_code, each.json()["id"], each.json()["status"]) for each in completed} <= {
        (status, held["id"], "Redeemed") for status in (200, 201)
    }
    found = await client.get(URL, params={"code": "ONCE"}, headers=shop.api_key)
    assert len(found.json()["data"]) == 1


async def test_two_requests_of_one_order_at_once_get_one_use(client: httpx.AsyncClient, shop: Tenant) -> None:
    """saleor/saleor#15855: one of two threads that completed a checkout failed, and its payment was refunded."""
    answers = await asyncio.gather(*(redeem(client, shop, "ONCE", "R-1") for _ in range(4)))
    assert {(each.status_code, each.json()["id"]) for each in answers} == {(201, answers[0].json()["id"])}


async def test_a_failing_order_uses_nothing(client: httpx.AsyncClient, shop: Tenant) -> None:
    """saleor#8799: the use of a voucher was counted before a later step of the order failed."""
    wrong = {**body("ONCE", "R-1"), "candidate": {"personId": "P-1"}}
    assert (await client.post(URL, json=wrong, headers=shop.api_key)).status_code == 400
    assert (await redeem(client, shop, "ONCE", "R-1", storeExamCode="NOPE")).status_code == 400
    assert (await create_redemption(client, shop, "ONCE", "R-1"))["status"] == "Redeemed"


async def test_white_space_makes_no_second_code(client: httpx.AsyncClient, shop: Tenant) -> None:
    """spree#10523: `promo` and `promo ` were two codes, and the older one, expired, was applied."""
    for name in ("once ", " ONCE", "ONCE\u200b", "ONC\uff25"):
        answer = await client.post(
            f"{ROOT}/promo-codes", json={"name": name, "discountPercent": 5}, headers=shop.bearer
        )
        assert answer.status_code == 400, name
    for typed in ("once ", "\tONCE", "ONCE\u200b"):
        assert (await assess(client, shop, typed))[0]["code"] == "ONCE"


async def test_letter_case_of_addresses_does_not_matter(client: httpx.AsyncClient, shop: Tenant) -> None:
    """woocommerce#50329, openedx-unsupported/ecommerce#2074: `TEST@TEST.com` was not `test@test.com`."""
    for number, address in enumerate(("ADA@EXAMPLE.COM", "ada@example.com")):
        await create_redemption(client, shop, "TEAM", f"R-{number}", candidate=candidate("P-1", email=address))
    staff = candidate("P-1", email="ADA@EXAMPLE.Com")
    assert (await create_redemption(client, shop, "STAFF-1", "R-9", candidate=staff))["discount"] == 100


async def test_the_last_use_is_not_refused(client: httpx.AsyncClient, shop: Tenant) -> None:
    """shopware#4177: the last of as many uses as the limit was refused, since the order counted against itself."""
    await create_redemption(client, shop, "ONCE", "R-1", holdSeconds=60)
    (own,) = await assess(client, shop, "ONCE", reservationCode="R-1")
    assert (own["isValid"], own["finalPrice"]) == (True, 90)
    assert (await redeem(client, shop, "ONCE", "R-1")).json()["status"] == "Redeemed"
    assert reasons(await redeem(client, shop, "ONCE", "R-2", candidate=candidate("P-2"))) == [("/code", "UsedUp")]


async def test_a_refunded_order_gives_its_code_to_others_and_not_twice(client: httpx.AsyncClient, shop: Tenant) -> None:
    """chrisjrn/registrasion#1: a refund released a voucher whose discount was taken later all the same."""
    first = await create_redemption(client, shop, "ONCE", "R-1")
    await update_reservation(client, shop, "R-1", "Cancelled")
    await create_redemption(client, shop, "ONCE", "R-2", candidate=candidate("P-2"))
    assert (await act(client, shop, first, "confirm")).status_code == 409
    again = await redeem(client, shop, "ONCE", "R-1")
    assert again.status_code == 409
    assert ("/code", "UsedUp") in reasons(again)


@pytest.mark.parametrize("typed", [" ", "\u00a0", "\u200b", "%", "_"])
async def test_a_blank_code_is_no_code(client: httpx.AsyncClient, shop: Tenant, typed: str) -> None:
    """verbb/gift-voucher#4: a blank redeemed the latest voucher."""
    content = {"codes": [typed], "storeExamCode": "NCA-GENL", "candidate": {"personId": "P-1"}}
    found = await client.post(VALIDATIONS, json=content, headers=shop.api_key)
    if found.status_code == 200:
        assert [each["code"] for each in found.json()["results"][0]["reasons"]] == ["NotFound"]
    else:
        assert reasons(found) == [("/codes/0", "NotCode")]
    assert reasons(await redeem(client, shop, typed, "R-1")) in ([("/code", "NotCode")], [("/code", "NotFound")])
    answer = await client.get("/api/v1/promo-codes", params={"code": typed}, headers=shop.api_key)
    assert answer.status_code in (400, 404)
    listed = await client.get(f"{ROOT}/promo-codes", params={"search": f"{typed}x"}, headers=shop.bearer)
    assert listed.json()["data"] == []


async def test_saving_a_code_does_not_move_its_dates(client: httpx.AsyncClient, shop: Tenant) -> None:
    """magfest/ubersystem#3452: each time that a code was saved, its expiry moved by the offset of the time zone."""
    terms = {"discountPercent": 5, "startsAt": "2030-12-31T23:59:59-05:00", "expiresAt": "2031-03-30T02:30:00+02:00"}
    url = f"{ROOT}/promo-codes"
    code = (await client.post(url, json={"name": "MOVING", **terms}, headers=shop.bearer)).json()
    for notes in ("one", "two"):
        dates = {name: code[name] for name in ("startsAt", "expiresAt")}
        assert list(dates.values()) == ["2031-01-01T04:59:59Z", "2031-03-30T00:30:00Z"]
        changed = {"discountPercent": 5, **dates, "notes": notes}
        saved = await client.put(f"{url}/{code['id']}", json=changed, headers=if_match(code["version"], shop))
        assert saved.status_code == 200
        code = saved.json()
    file = await client.get(f"{ROOT}/exports/promo-codes", headers=shop.bearer)
    headers = shop.bearer | {"Content-Type": "text/csv"}
    result = await client.post(f"{ROOT}/promo-code-imports?update=true", content=file.content, headers=headers)
    assert result.json()["changed"] == 0


@pytest.mark.parametrize("ending", ["deactivate", "archive", "expire"])
async def test_a_code_that_ends_meanwhile_is_refused_and_a_hold_is_kept(
    client: httpx.AsyncClient, shop: Tenant, clock: Clock, superuser: psycopg.Connection, ending: str
) -> None:
    """medusajs/medusa#6551, PrestaShop#32303: carts with a code that had ended were completed, weeks later as well."""
    held = [await create_redemption(client, shop, "SECOND", f"R-{number}", holdSeconds=600) for number in range(2)]
    (found,) = await assess(client, shop, "SECOND")
    assert found["isValid"]
    row = superuser.execute("select id from promo_codes where organization_id = %s and name = 'SECOND'", [shop.id])
    ((code_id,),) = row.fetchall()
    if ending == "expire":
        superuser.execute("update promo_codes set expires_at = %s where id = %s", [NOW, code_id])
    else:
        await client.post(f"{ROOT}/promo-codes/{code_id}/{ending}", headers=if_match("*", shop))
    expected = {"deactivate": "Inactive", "archive": "Archived", "expire": "Expired"}[ending]
    assert reasons(await redeem(client, shop, "SECOND", "R-3")) == [("/code", expected)]
    assert (await act(client, shop, held[0], "confirm")).json()["status"] == "Redeemed"
    clock.advance(minutes=11)
    assert (await act(client, shop, held[1], "confirm")).status_code == 409


async def test_a_use_is_given_back_once(client: httpx.AsyncClient, shop: Tenant) -> None:
    """woocommerce#9086: the number of uses became negative."""
    redemption = await create_redemption(client, shop, "ONCE", "R-1")
    await asyncio.gather(
        *(act(client, shop, redemption, "cancel") for _ in range(3)),
        *(update_reservation(client, shop, "R-1", "Cancelled") for _ in range(3)),
    )
    answer = await client.get(f"{ROOT}/promo-codes?name=ONCE", headers=shop.bearer)
    assert [each["redemptionCount"] for each in answer.json()["data"]] == [0]
    answers = [await redeem(client, shop, "ONCE", f"R-{n}", candidate=candidate(f"P-{n}")) for n in range(2, 4)]
    assert [each.status_code for each in answers] == [201, 409]


@pytest.mark.parametrize(("prefix", "length", "status"), [("BRNO", 1, 400), ("", 6, 400), ("", 25, 201)])
async def test_a_batch_has_room_for_its_codes(
    client: httpx.AsyncClient, shop: Tenant, prefix: str, length: int, status: int
) -> None:
    """Sylius#10795, #10912: short codes ran out with an internal error, and the number of long ones overflowed."""
    batch = {"prefix": prefix, "length": length, "quantity": 100_000, "discountPercent": 5}
    answer = await client.post(f"{ROOT}/promo-code-batches", json=batch, headers=shop.bearer)
    assert answer.status_code == status
    assert status == 201 or {code for _, code in reasons(answer)} == {"SpaceTooSmall"}
