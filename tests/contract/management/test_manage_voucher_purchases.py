"""Priced purchases through the management API: from checkout to vouchers, or to another final status."""

from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from tests.conftest import Clock
from tests.support.factories import Tenant
from tests.support.jobs import job_context
from tests.support.management_requests import (
    RIGHT_IS_MISSING,
    audit_entries_of,
    headers_without_rights,
    if_match,
    invalid,
    not_found,
    problem,
    read_all_pages,
)
from tests.support.responses import status_and_body
from tests.support.voucher_factories import run_jobs
from tests.support.voucher_management import (
    PARTNER,
    PARTNERS,
    PROGRAM,
    PROGRAMS,
    PURCHASES,
    VOUCHERS,
    change_resource,
    create_purchase,
    create_resource,
    purchase_body,
)

from tessera.api.serving.resources import Resources
from tessera.provision import Addresses
from tessera.vouchers import jobs
from tessera.vouchers.purchases.checkout import service as checkouts

NOBODY = UUID(int=7)
MOVES = ("pay", "fail", "cancel", "archive")


def operations(purchase_id: object) -> list[tuple[str, str]]:
    one = f"{PURCHASES}/{purchase_id}"
    return [("GET", one), *(("POST", f"{one}/{move}") for move in MOVES)]


def wrong_state(state: str) -> tuple[int, dict[str, Any]]:
    return problem(409, "wrong-state", "Wrong state", f"The voucher purchase is {state}.", state=state)


async def test_without_the_function_point_every_operation_is_403(client: httpx.AsyncClient, tenant: Tenant) -> None:
    headers = await headers_without_rights(client, tenant)
    expected = problem(403, "function-point-missing", "Permission missing", RIGHT_IS_MISSING)
    for method, url in [("GET", PURCHASES), ("POST", PURCHASES), *operations(NOBODY)]:
        assert status_and_body(await client.request(method, url, headers=headers, json={})) == expected


async def test_another_organizations_purchases_are_not_there(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    theirs = await create_purchase(client, other_tenant)
    for purchase_id in (theirs["id"], NOBODY):
        for method, url in operations(purchase_id):
            for headers in (if_match("*", tenant), if_match("W/1", tenant), tenant.bearer):
                answer = await client.request(method, url, headers=headers)
                assert status_and_body(answer) == not_found("There is no such voucher purchase.")
    assert status_and_body(await client.get(PURCHASES, headers=tenant.bearer)) == (
        200,
        {"data": [], "nextLink": None, "nextCursor": None},
    )
    body = purchase_body(theirs["partnerId"], theirs["programId"])
    assert status_and_body(await client.post(PURCHASES, json=body, headers=tenant.bearer)) == invalid(
        ("/partnerId", "NotFound", f"partnerId was not found: '{theirs['partnerId']}'."),
        ("/programId", "NotFound", f"programId was not found: '{theirs['programId']}'."),
    )


async def test_a_paid_purchase_has_its_vouchers_made(
    client: httpx.AsyncClient,
    resources: Resources,
    addresses: Addresses,
    tenant: Tenant,
    superuser: psycopg.Connection,
) -> None:
    purchase = await create_purchase(client, tenant)
    assert purchase == {
        "id": purchase["id"],
        "code": purchase["code"],
        "status": "CheckoutInProgress",
        "isArchived": False,
        "partnerName": "Acme Corp",
        "programName": "Professional",
        **purchase_body(purchase["partnerId"], purchase["programId"]),
        "quantityUsed": 0,
        "amount": 4353.13,  # 99.50 x 50 less 12.5 percent is 4353.125
        "amountPaid": 0.0,
        "purchasedAt": "2026-06-15T12:00:00Z",
        "checkoutExpiresAt": "2026-06-16T12:00:00Z",
        "metadata": {},
        "version": 1,
    }
    url = f"{PURCHASES}/{purchase['id']}"
    read = await client.get(url, headers=tenant.bearer)
    assert (status_and_body(read), read.headers["ETag"]) == ((200, purchase), '"1"')
    paid = await change_resource(client, tenant, f"{url}/pay", 1)
    assert paid == purchase | {"status": "VoucherCreation", "amountPaid": 4353.13, "version": 2}
    await run_jobs(addresses.application, resources)
    complete = (await client.get(url, headers=tenant.bearer)).json()
    assert complete == paid | {"status": "Complete", "version": 3}
    vouchers = (await client.get(f"{VOUCHERS}?purchaseId={purchase['id']}", headers=tenant.bearer)).json()["data"]
    assert len({voucher["code"] for voucher in vouchers}) == 50
    assert status_and_body(await client.post(f"{url}/pay", headers=if_match(3, tenant))) == wrong_state("Complete")
    assert (await change_resource(client, tenant, f"{url}/archive", 3))["isArchived"] is True
    log = audit_entries_of(superuser, tenant, "VoucherPurchase")
    assert [entry[:3] for entry in log] == [
        ("User", "ada@example.com", "Created"),
        ("User", "ada@example.com", "Paid"),
        ("Job", "issue_vouchers", "Completed"),
        ("User", "ada@example.com", "Archived"),
    ]


async def test_what_costs_nothing_is_made_at_once(
    client: httpx.AsyncClient, resources: Resources, addresses: Addresses, tenant: Tenant
) -> None:
    purchase = await create_purchase(client, tenant, program={"costPerVoucher": 0}, quantity=3)
    assert [purchase[name] for name in ("status", "amount", "amountPaid", "checkoutExpiresAt")] == [
        "VoucherCreation",
        0.0,
        0.0,
        None,
    ]
    refusal = wrong_state("VoucherCreation")
    assert (
        status_and_body(await client.post(f"{PURCHASES}/{purchase['id']}/pay", headers=if_match(1, tenant))) == refusal
    )
    assert (
        status_and_body(await client.post(f"{PURCHASES}/{purchase['id']}/archive", headers=if_match(1, tenant)))
        == refusal
    )
    await run_jobs(addresses.application, resources)
    answer = await client.get(f"{PURCHASES}/{purchase['id']}", headers=tenant.bearer)
    assert answer.json()["status"] == "Complete"


@pytest.mark.parametrize(("move", "status"), [("fail", "CheckoutFailed"), ("cancel", "CheckoutCancelled")])
async def test_a_checkout_that_ends_otherwise_is_over(
    client: httpx.AsyncClient, tenant: Tenant, move: str, status: str
) -> None:
    purchase = await create_purchase(client, tenant)
    url = f"{PURCHASES}/{purchase['id']}"
    assert status_and_body(await client.post(f"{url}/archive", headers=if_match(1, tenant))) == wrong_state(
        "CheckoutInProgress"
    )
    assert await change_resource(client, tenant, f"{url}/{move}", 1) == purchase | {"status": status, "version": 2}
    for again in ("pay", "fail", "cancel"):
        assert (await client.post(f"{url}/{again}", headers=if_match(1, tenant))).status_code == 412
        assert status_and_body(await client.post(f"{url}/{again}", headers=if_match(2, tenant))) == wrong_state(status)
    assert (await change_resource(client, tenant, f"{url}/archive", 2))["isArchived"] is True
    assert status_and_body(await client.post(f"{url}/archive", headers=if_match(3, tenant))) == wrong_state("Archived")


async def test_past_its_deadline_a_checkout_has_expired_everywhere_at_once(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, clock: Clock
) -> None:
    purchase = await create_purchase(client, tenant, checkoutExpiresAt="2026-06-15T13:00:00Z")
    url = f"{PURCHASES}/{purchase['id']}"

    async def statuses() -> dict[str, list[str]]:
        result = {}
        for status in ("CheckoutInProgress", "CheckoutExpired"):
            ours = await client.get(f"{PURCHASES}?status={status}", headers=tenant.bearer)
            documented = await client.get(f"/api/vouchers/purchases?status={status}", headers=tenant.bearer)
            result[status] = [each["status"] for each in ours.json()["data"] + documented.json()["data"]]
        return result

    clock.advance(minutes=59, seconds=59)
    assert await statuses() == {"CheckoutInProgress": ["CheckoutInProgress"] * 2, "CheckoutExpired": []}
    clock.advance(seconds=1)
    expired = {"CheckoutInProgress": [], "CheckoutExpired": ["CheckoutExpired"] * 2}
    assert await statuses() == expired
    assert status_and_body(await client.get(url, headers=tenant.bearer)) == (
        200,
        purchase | {"status": "CheckoutExpired"},
    )
    for move in ("pay", "fail", "cancel"):
        assert status_and_body(await client.post(f"{url}/{move}", headers=if_match(1, tenant))) == wrong_state(
            "CheckoutExpired"
        )
    async with resources.database.unit_of_work(tenant.id) as work:
        expired_here = await checkouts.expire(work, [tenant.id], limit=10, now=clock.now)
    assert [progress.done for progress in expired_here.values()] == [1]
    assert await statuses() == expired
    # A client with the version from before the expiry reads the purchase again, and then learns its status.
    assert (await client.post(f"{url}/pay", headers=if_match(1, tenant))).status_code == 412
    assert status_and_body(await client.post(f"{url}/pay", headers=if_match(2, tenant))) == wrong_state(
        "CheckoutExpired"
    )


async def test_a_job_writes_down_what_has_expired_in_every_organization(
    client: httpx.AsyncClient,
    resources: Resources,
    tenant: Tenant,
    other_tenant: Tenant,
    clock: Clock,
    superuser: psycopg.Connection,
) -> None:
    purchases = [
        await create_purchase(client, each) for each in (tenant, tenant, other_tenant) if await fresh(client, each)
    ]
    clock.advance(hours=24)

    for _ in range(2):
        await jobs.expire_checkouts.func(job_context(resources, clock), 0)
    ids = [purchase["id"] for purchase in purchases]
    result = superuser.execute("select status, version from voucher_purchases where id = any(%s::uuid[])", [ids])
    assert result.fetchall() == [("CheckoutExpired", 2)] * len(ids)
    log = audit_entries_of(superuser, tenant, "VoucherPurchase")
    assert [entry[:3] for entry in log if entry[0] == "Job"] == [("Job", "expire_checkouts", "Expired")]
    before, after = log[-1][3], log[-1][4]
    assert (before["status"], after["status"]) == ("CheckoutInProgress", "CheckoutExpired")


async def fresh(client: httpx.AsyncClient, tenant: Tenant) -> bool:
    """Whether the tenant has no purchase yet."""
    return bool((await client.get(PURCHASES, headers=tenant.bearer)).json()["data"] == [])


async def test_everything_that_is_wrong_with_an_order_is_named_at_once(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    partner = await create_resource(client, tenant, PARTNERS, {"name": "Sleeping"})
    program = await create_resource(client, tenant, PROGRAMS, PROGRAM | {"isActive": False})
    bad = {
        "partnerId": partner["id"],
        "programId": program["id"],
        "quantity": 1001,
        "notes": "x" * 2001,
        "purchasedByFirstName": "",
        "purchasedByEmail": "nobody",
        "checkoutExpiresAt": "2026-06-15T12:00:00Z",
    }
    assert status_and_body(await client.post(PURCHASES, json=bad, headers=tenant.bearer)) == invalid(
        ("/partnerId", "NotActive", f"partnerId must be active, and '{partner['id']}' is inactive."),
        ("/programId", "NotActive", f"programId must be active, and '{program['id']}' is inactive."),
        ("/quantity", "QuantityRange", "quantity must be between 1 and 1,000."),
        ("/notes", "TooLong", "notes must have at most 2,000 characters."),
        ("/purchasedByFirstName", "Blank", "purchasedByFirstName must not be blank."),
        ("/purchasedByLastName", "Required", "purchasedByLastName is required."),
        ("/purchasedByEmail", "NotEmail", "purchasedByEmail must be a valid e-mail address."),
        ("/checkoutExpiresAt", "DeadlineRange", "checkoutExpiresAt must be in the future, within 30 days."),
    )


async def test_a_program_is_bought_by_those_to_whom_it_is_open(client: httpx.AsyncClient, tenant: Tenant) -> None:
    assigned = await create_resource(client, tenant, PARTNERS, PARTNER)
    other = await create_resource(client, tenant, PARTNERS, PARTNER | {"name": "Globex"})
    closed = {"isAvailableToAllPartners": False, "partnerIds": [assigned["id"]]}
    program = await create_resource(client, tenant, PROGRAMS, PROGRAM | closed)
    of_other = {"name": "Another", "isAvailableToAllPartners": False, "partnerIds": [other["id"]]}
    await create_resource(client, tenant, PROGRAMS, PROGRAM | of_other)
    await create_resource(client, tenant, PURCHASES, purchase_body(assigned["id"], program["id"]))
    refusal = await client.post(PURCHASES, json=purchase_body(other["id"], program["id"]), headers=tenant.bearer)
    assert status_and_body(refusal) == invalid(
        ("/programId", "NotOpenToPartner", "programId must be a program that is open to this partner.")
    )


async def test_purchases_are_found_by_each_filter_and_followed_to_the_end(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    first = await create_purchase(client, tenant)
    body = purchase_body(first["partnerId"], first["programId"])
    others = [
        await create_resource(client, tenant, PURCHASES, body | {"quantity": n, "purchasedByEmail": None})
        for n in (1, 2, 3)
    ]
    await change_resource(client, tenant, f"{PURCHASES}/{first['id']}/cancel", 1)
    await change_resource(client, tenant, f"{PURCHASES}/{first['id']}/archive", 2)
    rest = {each["id"] for each in others}
    expected = {
        f"partnerId={first['partnerId']}": {first["id"], *rest},
        f"programId={first['programId']}": {first["id"], *rest},
        "isArchived=true": {first["id"]},
        "status=checkoutinprogress": rest,
        "purchasedByEmail=GRACE@example.com": {first["id"]},
        f"purchaseCode={first['code'].lower()}": {first["id"]},
        f"partnerId={NOBODY}": set(),
        "": {first["id"], *rest},
    }
    for query, ids in expected.items():
        assert await read_all_pages(client, tenant, f"{PURCHASES}?limit=2&{query}") == sorted(ids), query


async def test_an_order_under_the_same_key_is_placed_once(client: httpx.AsyncClient, tenant: Tenant) -> None:
    first = await create_purchase(client, tenant)
    headers = tenant.bearer | {"Idempotency-Key": "order-1"}
    body = purchase_body(first["partnerId"], first["programId"])
    answers = [await client.post(PURCHASES, json=body, headers=headers) for _ in range(2)]
    assert status_and_body(answers[0]) == status_and_body(answers[1])
    assert len((await client.get(PURCHASES, headers=tenant.bearer)).json()["data"]) == 2


async def test_a_price_that_is_too_large_names_the_cost_of_all_vouchers(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    partner = await create_resource(client, tenant, PARTNERS, PARTNER)
    program = await create_resource(client, tenant, PROGRAMS, PROGRAM | {"costPerVoucher": 1_000_000_000, "tiers": []})
    body = purchase_body(partner["id"], program["id"]) | {"quantity": 1000}
    answer = await client.post(PURCHASES, json=body, headers=tenant.bearer)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["pointer"], error["code"]) == (400, "/quantity", "AmountRange")
    assert "1,000 vouchers cost 1,000,000,000,000.00" in error["detail"]
