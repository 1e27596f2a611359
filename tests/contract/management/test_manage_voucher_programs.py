"""Voucher programs through the management API: their whole life cycle, and every invalid request."""

from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from tests.support.factories import Tenant
from tests.support.management_requests import (
    RIGHT_IS_MISSING,
    audit_entries_of,
    headers_without_rights,
    if_match,
    invalid,
    not_found,
    problem,
)
from tests.support.responses import status_and_body
from tests.support.voucher_management import PARTNER, PARTNERS, PROGRAM, PROGRAMS, change_resource, create_resource

NOBODY = UUID(int=7)
CREATED = {name: value for name, value in PROGRAM.items() if name != "isActive"} | {
    "status": "Active",
    "storeExamCodes": ["NCA-GENL"],
    "tiers": [{"quantity": 10, "percent": 5.0}, {"quantity": 50, "percent": 12.5}],
    "partners": [],
    "canAssignedPartnersPurchaseZeroPrice": False,
    "emailDomains": [],
    "enforceAssignedEmail": False,
    "expirationPeriodInDays": 365,
    "allowAchPayments": False,
    "metadata": {},
    "createdAt": "2026-06-15T12:00:00Z",
    "version": 1,
}


def operations(program_id: object) -> list[tuple[str, str]]:
    one = f"{PROGRAMS}/{program_id}"
    return [("GET", one), ("PUT", one), *(("POST", f"{one}/{move}") for move in ("activate", "deactivate", "archive"))]


async def test_without_the_function_point_every_operation_is_403(client: httpx.AsyncClient, tenant: Tenant) -> None:
    headers = await headers_without_rights(client, tenant)
    expected = problem(403, "function-point-missing", "Permission missing", RIGHT_IS_MISSING)
    for method, url in [("GET", PROGRAMS), ("POST", PROGRAMS), *operations(NOBODY)]:
        assert status_and_body(await client.request(method, url, headers=headers, json=PROGRAM)) == expected


async def test_another_organizations_programs_are_not_there(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    theirs = await create_resource(client, other_tenant, PROGRAMS, PROGRAM)
    for program_id in (theirs["id"], NOBODY):
        for method, url in operations(program_id):
            answer = await client.request(method, url, headers=if_match("*", tenant), json=PROGRAM)
            assert status_and_body(answer) == not_found("There is no such voucher program.")
    assert status_and_body(await client.get(PROGRAMS, headers=tenant.bearer)) == (
        200,
        {"data": [], "nextLink": None, "nextCursor": None},
    )
    their_partner = await create_resource(client, other_tenant, PARTNERS, PARTNER)
    body = PROGRAM | {"partnerIds": [their_partner["id"]]}
    assert status_and_body(await client.post(PROGRAMS, json=body, headers=tenant.bearer)) == invalid(
        ("/partnerIds/0", "PartnerNotFound", "partnerIds/0 must be the id of a voucher partner.")
    )


async def test_a_program_lives_from_its_creation_to_its_archive(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    partner = await create_resource(client, tenant, PARTNERS, PARTNER)
    program = await create_resource(client, tenant, PROGRAMS, PROGRAM)
    assert program == {"id": program["id"], **CREATED}
    url = f"{PROGRAMS}/{program['id']}"
    read = await client.get(url, headers=tenant.bearer)
    assert (status_and_body(read), read.headers["ETag"]) == ((200, program), '"1"')
    other = {
        "name": "Strict",
        "storeExamCodes": ["CLD-100", "NCA-GENL", "cld-100"],
        "costPerVoucher": 0,
        "partnerIds": [partner["id"], partner["id"]],
        "emailDomains": ["Example.com", "acme.example.com", "example.COM"],
        "enforceAssignedEmail": True,
        "voucherCodePrefix": "",
        "expirationPeriodInDays": 90,
        "allowAchPayments": True,
        "canAssignedPartnersPurchaseZeroPrice": True,
    }
    expected = program | {name: value for name, value in other.items() if name != "partnerIds"}
    expected |= {
        "storeExamCodes": ["CLD-100", "NCA-GENL"],
        "costPerVoucher": 0.0,
        "tiers": [],
        "isAvailableToAllPartners": False,
        "partners": [{"id": partner["id"], "name": "Acme Corp"}],
        "emailDomains": ["acme.example.com", "example.com"],
        "version": 2,
    }
    assert status_and_body(await client.put(url, json=other, headers=if_match(1, tenant))) == (200, expected)
    assert (await change_resource(client, tenant, f"{url}/deactivate", 2))["status"] == "Inactive"
    assert (await change_resource(client, tenant, f"{url}/activate", 3))["status"] == "Active"
    archived = await change_resource(client, tenant, f"{url}/archive", 4)
    assert archived == expected | {"status": "Archived", "version": 5}
    final = problem(409, "wrong-state", "Wrong state", "The voucher program is Archived.", state="Archived")
    assert (await client.put(url, json={}, headers=if_match(4, tenant))).status_code == 412
    assert status_and_body(await client.put(url, json=other, headers=if_match(5, tenant))) == final
    assert status_and_body(await client.post(f"{url}/activate", headers=if_match(5, tenant))) == final
    log = audit_entries_of(superuser, tenant, "VoucherProgram")
    assert [entry[2] for entry in log] == ["Created", "Updated", "Deactivated", "Activated", "Archived"]
    assert (log[1][3]["tiers"][0], log[1][4]["partner_ids"]) == ({"quantity": 10, "percent": "5.00"}, [partner["id"]])


async def test_a_change_needs_the_version_that_was_read(client: httpx.AsyncClient, tenant: Tenant) -> None:
    program = await create_resource(client, tenant, PROGRAMS, PROGRAM)
    url = f"{PROGRAMS}/{program['id']}"
    # The partners of the representation are `partnerIds` in a request, and must not get lost.
    refused = await client.put(url, json=program, headers=if_match(1, tenant))
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/partners"]
    body = {name: value for name, value in program.items() if name != "partners"}
    assert (await client.put(url, json=body, headers=tenant.bearer)).status_code == 428
    assert (await client.put(url, json=body, headers=if_match(2, tenant))).status_code == 412
    assert (await client.put(url, json=body, headers=if_match(1, tenant))).status_code == 200
    assert (await client.post(f"{url}/deactivate", headers=if_match(1, tenant))).status_code == 412


async def test_everything_that_is_wrong_is_named_at_once(client: httpx.AsyncClient, tenant: Tenant) -> None:
    await create_resource(client, tenant, PROGRAMS, PROGRAM)
    bad = {
        "name": "PROFESSIONAL",
        "storeExamCodes": ["NCA-GENL", "NONE"],
        "costPerVoucher": -1,
        "tiers": [{"quantity": 50, "percent": 5}, {"quantity": 0, "percent": 5}, {"quantity": 60, "percent": 101}],
        "partnerIds": ["x"],
        "emailDomains": ["a@example.com", "*.example.com", "example.com"],
        "voucherCodePrefix": "pro",
        "expirationPeriodInDays": 0,
        "isActive": "yes",
    }
    expected = invalid(
        ("/name", "NameTaken", "name must be unique, and 'PROFESSIONAL' is taken."),
        ("/storeExamCodes/1", "StoreExamNotFound", "storeExamCodes/1 must be a known store exam: 'NONE'."),
        ("/costPerVoucher", "CostRange", "costPerVoucher must be between 0 and 9,999,999,999.99."),
        ("/tiers/1/quantity", "QuantityRange", "tiers/1/quantity must be between 1 and 1,000."),
        ("/tiers/2/percent", "PercentRange", "tiers/2/percent must be above 0 and at most 100."),
        (
            "/tiers/0/percent",
            "PercentNotRising",
            "tiers/0/percent must be larger than the 5 of the smaller quantity 0.",
        ),
        ("/partnerIds/0", "NotUuid", "partnerIds/0 must be a UUID."),
        (
            "/emailDomains/0",
            "InvalidEmailDomain",
            "emailDomains/0 must be a domain such as example.com, without '@' or '*'.",
        ),
        (
            "/emailDomains/1",
            "InvalidEmailDomain",
            "emailDomains/1 must be a domain such as example.com, without '@' or '*'.",
        ),
        (
            "/voucherCodePrefix",
            "InvalidPrefix",
            "voucherCodePrefix must have at most 20 characters of A-Z, 0-9 and '-'.",
        ),
        ("/expirationPeriodInDays", "ExpiryRange", "expirationPeriodInDays must be between 1 and 36,500."),
        ("/isActive", "NotBoolean", "isActive must be true or false."),
    )
    assert status_and_body(await client.post(PROGRAMS, json=bad, headers=tenant.bearer)) == expected
    finer = {"costPerVoucher": 1.005, "emailDomains": [f"a{number}.example.com" for number in range(1001)]}
    assert status_and_body(
        await client.post(PROGRAMS, json=PROGRAM | {"name": "Other"} | finer, headers=tenant.bearer)
    ) == invalid(
        ("/costPerVoucher", "CostPrecision", "costPerVoucher must have at most two decimals."),
        ("/emailDomains", "TooManyEmailDomains", "emailDomains must be at most 1,000."),
    )


@pytest.mark.parametrize(
    ("tiers", "errors"),
    [
        ([{"quantity": 10, "percent": 5}, {"quantity": 20, "percent": 5}], ["/tiers/1/percent PercentNotRising"]),
        ([{"quantity": 20, "percent": 5}, {"quantity": 10, "percent": 6}], ["/tiers/0/percent PercentNotRising"]),
        ([{"quantity": 10, "percent": 5}, {"quantity": 10, "percent": 6}], ["/tiers/1/quantity QuantityRepeated"]),
        ([{"quantity": 10, "percent": 1.005}], ["/tiers/0/percent PercentPrecision"]),
        ([{"quantity": 10}, 7], ["/tiers/0/percent Required", "/tiers/1 NotObject"]),
        ([{"quantity": 1001, "percent": 0}], ["/tiers/0/quantity QuantityRange", "/tiers/0/percent PercentRange"]),
        ({}, ["/tiers NotList"]),
        ([{"quantity": n, "percent": 1} for n in range(101)], ["/tiers TooManyTiers"]),
    ],
)
async def test_a_larger_quantity_has_a_larger_percent_always(
    client: httpx.AsyncClient, tenant: Tenant, tiers: Any, errors: list[str]
) -> None:
    answer = await client.post(PROGRAMS, json=PROGRAM | {"tiers": tiers}, headers=tenant.bearer)
    assert (answer.status_code, [f"{e['pointer']} {e['code']}" for e in answer.json()["errors"]]) == (400, errors)


async def test_programs_are_found_by_name_and_status(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for number in range(3):
        await create_resource(client, tenant, PROGRAMS, PROGRAM | {"name": f"Spring {number}", "isActive": number > 0})
    url: str | None = f"{PROGRAMS}?name=spring&status=Active&limit=1"
    names = []
    while url:
        part = (await client.get(url, headers=tenant.bearer)).json()
        names += [program["name"] for program in part["data"]]
        url = part["nextLink"]
    assert names == ["Spring 1", "Spring 2"]
