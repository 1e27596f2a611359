"""POST /storefront/v1/redemptions, and the actions on a redemption."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import psycopg
import pytest
from tests.conftest import NOW, Clock
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.redemption_requests import URL, act, body, candidate, create_redemption, reasons, redeem
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_vouchers, voucher

from tessera.api.serving.resources import Resources
from tessera.kit.identifiers import new_id
from tessera.promo_codes.rules import Status
from tessera.promo_codes.service import NewPromoCode


@pytest.fixture
async def shop(resources: Resources, tenant: Tenant) -> Tenant:
    """A tenant with promo codes of each kind of limit, and two vouchers, one of a program that enforces e-mails."""
    await add_promo_codes(
        resources,
        tenant,
        percent_code(tenant, "Spring", discount_percent=15, max_redemptions=2),
        percent_code(tenant, "ONCE", max_redemptions=50, max_redemptions_per_candidate=1),
        NewPromoCode(id=new_id(), name="FREE", status=Status.ACTIVE, flat_discount=Decimal("10.00")),
        percent_code(tenant, "LISTED", restrict_to_email_addresses=True, email_addresses=("ada@example.com",)),
        percent_code(tenant, "WORST", status=Status.INACTIVE, expires_at=NOW, max_redemptions=1, redemption_count=1),
        now=NOW,
    )
    partner = await add_partner(resources, tenant, "Acme Corp")
    plain = await add_purchase(resources, tenant, partner, await add_program(resources, tenant, "Open"), "VP-1")
    program = await add_program(resources, tenant, "Strict", enforce_assigned_email=True)
    strict = await add_purchase(resources, tenant, partner, program, "VP-2")
    assigned = {"recipient_email": "ada@example.com", "assigned_at": NOW}
    await add_vouchers(
        resources,
        tenant,
        voucher(plain, partner, "PAID"),
        voucher(strict, partner, "STRICT", **assigned),
    )
    return tenant


async def redemption_count(client: httpx.AsyncClient, tenant: Tenant, name: str) -> int:
    answer = await client.get("/promo-codes", params={"promoCodeName": name}, headers=tenant.bearer)
    count: int = answer.json()["data"][0]["redemptionCount"]
    return count


async def get_voucher(client: httpx.AsyncClient, tenant: Tenant, code: str) -> dict[str, Any]:
    answer = await client.get("/api/vouchers", params={"voucherCode": code}, headers=tenant.bearer)
    record: dict[str, Any] = answer.json()["data"][0]
    return record


async def purchase_usage(client: httpx.AsyncClient, tenant: Tenant, purchase: str) -> tuple[int, int]:
    answer = await client.get("/api/vouchers/purchases", params={"purchaseCode": purchase}, headers=tenant.bearer)
    record = answer.json()["data"][0]
    return record["quantityUsed"], record["quantityRemaining"]


async def test_a_promo_code_is_redeemed_and_counted(client: httpx.AsyncClient, shop: Tenant) -> None:
    redemption = await create_redemption(client, shop, "spring")
    assert redemption == {
        "id": redemption["id"],
        "status": "Redeemed",
        "code": "Spring",
        "kind": "PromoCode",
        "reservationCode": "RSV-1",
        "reservationStatus": "Created",
        "storeExamCode": "NCA-GENL",
        "productBundleId": None,
        "candidate": {
            "personId": "P-1",
            "clientCandidateId": "C-1",
            "firstName": "Ada",
            "lastName": "Byron",
            "email": "ada@example.com",
        },
        "listPrice": 100.0,
        "discount": 15.0,
        "finalPrice": 85.0,
        "madeBy": str(shop.key.id),
        "heldUntil": None,
        "createdAt": "2026-06-15T12:00:00Z",
        "updatedAt": "2026-06-15T12:00:00Z",
        "metadata": {},
    }
    assert await redemption_count(client, shop, "Spring") == 1
    assert (await client.get(f"{URL}/{redemption['id']}", headers=shop.api_key)).json() == redemption


async def test_a_redeemed_voucher_shows_its_candidate(client: httpx.AsyncClient, shop: Tenant) -> None:
    redemption = await create_redemption(client, shop, "paid", "RSV-9")
    assert (redemption["kind"], redemption["code"], redemption["discount"], redemption["finalPrice"]) == (
        "Voucher",
        "PAID",
        100.0,
        0.0,
    )
    voucher = await get_voucher(client, shop, "PAID")
    assert voucher["usedBy"] == {
        "clientCandidateId": "C-1",
        "firstName": "Ada",
        "lastName": "Byron",
        "personId": "P-1",
        "usedDateUtc": "2026-06-15T12:00:00Z",
    }
    assert (voucher["isUsed"], voucher["reservationCode"], voucher["reservationStatus"], voucher["storeExamCode"]) == (
        True,
        "RSV-9",
        "Created",
        "NCA-GENL",
    )
    assert await purchase_usage(client, shop, "VP-1") == (1, 9)
    assert reasons(await redeem(client, shop, "PAID", "RSV-2")) == [("/code", "Used")]


async def test_the_rules_of_a_reservation_end_with_its_redemptions(client: httpx.AsyncClient, shop: Tenant) -> None:
    first = await create_redemption(client, shop, "SPRING")
    assert reasons(await redeem(client, shop, "FREE")) == [("/code", "NotCombinable")]
    assert reasons(await redeem(client, shop, "PAID")) == [("/code", "NotCombinable")]
    await act(client, shop, first, "cancel")
    await create_redemption(client, shop, "FREE", storeExamCode="NCP-ADS", candidate=candidate("P-2"))


async def test_codes_that_name_exams_count_only_those_exams_of_a_bundle(
    client: httpx.AsyncClient, shop: Tenant
) -> None:
    bundle = {"storeExamCode": None, "productBundleId": str(shop.bundle_id)}
    redemption = await create_redemption(client, shop, "SPRING", **bundle)
    assert (redemption["storeExamCode"], redemption["productBundleId"]) == (None, str(shop.bundle_id))
    # 15 percent of the exam's 100 dollars, not of the bundle's 150.
    assert (redemption["listPrice"], redemption["discount"], redemption["finalPrice"]) == (150.0, 15.0, 135.0)
    await act(client, shop, redemption, "cancel")
    assert reasons(await redeem(client, shop, "PAID", **bundle)) == [("/code", "NotCovered")]


async def test_a_hold_is_confirmed_and_then_counted_as_redeemed(client: httpx.AsyncClient, shop: Tenant) -> None:
    held = await create_redemption(client, shop, "SPRING", holdSeconds=900)
    assert (held["status"], held["heldUntil"]) == ("Held", "2026-06-15T12:15:00Z")
    assert await redemption_count(client, shop, "Spring") == 0
    confirmed = await act(client, shop, held, "confirm")
    assert (confirmed.status_code, confirmed.json()["status"]) == (200, "Redeemed")
    assert await redemption_count(client, shop, "Spring") == 1


async def test_a_hold_counts_until_it_runs_out(client: httpx.AsyncClient, shop: Tenant, clock: Clock) -> None:
    await create_redemption(client, shop, "SPRING", "RSV-1", holdSeconds=60)
    await create_redemption(client, shop, "SPRING", "RSV-2", holdSeconds=90)
    refusal = await redeem(client, shop, "SPRING", "RSV-3")
    assert refusal.status_code == 409
    assert refusal.headers["content-type"] == "application/problem+json"
    assert refusal.json() == {
        "type": "urn:tessera:problem:not-redeemable",
        "title": "The code cannot be redeemed",
        "status": 409,
        "detail": "The code cannot be redeemed.",
        "errors": [
            {
                "pointer": "/code",
                "code": "UsedUp",
                "detail": "The code is used up.",
                "remainingUses": 0,
                "validFrom": "2026-06-15T12:01:00Z",
            }
        ],
    }
    clock.advance(seconds=60)
    assert (await redeem(client, shop, "SPRING", "RSV-3")).status_code == 201
    assert reasons(await redeem(client, shop, "SPRING", "RSV-4")) == [("/code", "UsedUp")]


async def test_the_time_at_which_a_code_is_available_again_is_never_too_early(
    client: httpx.AsyncClient, shop: Tenant, clock: Clock
) -> None:
    clock.advance(seconds=0.25)
    held = await create_redemption(client, shop, "PAID", holdSeconds=60)
    assert held["heldUntil"] == "2026-06-15T12:01:00Z"
    refusal = await redeem(client, shop, "PAID", "RSV-2")
    assert refusal.json()["errors"][0]["validFrom"] == "2026-06-15T12:01:01Z"
    clock.now = datetime(2026, 6, 15, 12, 1, 1, tzinfo=UTC)
    await create_redemption(client, shop, "PAID", "RSV-2")


async def test_a_hold_that_has_run_out_is_expired_without_any_job(
    client: httpx.AsyncClient, shop: Tenant, clock: Clock
) -> None:
    for code in ("SPRING", "FREE", "PAID"):
        held = await create_redemption(client, shop, code, f"RSV-{code}", holdSeconds=1)
        clock.advance(seconds=1)
        assert (await client.get(f"{URL}/{held['id']}", headers=shop.api_key)).json()["status"] == "Expired"
        refusal = await act(client, shop, held, "confirm")
        assert (refusal.status_code, refusal.json()["state"]) == (409, "Expired")
        again = await create_redemption(client, shop, code, f"RSV-{code}")
        assert (again["status"], again["id"] == held["id"]) == ("Redeemed", False)


async def test_a_held_voucher_is_unavailable_to_others_until_its_release(
    client: httpx.AsyncClient, shop: Tenant
) -> None:
    held = await create_redemption(client, shop, "PAID", holdSeconds=600)
    assert (await get_voucher(client, shop, "PAID"))["isUsed"] is False
    refusal = await redeem(client, shop, "PAID", "RSV-2")
    assert refusal.json()["errors"][0] == {
        "pointer": "/code",
        "code": "Held",
        "detail": "The code is held for another reservation.",
        "remainingUses": 0,
        "validFrom": "2026-06-15T12:10:00Z",
    }
    assert (await act(client, shop, held, "release")).json()["status"] == "Released"
    await create_redemption(client, shop, "PAID", "RSV-2")


async def test_another_reservation_takes_over_a_voucher_whose_hold_ran_out(
    client: httpx.AsyncClient, shop: Tenant, clock: Clock
) -> None:
    held = await create_redemption(client, shop, "PAID", holdSeconds=10)
    clock.advance(seconds=10)
    second_use = await create_redemption(client, shop, "PAID", "RSV-2")
    assert (await act(client, shop, held, "confirm")).json()["state"] == "Expired"
    assert (await act(client, shop, second_use, "cancel")).json()["status"] == "Cancelled"


async def test_cancelling_gives_the_use_back_to_all_counts(client: httpx.AsyncClient, shop: Tenant) -> None:
    promo, paid = await create_redemption(client, shop, "ONCE"), await create_redemption(client, shop, "PAID", "RSV-P")
    assert reasons(await redeem(client, shop, "ONCE", "RSV-2")) == [("/code", "UsedUpForCandidate")]
    for each in (promo, paid):
        assert (await act(client, shop, each, "cancel")).json()["status"] == "Cancelled"
    assert await redemption_count(client, shop, "ONCE") == 0
    assert await purchase_usage(client, shop, "VP-1") == (0, 10)
    voucher = await get_voucher(client, shop, "PAID")
    assert ("usedBy" in voucher, voucher["isUsed"], voucher["reservationCode"]) == (False, False, "RSV-P")
    await create_redemption(client, shop, "ONCE", "RSV-2")
    await create_redemption(client, shop, "PAID", "RSV-3")


async def test_a_limit_for_each_candidate_counts_only_that_candidate(client: httpx.AsyncClient, shop: Tenant) -> None:
    await create_redemption(client, shop, "ONCE", holdSeconds=60)
    refusal = await redeem(client, shop, "ONCE", "RSV-2")
    assert refusal.json()["errors"] == [
        {
            "pointer": "/code",
            "code": "UsedUpForCandidate",
            "detail": "The code is used up for this candidate.",
            "remainingUses": 0,
            "validFrom": "2026-06-15T12:01:00Z",
        }
    ]
    await create_redemption(client, shop, "ONCE", "RSV-3", candidate=candidate("P-2"))


async def test_the_same_reservation_and_code_is_the_same_redemption(client: httpx.AsyncClient, shop: Tenant) -> None:
    first, second = await create_redemption(client, shop, "SPRING"), await create_redemption(client, shop, "spring")
    assert first == second
    assert await redemption_count(client, shop, "Spring") == 1
    for other in ({"candidate": candidate("P-2")}, {"storeExamCode": "NCP-ADS"}):
        for code in ("SPRING", "FREE"):
            refusal = await redeem(client, shop, code, **other)
            assert (refusal.status_code, reasons(refusal)) == (409, [("/reservationCode", "ReservationDiffers")])


async def test_a_key_makes_a_second_request_the_first_one(client: httpx.AsyncClient, shop: Tenant) -> None:
    async def send(**more: Any) -> httpx.Response:
        headers = shop.api_key | {"Idempotency-Key": "k-1"}
        return await client.post(URL, json=body("FREE", **more), headers=headers)

    first = await send(holdSeconds=60)
    await act(client, shop, first.json(), "release")
    again = await send(holdSeconds=60)
    assert (again.status_code, again.content) == (201, first.content)
    assert (await send(holdSeconds=61)).status_code == 422


async def test_a_refusal_is_not_kept_under_its_key(client: httpx.AsyncClient, shop: Tenant) -> None:
    held = await create_redemption(client, shop, "PAID", "RSV-2", holdSeconds=60)
    headers = shop.api_key | {"Idempotency-Key": "k-1"}
    assert (await client.post(URL, json=body("PAID"), headers=headers)).status_code == 409
    await act(client, shop, held, "release")
    assert (await client.post(URL, json=body("PAID"), headers=headers)).status_code == 201


async def test_every_rule_that_prevents_a_purchase_is_reported(client: httpx.AsyncClient, shop: Tenant) -> None:
    refusal = await redeem(client, shop, "WORST", storeExamCode="CLD-100")
    assert reasons(refusal) == [("/code", code) for code in ("Inactive", "Expired", "UsedUp", "NotCovered")]
    assert reasons(await redeem(client, shop, "NOWHERE")) == [("/code", "NotFound")]
    without = {"candidate": candidate("P-1", email=None)}
    assert reasons(await redeem(client, shop, "LISTED", **without)) == [("/candidate/email", "EmailRequired")]
    assert reasons(await redeem(client, shop, "STRICT", **without)) == [("/candidate/email", "EmailRequired")]
    stranger = {"candidate": candidate("P-1", email="bob@example.com")}
    assert reasons(await redeem(client, shop, "LISTED", **stranger)) == [("/code", "EmailNotListed")]
    assert reasons(await redeem(client, shop, "STRICT", **stranger)) == [("/code", "EmailNotRecipient")]


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        (
            dict.fromkeys(("code", "reservation", "storeExamCode", "candidate")),
            [
                ("/code", "Required"),
                ("/reservationCode", "Required"),
                ("/storeExamCode", "OneProduct"),
                ("/candidate", "Required"),
            ],
        ),
        (
            {
                "code": " ",
                "reservation": "x" * 101,
                "storeExamCode": "NONE",
                "candidate": {"personId": 7, "email": "ada", "lastName": None},
                "holdSeconds": 0,
            },
            [
                ("/code", "NotCode"),
                ("/reservationCode", "NotLabel"),
                ("/storeExamCode", "ProductNotFound"),
                ("/candidate/personId", "NotLabel"),
                ("/candidate/clientCandidateId", "Required"),
                ("/candidate/firstName", "Required"),
                ("/candidate/lastName", "Required"),
                ("/candidate/email", "NotEmail"),
                ("/holdSeconds", "HoldRange"),
            ],
        ),
        ({"storeExamCode": "NONE"}, [("/storeExamCode", "ProductNotFound")]),
        ({"productBundleId": "00000000-0000-7000-8000-000000000000"}, [("/storeExamCode", "OneProduct")]),
        ({"storeExamCode": None, "productBundleId": "?"}, [("/productBundleId", "NotUuid")]),
        *(({"holdSeconds": value}, [("/holdSeconds", "HoldRange")]) for value in (604_801, 1.5, "60", True)),
        ({"candidate": "Ada"}, [("/candidate", "NotObject")]),
    ],
)
async def test_every_violation_of_a_request_is_reported_and_nothing_is_used(
    client: httpx.AsyncClient, shop: Tenant, changes: dict[str, Any], errors: list[tuple[str, str]]
) -> None:
    answer = await redeem(client, shop, **{"code": "ONCE", **changes})
    assert (answer.status_code, reasons(answer)) == (400, errors)
    assert (await redeem(client, shop, "ONCE")).status_code == 201


async def test_what_is_refused_leaves_nothing_behind(
    client: httpx.AsyncClient, shop: Tenant, superuser: psycopg.Connection
) -> None:
    await redeem(client, shop, "WORST")
    for table in ("reservations", "redemptions", "redemption_ledger"):
        count = superuser.execute(f"select count(*) from {table} where organization_id = %s", [shop.id]).fetchone()
        assert count == (0,)


@pytest.mark.parametrize(
    ("status", "action", "state"),
    [
        ("Held", "cancel", "Held"),
        ("Redeemed", "release", "Redeemed"),
        ("Released", "confirm", "Released"),
        ("Released", "cancel", "Released"),
        ("Cancelled", "confirm", "Cancelled"),
        ("Cancelled", "release", "Cancelled"),
    ],
)
async def test_an_action_that_the_state_forbids_is_reported_with_the_state(
    client: httpx.AsyncClient, shop: Tenant, status: str, action: str, state: str
) -> None:
    holds = status in ("Held", "Released")
    redemption = await create_redemption(client, shop, "FREE", holdSeconds=60 if holds else None)
    before = {"Released": "release", "Cancelled": "cancel"}.get(status)
    if before:
        assert (await act(client, shop, redemption, before)).json()["status"] == status
    refusal = await act(client, shop, redemption, action)
    assert refusal.status_code == 409
    assert refusal.json() == {
        "type": "urn:tessera:problem:wrong-state",
        "title": "Wrong state",
        "status": 409,
        "detail": f"The redemption is {state}.",
        "state": state,
    }


async def test_a_repeated_action_takes_effect_once(client: httpx.AsyncClient, shop: Tenant) -> None:
    redemption = await create_redemption(client, shop, "SPRING", holdSeconds=60)
    for action in ("confirm", "cancel"):
        first, second = await act(client, shop, redemption, action), await act(client, shop, redemption, action)
        assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert await redemption_count(client, shop, "Spring") == 0


async def test_an_expired_code_keeps_the_promise_of_its_holds(
    client: httpx.AsyncClient, shop: Tenant, clock: Clock, superuser: psycopg.Connection
) -> None:
    held = await create_redemption(client, shop, "SPRING", holdSeconds=600)
    superuser.execute("update promo_codes set status = 'Archived' where organization_id = %s", [shop.id])
    clock.advance(seconds=599)
    assert (await act(client, shop, held, "confirm")).status_code == 200
    assert clock.now == NOW + timedelta(seconds=599)


async def test_the_discount_is_rounded_half_up_and_never_exceeds_the_price(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    superuser.execute("update store_exams set price = 99.50 where organization_id = %s", [tenant.id])
    flat = NewPromoCode(id=new_id(), name="HUGE", status=Status.ACTIVE, flat_discount=Decimal("1000"))
    await add_promo_codes(resources, tenant, percent_code(tenant, "ODD", discount_percent=33), flat, now=NOW)
    odd, huge = await create_redemption(client, tenant, "ODD"), await create_redemption(client, tenant, "HUGE", "RSV-2")
    assert (odd["discount"], odd["finalPrice"]) == (32.84, 66.66)
    assert (huge["discount"], huge["finalPrice"]) == (99.5, 0.0)
