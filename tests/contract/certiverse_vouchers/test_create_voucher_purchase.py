"""POST /api/vouchers/purchases, by its document, and the vouchers of the purchase."""

from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from dirty_equals import IsStr
from tests.conftest import Clock
from tests.support.factories import Tenant
from tests.support.responses import status_and_body, validation_failed
from tests.support.voucher_factories import add_partner, add_program, add_user, run_jobs
from tests.support.voucher_requests import EMPTY, NO_FUNCTION_POINT, NO_TOKEN, REQUEST, REQUEST_TEXT, UUID7, request

from tessera.api.serving.resources import Resources
from tessera.identity.rules import FunctionPoint
from tessera.provision import Addresses
from tessera.vouchers.purchases import service as purchases
from tessera.vouchers.purchases.service import NoUnfinishedPurchase

PATH = "/api/vouchers/purchases"
PURCHASE: dict[str, Any] = {
    "amountPaid": 0,
    "id": UUID7,
    "isArchived": False,
    "notes": "Q2 employee certification batch",
    "partnerName": "Acme Corp",
    "programName": "Spring Certification Drive",
    "purchaseDateUtc": "2026-06-15T12:00:00Z",
    "purchasedByFirstName": "Certiverse",
    "purchasedByLastName": "API",
    "quantity": 50,
    "quantityRemaining": 50,
    "quantityUsed": 0,
    "status": "VoucherCreation",
    "voucherPurchaseCode": IsStr(regex=r"VP-[0-9A-HJKMNP-TV-Z]{10}"),
}


@pytest.fixture
async def partner_id(resources: Resources, tenant: Tenant) -> UUID:
    """The document's partner, in an organization with the document's program."""
    await add_program(
        resources,
        tenant,
        "Spring Certification Drive",
        voucher_code_prefix="SPRING-",
        expiration_period_in_days=90,
        discounts=((10, Decimal(5)),),
    )
    return await add_partner(resources, tenant, "Acme Corp")


async def buy(client: httpx.AsyncClient, tenant: Tenant, **changes: Any) -> httpx.Response:
    return await client.post(PATH, headers=tenant.bearer, json=request(**changes))


async def vouchers_of(client: httpx.AsyncClient, tenant: Tenant, code: str, pages: int = 1) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for number in range(1, pages + 1):
        answer = await client.get(f"/api/vouchers?purchaseCode={code}&page={number}", headers=tenant.bearer)
        assert ("nextLink" in answer.json()) == (number < pages)
        items += answer.json()["data"]
    return items


async def test_without_a_credential_it_is_401(client: httpx.AsyncClient) -> None:
    answer = await client.post(PATH, json=REQUEST)
    assert status_and_body(answer) == NO_TOKEN
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_another_organizations_partner_and_program_are_not_found(
    client: httpx.AsyncClient, other_tenant: Tenant, partner_id: UUID
) -> None:
    assert status_and_body(await buy(client, other_tenant)) == validation_failed(
        "partnerName was not found: 'Acme Corp'.", "programName was not found: 'Spring Certification Drive'."
    )


async def test_without_the_function_point_it_is_401(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, partner_id: UUID
) -> None:
    headers = await add_user(
        resources, tenant, "nobody@example.com", function_points=(FunctionPoint.PARTNER_MANAGE_PROMO_CODES,)
    )
    assert status_and_body(await client.post(PATH, headers=headers, json=REQUEST)) == NO_FUNCTION_POINT
    assert status_and_body(await client.get(f"{PATH}?partnerName=Acme%20Corp", headers=tenant.bearer)) == EMPTY


async def test_the_documents_example_becomes_the_whole_model(
    client: httpx.AsyncClient, tenant: Tenant, partner_id: UUID
) -> None:
    headers = tenant.bearer | {"Content-Type": "application/json"}
    answer = await client.post(PATH, headers=headers, content=REQUEST_TEXT)
    assert status_and_body(answer) == (200, PURCHASE)
    assert list(answer.json()) == list(PURCHASE)
    listed = await client.get(f"{PATH}?status=VoucherCreation", headers=tenant.bearer)
    assert status_and_body(listed) == (200, {"data": [answer.json()]})


async def test_a_client_of_the_organization_buys_as_well(
    client: httpx.AsyncClient, tenant: Tenant, partner_id: UUID
) -> None:
    response = await client.get("/authenticate", auth=(tenant.client.name, tenant.client.secret))
    headers = {"Authorization": f"Bearer {response.json()['authToken']}"}
    assert status_and_body(await client.post(PATH, headers=headers, json=REQUEST)) == (200, PURCHASE)


async def test_names_match_whole_without_case_and_are_shown_as_stored(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, partner_id: UUID
) -> None:
    await add_partner(resources, tenant, "École 100%")
    answer = await buy(client, tenant, partnerName="éCOLE 100%", programName="SPRING certification DRIVE")
    assert status_and_body(answer) == (200, PURCHASE | {"partnerName": "École 100%"})


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"quantity": 1}, {"quantity": 1, "quantityRemaining": 1}),
        ({"quantity": 1000}, {"quantity": 1000, "quantityRemaining": 1000}),
        ({"notes": " x "}, {"notes": " x "}),
        ({"notes": "Ω≈ç√ 🎟\n"}, {"notes": "Ω≈ç√ 🎟\n"}),
        ({"notes": "n" * 20_000}, {"notes": "n" * 20_000}),
        ({"amountPaid": 5, "status": "Complete", "unknown": None}, {}),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_bounds_and_texts_are_kept_and_unknown_properties_ignored(
    client: httpx.AsyncClient, tenant: Tenant, partner_id: UUID, changes: dict[str, Any], shown: dict[str, Any]
) -> None:
    assert status_and_body(await buy(client, tenant, **changes)) == (200, PURCHASE | shown)


async def test_nobody_sees_vouchers_before_the_purchase_is_complete(
    client: httpx.AsyncClient,
    resources: Resources,
    tenant: Tenant,
    partner_id: UUID,
    addresses: Addresses,
    clock: Clock,
) -> None:
    purchase_id = (await buy(client, tenant)).json()
    assert await vouchers_of(client, tenant, purchase_id["voucherPurchaseCode"]) == []
    clock.advance(hours=1)
    await run_jobs(addresses.application, resources)
    listed = await client.get(f"{PATH}?purchaseCode={purchase_id['voucherPurchaseCode']}", headers=tenant.bearer)
    assert status_and_body(listed) == (200, {"data": [purchase_id | {"status": "Complete"}]})
    result = await vouchers_of(client, tenant, purchase_id["voucherPurchaseCode"])
    codes = [each["voucherCode"] for each in result]
    assert (
        result
        == [
            {
                # The vouchers are created by the job, an hour later.
                "expirationDateUtc": "2026-09-13T13:00:00Z",
                "id": UUID7,
                "isActive": True,
                "isUsed": False,
                "voucherCode": IsStr(regex=r"SPRING-[0-9A-HJKMNP-TV-Z]{10}"),
                "voucherPurchaseCode": purchase_id["voucherPurchaseCode"],
            }
        ]
        * 50
    )
    assert len(set(codes)) == 50


async def test_a_thousand_vouchers_are_made_exactly_and_all_differ(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, addresses: Addresses
) -> None:
    await add_partner(resources, tenant, "Acme Corp")
    await add_program(resources, tenant, "Spring Certification Drive")
    orders = [(await buy(client, tenant, quantity=1000)).json()["voucherPurchaseCode"] for _ in range(2)]
    await run_jobs(addresses.application, resources)
    items = [each for code in orders for each in await vouchers_of(client, tenant, code, pages=10)]
    codes = [each["voucherCode"] for each in items]
    assert len(codes) == len(set(codes)) == 2_000
    # Without a prefix the code is only the random text.
    assert set(map(len, codes)) == {10}
    # A voucher is valid for a year unless the program says otherwise.
    assert {each["expirationDateUtc"] for each in items} == {"2027-06-15T12:00:00Z"}


async def test_codes_go_on_being_unique_when_random_ones_are_taken(
    client: httpx.AsyncClient,
    resources: Resources,
    tenant: Tenant,
    partner_id: UUID,
    addresses: Addresses,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = LowEntropy()
    monkeypatch.setattr("tessera.vouchers.codes.secrets.token_bytes", source)
    codes = [(await buy(client, tenant, quantity=25)).json()["voucherPurchaseCode"] for _ in range(2)]
    await run_jobs(addresses.application, resources)
    items = [each["voucherCode"] for code in codes for each in await vouchers_of(client, tenant, code)]
    assert len(items) == len(set(items)) == 50
    # Without collisions each purchase draws twice: its own code and those of its vouchers.
    assert source.calls > 4


class LowEntropy:
    """A poor source of random bytes with only two values, mostly zeros, so that codes often collide."""

    def __init__(self) -> None:
        self.calls = 0
        self._random = Random(1)

    def __call__(self, count: int) -> bytes:
        self.calls += 1
        return bytes(self._random.choices(range(2), weights=(3, 1), k=count))


async def issue(resources: Resources, tenant: Tenant, bought: dict[str, Any], then: Exception | None = None) -> int:
    """Run the job in one transaction, which `then` rolls back."""
    async with resources.database.unit_of_work(tenant.id) as work:
        result = await purchases.issue(work, purchase_id=UUID(bought["id"]), now=resources.clock())
        if then:
            raise then
        return result


async def test_issuing_twice_changes_nothing(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, partner_id: UUID, addresses: Addresses
) -> None:
    purchase_id = (await buy(client, tenant)).json()
    await run_jobs(addresses.application, resources)
    before = await vouchers_of(client, tenant, purchase_id["voucherPurchaseCode"])
    assert await issue(resources, tenant, purchase_id) == 0
    assert await vouchers_of(client, tenant, purchase_id["voucherPurchaseCode"]) == before


async def test_a_job_that_fails_halfway_leaves_no_voucher(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, partner_id: UUID
) -> None:
    purchase_id = (await buy(client, tenant)).json()
    with pytest.raises(RuntimeError, match="halfway"):
        await issue(resources, tenant, purchase_id, then=RuntimeError("halfway"))
    assert await vouchers_of(client, tenant, purchase_id["voucherPurchaseCode"]) == []
    listed = await client.get(f"{PATH}?purchaseCode={purchase_id['voucherPurchaseCode']}", headers=tenant.bearer)
    assert status_and_body(listed) == (200, {"data": [purchase_id]})


async def test_another_organization_cannot_issue_it(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, other_tenant: Tenant, partner_id: UUID
) -> None:
    purchase_id = (await buy(client, tenant)).json()
    with pytest.raises(NoUnfinishedPurchase):
        await issue(resources, other_tenant, purchase_id)


async def test_a_refused_purchase_queues_nothing(
    client: httpx.AsyncClient, tenant: Tenant, partner_id: UUID, superuser: psycopg.Connection[Any]
) -> None:
    queued = "select count(*) from procrastinate_jobs where args ->> 'organization_id' = %s"
    assert (await buy(client, tenant, quantity=0)).status_code == 400
    assert superuser.execute(queued, [str(tenant.id)]).fetchone() == (0,)
    assert (await buy(client, tenant)).status_code == 200
    assert superuser.execute(queued, [str(tenant.id)]).fetchone() == (1,)


async def test_the_same_key_buys_once(client: httpx.AsyncClient, tenant: Tenant, partner_id: UUID) -> None:
    headers = tenant.bearer | {"Idempotency-Key": "order-1"}
    first = await client.post(PATH, headers=headers, json=REQUEST)
    again = await client.post(PATH, headers=headers, json=dict(reversed(REQUEST.items())))
    assert status_and_body(first) == status_and_body(again) == (200, PURCHASE)
    other = await client.post(PATH, headers=headers, json=request(quantity=51))
    assert (other.status_code, other.json()["errorCode"]) == (422, "IdempotencyKeyReused")
    listed = await client.get(f"{PATH}?status=VoucherCreation", headers=tenant.bearer)
    assert status_and_body(listed) == (200, {"data": [first.json()]})


async def test_a_full_disk_under_the_queue_of_jobs_is_503(
    client: httpx.AsyncClient, tenant: Tenant, partner_id: UUID, superuser: psycopg.Connection
) -> None:
    superuser.execute(
        "create function fail_as_a_full_disk_does() returns trigger language plpgsql as"
        " $$ begin raise 'could not extend file' using errcode = 'disk_full'; end $$"
    )
    superuser.execute(
        "create trigger full_disk before insert on procrastinate_jobs execute function fail_as_a_full_disk_does()"
    )
    try:
        answer = await buy(client, tenant)
    finally:
        superuser.execute("drop function fail_as_a_full_disk_does cascade")
    assert (answer.status_code, answer.json()["errorCode"]) == (503, "ServiceUnavailable")
    assert (await buy(client, tenant)).status_code == 200
