"""POST /storefront/v1/validations: every reason, the prices, and every invalid request."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import psycopg
import pytest
from tests.conftest import NOW, Clock
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.recording import record_statements
from tests.support.redemption_requests import redeem
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_vouchers, usage, voucher

from tessera.api.serving.resources import Resources
from tessera.identity.rules import PLATFORM_ID
from tessera.promo_codes.rules import Status
from tessera.vouchers.rules import PurchaseStatus

URL = "/storefront/v1/validations"
EXAM = {"storeExamCode": "nca-genl"}


async def results(client: httpx.AsyncClient, tenant: Tenant, *codes: str, **more: Any) -> list[dict[str, Any]]:
    answer = await client.post(URL, json={"codes": codes, **EXAM, **more}, headers=tenant.api_key)
    assert answer.status_code == 200, answer.text
    result: list[dict[str, Any]] = answer.json()["results"]
    return result


def reasons(found: list[dict[str, Any]]) -> list[list[str]]:
    return [[reason["code"] for reason in each["reasons"]] for each in found]


@pytest.fixture
async def shop(resources: Resources, tenant: Tenant) -> Tenant:
    """A tenant with vouchers in each state, of a program of the first exam and of one that enforces the e-mail."""
    partner = await add_partner(resources, tenant, "Acme Corp")
    program = await add_program(resources, tenant, "Open")
    strict = await add_program(
        resources, tenant, "Strict", enforce_assigned_email=True, email_domains=("example.com", "acme.example.org")
    )
    plain = await add_purchase(resources, tenant, partner, program, "VP-1")
    careful = await add_purchase(resources, tenant, partner, strict, "VP-2")
    unfinished = await add_purchase(resources, tenant, partner, program, "VP-3", status=PurchaseStatus.VOUCHER_CREATION)
    assigned = {"recipient_email": "ada@example.com", "assigned_at": NOW}
    await add_vouchers(
        resources,
        tenant,
        voucher(plain, partner, "GOOD"),
        voucher(plain, partner, "OFF", is_active=False),
        voucher(plain, partner, "LATE", expires_at=NOW),
        voucher(plain, partner, "SPENT", **usage(tenant.exam_ids["NCA-GENL"], "RSV-1")),
        voucher(careful, partner, "STRICT", **assigned),
        voucher(careful, partner, "UNASSIGNED"),
        voucher(unfinished, partner, "EARLY"),
    )
    return tenant


@pytest.fixture
def platform(superuser: psycopg.Connection, tenant: Tenant) -> Tenant:
    """The platform, which owns the global codes."""
    superuser.execute(
        "insert into organizations (id, name, is_active, created_at, version) values (%s, 'Platform', true, now(), 1)"
        " on conflict do nothing",
        [PLATFORM_ID],
    )
    return replace(tenant, id=PLATFORM_ID)


async def test_a_promo_code_is_shown_with_its_price_and_what_is_left(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    code = percent_code(tenant, "Spring15", discount_percent=15, redemption_count=40)
    await add_promo_codes(resources, tenant, code, now=NOW)
    assert await results(client, tenant, "SPRING15") == [
        {
            "code": "Spring15",
            "kind": "PromoCode",
            "isValid": True,
            "reasons": [],
            "remainingUses": 60,
            "validUntil": "2030-01-01T00:00:00Z",
            "listPrice": 100.0,
            "discount": 15.0,
            "finalPrice": 85.0,
        }
    ]


async def test_a_voucher_pays_for_the_whole_exam(client: httpx.AsyncClient, shop: Tenant) -> None:
    assert await results(client, shop, "\ufeffgood\u200b") == [
        {
            "code": "GOOD",
            "kind": "Voucher",
            "isValid": True,
            "reasons": [],
            "remainingUses": 1,
            "validUntil": "2027-06-15T12:00:00Z",
            "listPrice": 100.0,
            "discount": 100.0,
            "finalPrice": 0.0,
        }
    ]


async def test_an_unknown_code_is_a_result_like_the_others_in_the_order_of_the_request(
    client: httpx.AsyncClient, shop: Tenant
) -> None:
    result = await results(client, shop, "Nothing", "GOOD", " nothing ")
    assert [each["code"] for each in result] == ["Nothing", "GOOD", "nothing"]
    assert result[0] == {
        "code": "Nothing",
        "kind": None,
        "isValid": False,
        "reasons": [
            {"code": "NotFound", "message": "The code does not exist.", "remainingUses": None, "validFrom": None}
        ],
        "remainingUses": None,
        "validUntil": None,
        "listPrice": 100.0,
        "discount": 0.0,
        "finalPrice": 100.0,
    }


async def test_every_rule_that_a_promo_code_breaks_is_named(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    code = percent_code(
        tenant,
        "WORST",
        status=Status.INACTIVE,
        expires_at=NOW,
        redemption_count=100,
        store_exam_ids=(tenant.exam_ids["CLD-100"],),
        restrict_to_email_addresses=True,
        email_addresses=("ada@example.com",),
    )
    await add_promo_codes(resources, tenant, code, now=NOW)
    every = ["Inactive", "Expired", "UsedUp", "NotCovered"]
    assert reasons(await results(client, tenant, "WORST")) == [every]
    assert reasons(await results(client, tenant, "WORST", candidate={})) == [[*every, "EmailRequired"]]
    stranger = {"email": "bob@example.com"}
    assert reasons(await results(client, tenant, "WORST", candidate=stranger)) == [[*every, "EmailNotListed"]]
    listed = {"email": "ADA@example.com"}
    (result,) = await results(client, tenant, "WORST", candidate=listed)
    assert reasons([result]) == [every]
    # A code that is not valid gives no discount.
    assert (result["listPrice"], result["discount"], result["finalPrice"]) == (100.0, 0.0, 100.0)


async def test_every_rule_that_a_voucher_breaks_is_named(client: httpx.AsyncClient, shop: Tenant) -> None:
    result = await results(client, shop, "OFF", "LATE", "SPENT", "EARLY")
    assert reasons(result) == [["SwitchedOff"], ["Expired"], ["Used"], ["PurchaseIncomplete"]]
    assert [each["remainingUses"] for each in result] == [1, 1, 0, 1]
    assert {(each["discount"], each["finalPrice"]) for each in result} == {(0.0, 100.0)}
    elsewhere = await results(client, shop, "GOOD", storeExamCode="CLD-100")
    assert reasons(elsewhere) == [["NotCovered"]]


@pytest.mark.parametrize(
    ("email", "expected"),
    [
        ("ADA@example.com", [[], ["EmailNotRecipient"]]),
        ("bob@example.com", [["EmailNotRecipient"], ["EmailNotRecipient"]]),
        ("ada@sub.example.com", [["EmailNotRecipient", "EmailDomainNotAllowed"]] * 2),
        (None, [["EmailRequired"], ["EmailRequired"]]),
    ],
)
async def test_a_voucher_of_a_strict_program_is_for_its_recipient(
    client: httpx.AsyncClient, shop: Tenant, email: str | None, expected: list[list[str]]
) -> None:
    result = await results(client, shop, "STRICT", "UNASSIGNED", candidate={"email": email})
    assert reasons(result) == expected


@pytest.mark.parametrize(
    ("email", "expected"),
    [("bob@acme.example.org", []), ("ada@example.com", ["EmailDomainNotAllowed"]), (None, ["EmailRequired"])],
)
async def test_a_voucher_of_a_program_for_domains_is_for_anybody_in_one(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, email: str | None, expected: list[str]
) -> None:
    partner = await add_partner(resources, tenant, "Acme Corp")
    program = await add_program(resources, tenant, "Domains", email_domains=("acme.example.org",))
    purchase = await add_purchase(resources, tenant, partner, program, "VP-1")
    await add_vouchers(resources, tenant, voucher(purchase, partner, "STAFF"))
    assert reasons(await results(client, tenant, "STAFF", candidate={"email": email})) == [expected]


async def test_without_a_candidate_rules_about_candidates_are_not_asked(
    client: httpx.AsyncClient, shop: Tenant
) -> None:
    assert reasons(await results(client, shop, "STRICT", "UNASSIGNED")) == [[], []]


async def test_another_time_may_be_asked_about(client: httpx.AsyncClient, resources: Resources, tenant: Tenant) -> None:
    await add_promo_codes(resources, tenant, percent_code(tenant, "SOON", expires_at=NOW + timedelta(days=1)), now=NOW)
    assert reasons(await results(client, tenant, "SOON")) == [[]]
    assert reasons(await results(client, tenant, "SOON", asOf="2026-06-16T11:59:59Z")) == [[]]
    assert reasons(await results(client, tenant, "SOON", asOf="2026-06-16T14:00:00+02:00")) == [["Expired"]]


async def test_a_code_cannot_be_used_before_its_start_date(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, clock: Clock
) -> None:
    start = NOW + timedelta(days=1)
    later = [percent_code(tenant, "LATER", starts_at=start), percent_code(tenant, "FREE", max_redemptions=None)]
    await add_promo_codes(resources, tenant, later[0], replace(later[1], starts_at=start), now=NOW)
    reason = {"code": "NotStarted", "message": "The code has not started yet.", "remainingUses": None}
    expected = [reason | {"validFrom": "2026-06-16T12:00:00Z"}]
    found = await results(client, tenant, "LATER", "FREE")
    assert [(each["reasons"], each["finalPrice"]) for each in found] == [(expected, 100.0)] * 2
    assert reasons(await results(client, tenant, "LATER", asOf="2026-06-16T12:00:00Z")) == [[]]
    refusals = [await redeem(client, tenant, code, "R-1") for code in ("LATER", "FREE")]
    assert [(each.status_code, each.json()["errors"][0]["validFrom"]) for each in refusals] == [
        (409, "2026-06-16T12:00:00Z")
    ] * 2
    clock.advance(days=1)
    assert (await redeem(client, tenant, "LATER", "R-1")).status_code == 201


async def test_a_bundle_is_priced_and_covered_as_carevalidate_says(
    client: httpx.AsyncClient, resources: Resources, shop: Tenant
) -> None:
    await add_promo_codes(
        resources,
        shop,
        percent_code(shop, "INSIDE"),
        percent_code(shop, "OUTSIDE", store_exam_ids=(shop.exam_ids["CLD-100"],)),
        percent_code(shop, "BUNDLE", store_exam_ids=(), product_bundle_ids=(shop.bundle_id,)),
        percent_code(shop, "ANYTHING", store_exam_ids=()),
        now=NOW,
    )
    body = {"codes": ["INSIDE", "OUTSIDE", "BUNDLE", "ANYTHING", "GOOD"], "productBundleId": str(shop.bundle_id)}
    answer = await client.post(URL, json=body, headers=shop.api_key)
    result = answer.json()["results"]
    assert reasons(result) == [[], ["NotCovered"], [], [], ["NotCovered"]]
    assert {each["listPrice"] for each in result} == {150.0}
    # A tenth of the exam's 100 dollars, or of the bundle's 150; nothing for a code that is not valid.
    assert [each["discount"] for each in result] == [10.0, 0.0, 15.0, 15.0, 0.0]


async def test_amounts_are_rounded_half_up_and_never_below_zero(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    flat = {"discount_percent": None, "store_exam_ids": ()}
    await add_promo_codes(
        resources,
        tenant,
        percent_code(tenant, "THIRD", discount_percent=33),
        percent_code(tenant, "FLAT", flat_discount=Decimal("0.01"), **flat),
        percent_code(tenant, "MORE", flat_discount=Decimal("100.01"), **flat),
        now=NOW,
    )
    result = await results(client, tenant, "THIRD", "FLAT", "MORE")
    assert [(each["discount"], each["finalPrice"]) for each in result] == [(33.0, 67.0), (0.01, 99.99), (100.0, 0.0)]


async def test_a_global_code_is_found_and_an_own_one_of_its_name_wins(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, platform: Tenant
) -> None:
    name, shadowed = f"GLOBAL{tenant.id.hex[-8:]}", f"SHADOWED{tenant.id.hex[-8:]}"
    everywhere = {"store_exam_ids": (), "max_redemptions": None, "expires_at": None}
    await add_promo_codes(
        resources,
        platform,
        percent_code(platform, name, discount_percent=5, **everywhere),
        percent_code(platform, shadowed, discount_percent=5, **everywhere),
        now=NOW,
    )
    await add_promo_codes(resources, tenant, percent_code(tenant, shadowed, discount_percent=50), now=NOW)
    result = await results(client, tenant, name, shadowed)
    assert [(each["discount"], each["remainingUses"], each["validUntil"]) for each in result] == [
        (5.0, None, None),
        (50.0, 100, "2030-01-01T00:00:00Z"),
    ]


@pytest.mark.parametrize(("seconds", "status"), [(3_600, 201), (3_601, 400)])
async def test_a_global_code_is_held_for_an_hour_at_most(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, platform: Tenant, *, seconds: int, status: int
) -> None:
    name = f"HOUR{tenant.id.hex[-12:]}"
    everywhere = {"store_exam_ids": (), "max_redemptions": None, "expires_at": None}
    await add_promo_codes(resources, platform, percent_code(platform, name, **everywhere), now=NOW)
    await add_promo_codes(resources, tenant, percent_code(tenant, "OWN"), now=NOW)
    answer = await redeem(client, tenant, name, holdSeconds=seconds)
    assert answer.status_code == status
    if status != 201:
        assert answer.json()["errors"] == [
            {
                "pointer": "/holdSeconds",
                "code": "GlobalHoldRange",
                "detail": "holdSeconds must be at most 3,600 for a global code.",
            }
        ]
    own = await redeem(client, tenant, "OWN", "RSV-2", holdSeconds=seconds)
    assert own.status_code == 201


async def test_a_thousand_codes_take_as_many_statements_as_one(
    client: httpx.AsyncClient, resources: Resources, shop: Tenant
) -> None:
    codes = [f"CODE{number}" for number in range(999)]
    counts = []
    for names in (["NONE"], [*codes, "GOOD"]):
        with record_statements(resources.database) as sent:
            result = await results(client, shop, *names)
        counts.append(len(sent))
    assert (counts, len(result)) == ([5, 5], 1000)


async def test_it_changes_nothing(client: httpx.AsyncClient, shop: Tenant) -> None:
    assert await results(client, shop, "GOOD", "SPENT") == await results(client, shop, "GOOD", "SPENT")
