"""POST /api/vouchers/purchases with invalid bodies: 400, 413 or 415, with each violation, and no purchase."""

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest
from tests.support.factories import Tenant
from tests.support.responses import status_and_body, validation_failed
from tests.support.voucher_factories import add_partner, add_program
from tests.support.voucher_requests import EMPTY, REQUEST, REQUEST_TEXT, request

from tessera.api.serving.resources import Resources
from tessera.vouchers.rules import Status

PATH = "/api/vouchers/purchases"
INTEGER = "quantity must be an integer."
RANGE = "quantity must be between 1 and 1,000."
NUL = "must not contain a NUL character."


@pytest.fixture
async def shop(resources: Resources, tenant: Tenant) -> Tenant:
    """An organization where only the document's partner may buy from the document's program."""
    acme = await add_partner(resources, tenant, "Acme Corp")
    stranger = await add_partner(resources, tenant, "Stranger")
    await add_partner(resources, tenant, "Sleeper", Status.INACTIVE)
    await add_partner(resources, tenant, "Ancient", Status.ARCHIVED)
    closed: dict[str, Any] = {"is_available_to_all_partners": False, "partner_ids": (acme,)}
    priced: dict[str, Any] = {"partner_cost_per_voucher": Decimal("0.01"), "discounts": ((1, Decimal(100)),)}
    await add_program(resources, tenant, "Spring Certification Drive", **closed)
    await add_program(resources, tenant, "Another", is_available_to_all_partners=False, partner_ids=(stranger,))
    await add_program(resources, tenant, "Open")
    await add_program(resources, tenant, "Asleep", status=Status.INACTIVE)
    await add_program(resources, tenant, "Gone", status=Status.ARCHIVED, **closed, **priced)
    await add_program(resources, tenant, "Priced", can_assigned_partners_purchase_zero_price=True, **priced)
    return tenant


async def send(client: httpx.AsyncClient, tenant: Tenant, content: bytes | str, media_type: str) -> httpx.Response:
    return await client.post(PATH, headers=tenant.bearer | {"Content-Type": media_type}, content=content)


async def assert_nothing_is_bought(client: httpx.AsyncClient, tenant: Tenant) -> None:
    assert status_and_body(await client.get(f"{PATH}?status=VoucherCreation", headers=tenant.bearer)) == EMPTY


@pytest.mark.parametrize(
    ("literal", "message"),
    [
        ('"50"', INTEGER),
        ("50.0", INTEGER),
        ("50.5", INTEGER),
        ("5e1", INTEGER),
        ("true", INTEGER),
        ("[50]", INTEGER),
        ("{}", INTEGER),
        ('""', INTEGER),
        (str(10**30), INTEGER),
        (str(-(10**30)), INTEGER),
        ("null", "quantity is required."),
        ("0", RANGE),
        ("-0", RANGE),
        ("-1", RANGE),
        ("1001", RANGE),
        (str(2**31), RANGE),
        (str(2**63), RANGE),
    ],
)
async def test_a_quantity_is_an_integer_from_one_to_a_thousand(
    client: httpx.AsyncClient, shop: Tenant, literal: str, message: str
) -> None:
    content = REQUEST_TEXT.replace("50", literal)
    assert status_and_body(await send(client, shop, content, "application/json")) == validation_failed(message)
    await assert_nothing_is_bought(client, shop)


@pytest.mark.parametrize(
    ("value", "told_of"),
    [
        ("", "must not be blank."),
        (" ", "must not be blank."),
        ("\t\n\u00a0\u2003", "must not be blank."),
        ("a\0b", NUL),
        ("\0", NUL),
        (None, "is required."),
        (..., "is required."),
        (5, "must be a string."),
        (True, "must be a string."),
        (["Acme Corp"], "must be a string."),
        ({"name": "Acme Corp"}, "must be a string."),
    ],
    ids=repr,
)
@pytest.mark.parametrize("name", ["notes", "partnerName", "programName"])
async def test_a_text_is_a_string_that_says_something(
    client: httpx.AsyncClient, shop: Tenant, name: str, value: object, told_of: str
) -> None:
    answer = await client.post(PATH, headers=shop.bearer, json=request(**{name: value}))
    assert status_and_body(answer) == validation_failed(f"{name} {told_of}")
    await assert_nothing_is_bought(client, shop)


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        ({"partnerName": "Acme"}, ["partnerName was not found: 'Acme'."]),
        ({"partnerName": "Acme%"}, ["partnerName was not found: 'Acme%'."]),
        ({"partnerName": "Acme  Corp"}, ["partnerName was not found: 'Acme  Corp'."]),
        (
            {"partnerName": "sleeper", "programName": "Open"},
            ["partnerName must be active, and 'sleeper' is inactive."],
        ),
        (
            {"partnerName": "Ancient", "programName": "Open"},
            ["partnerName must be active, and 'Ancient' is archived."],
        ),
        ({"partnerName": "Stranger"}, ["programName must name a program that is open to this partner."]),
        ({"programName": "Spring"}, ["programName was not found: 'Spring'."]),
        ({"programName": "Acme Corp"}, ["programName was not found: 'Acme Corp'."]),
        ({"notes": "n" * 20_001}, ["notes must have at most 20,000 characters."]),
        ({"programName": "x" * 5_000}, [f"programName was not found: '{'x' * 60}'."]),
        ({"programName": "asleep"}, ["programName must be active, and 'asleep' is inactive."]),
        ({"programName": "Priced"}, ["programName must name a program that is priced at $0."]),
        (
            {"partnerName": "Stranger", "programName": "Gone"},
            [
                "programName must be active, and 'Gone' is archived.",
                "programName must name a program that is open to this partner.",
                "programName must name a program that is priced at $0.",
            ],
        ),
        (
            {"partnerName": "Sleeper", "programName": "Asleep", "notes": " ", "quantity": 1001},
            [
                "notes must not be blank.",
                "partnerName must be active, and 'Sleeper' is inactive.",
                "programName must be active, and 'Asleep' is inactive.",
                RANGE,
            ],
        ),
        (
            {"partnerName": "Nobody", "programName": "Priced", "notes": None, "quantity": "50"},
            [
                "notes is required.",
                "partnerName was not found: 'Nobody'.",
                "programName must name a program that is priced at $0.",
                INTEGER,
            ],
        ),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_violations_of_partner_and_program_are_reported(
    client: httpx.AsyncClient, shop: Tenant, changes: dict[str, Any], messages: list[str]
) -> None:
    answer = await client.post(PATH, headers=shop.bearer, json=request(**changes))
    assert status_and_body(answer) == validation_failed(*messages)
    await assert_nothing_is_bought(client, shop)


async def test_an_empty_object_lacks_every_field_in_the_order_of_the_document(
    client: httpx.AsyncClient, shop: Tenant
) -> None:
    assert status_and_body(await client.post(PATH, headers=shop.bearer, json={})) == validation_failed(
        "notes is required.", "partnerName is required.", "programName is required.", "quantity is required."
    )


async def test_names_of_another_organization_are_not_found(
    client: httpx.AsyncClient, resources: Resources, shop: Tenant, other_tenant: Tenant
) -> None:
    await add_partner(resources, other_tenant, "Theirs")
    await add_program(resources, other_tenant, "Their Program")
    answer = await client.post(
        PATH, headers=shop.bearer, json=request(partnerName="Theirs", programName="Their Program")
    )
    assert status_and_body(answer) == validation_failed(
        "partnerName was not found: 'Theirs'.", "programName was not found: 'Their Program'."
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"notes=x",
        b'{"notes": "\xff"}',
        b'{"notes": "\\ud800"}',
        b'{"quantity": NaN}',
        b'{"quantity": 050}',
        b"[" * 10_000,
        REQUEST_TEXT.encode("utf-16"),
        REQUEST_TEXT.encode() * 2,
    ],
    ids=lambda content: repr(content[:30]),
)
async def test_a_body_that_is_not_json_is_malformed(client: httpx.AsyncClient, tenant: Tenant, content: bytes) -> None:
    assert status_and_body(await send(client, tenant, content, "application/json")) == (
        400,
        {"errorCode": "MalformedRequest", "errorMessages": ["The request body is not valid JSON."]},
    )


@pytest.mark.parametrize("content", ["null", "true", "50", '"{}"', "[]", json.dumps([REQUEST])])
async def test_a_body_that_is_not_an_object_is_malformed(
    client: httpx.AsyncClient, tenant: Tenant, content: str
) -> None:
    assert status_and_body(await send(client, tenant, content, "application/json")) == (
        400,
        {"errorCode": "MalformedRequest", "errorMessages": ["The request body must be a JSON object."]},
    )


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "json"])
async def test_another_content_type_is_415(client: httpx.AsyncClient, shop: Tenant, media_type: str) -> None:
    assert status_and_body(await send(client, shop, REQUEST_TEXT, media_type)) == (
        415,
        {"errorCode": "UnsupportedMediaType", "errorMessages": ["The request body must be application/json."]},
    )
    await assert_nothing_is_bought(client, shop)


async def test_two_mebibytes_are_413(client: httpx.AsyncClient, shop: Tenant) -> None:
    answer = await client.post(PATH, headers=shop.bearer, json=request(notes="n" * 2 * 1024 * 1024))
    assert status_and_body(answer) == (
        413,
        {
            "errorCode": "RequestTooLarge",
            "errorMessages": ["The request body must not be larger than 1,048,576 bytes."],
        },
    )
    await assert_nothing_is_bought(client, shop)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_other_methods_are_405(client: httpx.AsyncClient, tenant: Tenant, method: str) -> None:
    answer = await client.request(method, PATH, headers=tenant.bearer)
    assert (answer.status_code, answer.json()["errorCode"]) == (405, "MethodNotAllowed")
    assert set(answer.headers["Allow"].split(", ")) >= {"GET", "POST"}


async def test_an_unknown_path_is_404(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await client.get("/api/vouchers/nothing", headers=tenant.bearer)
    assert (answer.status_code, answer.json()["errorCode"]) == (404, "NotFound")
