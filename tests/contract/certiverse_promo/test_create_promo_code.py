"""POST /promo-codes, by its document."""

from typing import Any

import httpx
import psycopg
import pytest
from tests.conftest import NOW, Clock
from tests.support.factories import Tenant
from tests.support.promo_code_requests import PROMO_CODE, REQUEST, REQUIRED, create, request
from tests.support.responses import status_and_body, validation_failed

LEFT_OUT = {"emailAddresses": ..., "isActive": ..., "maxRedemptionsPerCandidate": ..., "notes": ...}
MINIMAL: dict[str, Any] = {**LEFT_OUT, "restrictToEmailAddresses": ...}


async def names(client: httpx.AsyncClient, tenant: Tenant, query: str = "") -> list[str]:
    answer = await client.get(f"/promo-codes{query}", headers=tenant.bearer)
    return [code["promoCodeName"] for code in answer.json()["data"]]


@pytest.mark.parametrize("path", ["/promo-codes", "/api/promo-codes"])
async def test_without_a_credential_it_is_401(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.post(path, json=REQUEST)
    assert status_and_body(answer) == (
        401,
        {"errorCode": "NotAuthenticated", "errorMessages": ["A Bearer token is required."]},
    )
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_another_organization_sees_nothing_of_it_and_may_use_the_name(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    await create(client, tenant)
    assert await names(client, other_tenant) == []
    assert status_and_body(await create(client, other_tenant)) == (201, PROMO_CODE)


@pytest.mark.parametrize("path", ["/promo-codes", "/api/promo-codes"])
async def test_the_whole_request_becomes_the_whole_model(client: httpx.AsyncClient, tenant: Tenant, path: str) -> None:
    answer = await client.post(path, headers=tenant.bearer, json=REQUEST)
    assert status_and_body(answer) == (201, PROMO_CODE)
    assert answer.headers["Content-Type"] == "application/json"
    assert list(answer.json()) == list(PROMO_CODE)
    listed = await client.get(path, headers=tenant.bearer)
    assert status_and_body(listed) == (200, {"data": [PROMO_CODE], "nextLink": None})


@pytest.mark.parametrize("left_out", [..., None], ids=["absent", "null"])
async def test_what_is_optional_may_be_left_out(client: httpx.AsyncClient, tenant: Tenant, left_out: object) -> None:
    answer = await create(client, tenant, **dict.fromkeys(MINIMAL, left_out))
    assert status_and_body(answer) == (
        201,
        {
            "storeExamCodes": ["NCA-GENL", "CLD-100"],
            "discountPercent": 25,
            "emailAddresses": [],
            "expirationDateEndUtc": "2030-01-01T00:00:00",
            "maxRedemptions": 500,
            "promoCodeName": "SPRING25",
            "redemptionCount": 0,
            "restrictToEmailAddresses": False,
        },
    )
    assert await names(client, tenant, "?status=Inactive") == ["SPRING25"]
    schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]
    defaults = {
        name: each["default"]
        for name, each in schemas["PromoCodeCreateCommand"]["properties"].items()
        if name in MINIMAL and "default" in each
    }
    result = answer.json() | {"isActive": False}  # which no response has
    assert result | defaults == result


@pytest.mark.parametrize("left_out", [..., None], ids=["absent", "null"])
@pytest.mark.parametrize("name", REQUIRED)
async def test_what_is_required_is_named_when_it_is_missing(
    client: httpx.AsyncClient, tenant: Tenant, name: str, left_out: object
) -> None:
    assert status_and_body(await create(client, tenant, **{name: left_out})) == validation_failed(
        f"{name} is required."
    )


@pytest.mark.parametrize(("is_active", "status"), [(True, "Active"), (False, "Inactive")])
async def test_is_active_decides_the_status(
    client: httpx.AsyncClient, tenant: Tenant, *, is_active: bool, status: str
) -> None:
    await create(client, tenant, isActive=is_active)
    result = {each: await names(client, tenant, f"?status={each}") for each in ("Active", "Inactive", "Archived")}
    assert result == {"Active": [], "Inactive": [], "Archived": []} | {status: ["SPRING25"]}


@pytest.mark.parametrize(
    "changes",
    [
        {"promoCodeName": "abc"},
        {"promoCodeName": "aZ09" * 6 + "x"},
        {"discountPercent": 1},
        {"discountPercent": 100},
        {"maxRedemptions": 1, "maxRedemptionsPerCandidate": 1},
        {"maxRedemptions": 100_000},
        {"maxRedemptions": 100_000, "maxRedemptionsPerCandidate": 100_000},
        {"notes": ""},
        {"notes": "é" * 256},
        {"unknown": {"anything": None}},
        {"restrictToEmailAddresses": False},
    ],
    ids=str,
)
async def test_values_at_the_limits_are_created_and_returned(
    client: httpx.AsyncClient, tenant: Tenant, changes: dict[str, Any]
) -> None:
    expected = PROMO_CODE | {name: value for name, value in changes.items() if name != "unknown"}
    assert status_and_body(await create(client, tenant, **changes)) == (201, expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"promoCodeName": "ab"}, "promoCodeName must have 3 to 25 characters."),
        ({"promoCodeName": "a" * 26}, "promoCodeName must have 3 to 25 characters."),
        ({"promoCodeName": "SPRING-25"}, "promoCodeName must be alphanumeric (A-Z, a-z, 0-9)."),
        ({"promoCodeName": "SPRING 25"}, "promoCodeName must be alphanumeric (A-Z, a-z, 0-9)."),
        ({"promoCodeName": "SPRING25\n"}, "promoCodeName must be alphanumeric (A-Z, a-z, 0-9)."),
        ({"storeExamCodes": []}, "storeExamCodes must contain at least one store exam code."),
        (
            {"storeExamCodes": ["X-1", "NCA-GENL", "Y-2"]},
            "storeExamCodes has unknown store exams: 'X-1', 'Y-2'.",
        ),
        ({"discountPercent": 0}, "discountPercent must be between 1 and 100."),
        ({"discountPercent": 101}, "discountPercent must be between 1 and 100."),
        ({"discountPercent": -1}, "discountPercent must be between 1 and 100."),
        ({"maxRedemptions": 0, "maxRedemptionsPerCandidate": ...}, "maxRedemptions must be between 1 and 100,000."),
        ({"maxRedemptions": 100_001}, "maxRedemptions must be between 1 and 100,000."),
        ({"maxRedemptionsPerCandidate": 0}, "maxRedemptionsPerCandidate must be between 1 and 100,000."),
        ({"maxRedemptionsPerCandidate": 501}, "maxRedemptionsPerCandidate must not exceed the limit in total."),
        ({"notes": "n" * 257}, "notes must have at most 256 characters."),
        ({"emailAddresses": []}, "emailAddresses must not be empty when the code is restricted to them."),
        ({"emailAddresses": ...}, "emailAddresses must not be empty when the code is restricted to them."),
        ({"emailAddresses": ["ada"]}, "emailAddresses must be valid e-mail addresses, not 'ada'."),
        ({"isActive": "Active"}, "isActive must be true or false."),
        ({"isActive": 1}, "isActive must be true or false."),
        ({"restrictToEmailAddresses": "true"}, "restrictToEmailAddresses must be true or false."),
    ],
    ids=str,
)
async def test_each_violation_names_its_field_and_nothing_is_created(
    client: httpx.AsyncClient, tenant: Tenant, changes: dict[str, Any], message: str
) -> None:
    assert status_and_body(await create(client, tenant, **changes)) == validation_failed(message)
    assert await names(client, tenant) == []


async def test_one_response_has_every_violation_in_the_order_of_the_document(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    await create(client, tenant)
    wrong = {
        "restrictToEmailAddresses": "yes",
        "notes": "n" * 257,
        "maxRedemptionsPerCandidate": 100_001,
        "isActive": "Active",
        "emailAddresses": ["nobody"],
        "promoCodeName": "a_",
        "maxRedemptions": "500",
        "expirationDateUtc": "2020-01-01T00:00:00",
        "discountPercent": 101,
        "storeExamCodes": ["X-1"],
    }
    answer = await client.post("/promo-codes", headers=tenant.bearer, json=wrong)
    assert status_and_body(answer) == validation_failed(
        "storeExamCodes has unknown store exams: 'X-1'.",
        "discountPercent must be between 1 and 100.",
        "expirationDateUtc must not be in the past.",
        "maxRedemptions must be an integer.",
        "promoCodeName must have 3 to 25 characters.",
        "promoCodeName must be alphanumeric (A-Z, a-z, 0-9).",
        "emailAddresses must be valid e-mail addresses, not 'nobody'.",
        "isActive must be true or false.",
        "maxRedemptionsPerCandidate must be between 1 and 100,000.",
        "notes must have at most 256 characters.",
        "restrictToEmailAddresses must be true or false.",
    )


async def test_a_used_name_is_reported_with_the_other_violations(client: httpx.AsyncClient, tenant: Tenant) -> None:
    await create(client, tenant)
    assert status_and_body(await create(client, tenant, discountPercent=0, notes=1)) == validation_failed(
        "discountPercent must be between 1 and 100.",
        "promoCodeName must be unique, and 'SPRING25' is taken.",
        "notes must be a string.",
    )


@pytest.mark.parametrize("name", ["SPRING25", "spring25", "sPrInG25"])
async def test_a_name_is_taken_in_any_case(client: httpx.AsyncClient, tenant: Tenant, name: str) -> None:
    await create(client, tenant)
    assert status_and_body(await create(client, tenant, promoCodeName=name)) == validation_failed(
        f"promoCodeName must be unique, and '{name}' is taken."
    )


@pytest.mark.parametrize("status", ["Inactive", "Archived"])
async def test_a_name_stays_taken_whatever_became_of_its_code(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection, status: str
) -> None:
    await create(client, tenant)
    superuser.execute("update promo_codes set status = %s where organization_id = %s", [status, tenant.id])
    assert status_and_body(await create(client, tenant)) == validation_failed(
        "promoCodeName must be unique, and 'SPRING25' is taken."
    )


async def test_store_exams_keep_their_order_and_spelling_and_repeats_collapse(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    answer = await create(client, tenant, storeExamCodes=["cld-100", "NCP-ADS", "CLD-100", "nca-genl", "Ncp-Ads"])
    expected = PROMO_CODE | {"storeExamCodes": ["CLD-100", "NCP-ADS", "NCA-GENL"]}
    assert status_and_body(answer) == (201, expected)
    listed = await client.get("/promo-codes", headers=tenant.bearer)
    assert listed.json() == {"data": [expected], "nextLink": None}


async def test_another_organizations_store_exams_are_unknown(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, superuser: psycopg.Connection
) -> None:
    superuser.execute(
        "update store_exams set code = 'THEIRS' where organization_id = %s and code = 'NCP-ADS'", [other_tenant.id]
    )
    assert status_and_body(await create(client, tenant, storeExamCodes=["THEIRS"])) == validation_failed(
        "storeExamCodes has unknown store exams: 'THEIRS'."
    )


async def test_addresses_are_compared_without_case_and_keep_their_first_spelling(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    answer = await create(client, tenant, emailAddresses=["Ada@Example.com", "bob@example.com", "ada@EXAMPLE.com"])
    assert status_and_body(answer) == (201, PROMO_CODE | {"emailAddresses": ["Ada@Example.com", "bob@example.com"]})


@pytest.mark.parametrize(
    ("given", "told_back"),
    [
        ("2030-01-01T00:00:00", "2030-01-01T00:00:00"),
        ("2030-01-01T00:00", "2030-01-01T00:00:00"),
        ("2030-01-01T00:00:00Z", "2030-01-01T00:00:00"),
        ("2030-01-01T00:00:00+02:00", "2029-12-31T22:00:00"),
        ("2029-12-31T19:30:00-0430", "2030-01-01T00:00:00"),
        ("2030-01-01T00:00:00.250", "2030-01-01T00:00:00"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59"),
    ],
)
async def test_an_expiry_is_shown_in_utc(client: httpx.AsyncClient, tenant: Tenant, given: str, told_back: str) -> None:
    expected = PROMO_CODE | {"expirationDateEndUtc": told_back}
    assert status_and_body(await create(client, tenant, expirationDateUtc=given)) == (201, expected)
    listed = await client.get("/promo-codes", headers=tenant.bearer)
    assert listed.json() == {"data": [expected], "nextLink": None}


@pytest.mark.parametrize("seconds", [0, -1, -86_400])
async def test_an_expiry_must_lie_ahead(client: httpx.AsyncClient, tenant: Tenant, clock: Clock, seconds: int) -> None:
    clock.advance(seconds=-seconds)
    given = NOW.replace(tzinfo=None).isoformat()
    assert status_and_body(await create(client, tenant, expirationDateUtc=given)) == validation_failed(
        "expirationDateUtc must not be in the past."
    )


async def test_an_expiry_a_second_ahead_is_fine_without_its_fraction(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await create(client, tenant, expirationDateUtc="2026-06-15T12:00:01.999999")
    assert status_and_body(answer) == (201, PROMO_CODE | {"expirationDateEndUtc": "2026-06-15T12:00:01"})


async def test_a_refused_request_leaves_the_name_free(client: httpx.AsyncClient, tenant: Tenant) -> None:
    await create(client, tenant, storeExamCodes=["X-1"])
    answer = await client.post("/promo-codes", headers=tenant.bearer, json=request())
    assert status_and_body(answer) == (201, PROMO_CODE)
