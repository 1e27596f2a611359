"""Handing out the vouchers of a purchase to a list of people."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from tests.conftest import NOW
from tests.support.factories import Tenant
from tests.support.management_requests import (
    RIGHT_IS_MISSING,
    ROOT,
    audit_entries_of,
    headers_without_rights,
    invalid,
    not_found,
    problem,
)
from tests.support.responses import status_and_body
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_vouchers, usage, voucher

from tessera.api.serving.resources import Resources

NOBODY = UUID(int=7)


def url_of(purchase: object) -> str:
    return f"{ROOT}/voucher-purchases/{purchase}/assignments"


async def assign(
    client: httpx.AsyncClient, tenant: Tenant, purchase: object, *people: str, **more: bool
) -> httpx.Response:
    return await client.post(url_of(purchase), json={"recipientEmails": people, **more}, headers=tenant.bearer)


def codes(answer: httpx.Response) -> list[tuple[str, str, bool]]:
    assert answer.status_code == 200, answer.text
    return [(each["recipientEmail"], each["code"], each["isNew"]) for each in answer.json()["results"]]


@pytest.fixture
async def purchase(resources: Resources, tenant: Tenant, superuser: psycopg.Connection) -> UUID:
    """A purchase with three free vouchers, one of Ada, and others that cannot be handed out; and another purchase."""
    partner, program = await add_partner(resources, tenant, "Acme"), await add_program(resources, tenant, "Open")
    purchase = await add_purchase(resources, tenant, partner, program, "VP-1")
    other = await add_purchase(resources, tenant, partner, program, "VP-2")
    await add_vouchers(
        resources,
        tenant,
        voucher(other, partner, "OTHER"),
        voucher(purchase, partner, "OFF", is_active=False),
        voucher(purchase, partner, "LATE", expires_at=NOW),
        voucher(purchase, partner, "SPENT", **usage(tenant.exam_ids["NCA-GENL"], "RSV-1")),
        voucher(purchase, partner, "GONE", is_archived=True, recipient_email="bob@example.com", assigned_at=NOW),
        voucher(purchase, partner, "HELD"),
        voucher(purchase, partner, "ADA", recipient_email="ada@example.com", assigned_at=NOW),
        *(voucher(purchase, partner, f"FREE{number}") for number in range(3)),
    )
    superuser.execute(
        "update vouchers set held_by = id, held_until = %s where organization_id = %s and code = 'HELD'",
        [NOW + timedelta(minutes=1), tenant.id],
    )
    return purchase


async def test_each_person_gets_a_voucher_and_keeps_it(
    client: httpx.AsyncClient, tenant: Tenant, purchase: UUID, superuser: psycopg.Connection
) -> None:
    people = ("bob@example.com", "ADA@example.com", "Grace@example.com", "BOB@example.com")
    expected = [
        ("bob@example.com", "FREE0", True),
        ("ada@example.com", "ADA", False),
        ("Grace@example.com", "FREE1", True),
    ]
    dry = await assign(client, tenant, purchase, *people, dryRun=True)
    assert (codes(dry), dry.json()["isDryRun"]) == (expected, True)
    assert audit_entries_of(superuser, tenant, "Voucher") == []
    assert codes(await assign(client, tenant, purchase, *people)) == expected
    again = await assign(client, tenant, purchase, *people)
    assert codes(again) == [(email, code, False) for email, code, _ in expected]
    assert [entry[2] for entry in audit_entries_of(superuser, tenant, "Voucher")] == ["Assigned", "Assigned"]


async def test_everybody_gets_a_voucher_or_nobody(
    client: httpx.AsyncClient, tenant: Tenant, purchase: UUID, superuser: psycopg.Connection
) -> None:
    people = [f"p{number}@example.com" for number in range(4)]
    words = "recipientEmails has 4 people without a voucher, and 3 vouchers are left."
    expected = invalid(("/recipientEmails", "NotEnoughVouchers", words))
    assert status_and_body(await assign(client, tenant, purchase, *people)) == expected
    assert audit_entries_of(superuser, tenant, "Voucher") == []


async def test_every_bad_address_is_named(client: httpx.AsyncClient, tenant: Tenant, purchase: UUID) -> None:
    answer = await assign(client, tenant, purchase, "ada@example.com", "ada", "")
    words = "must be a valid e-mail address."
    assert status_and_body(answer) == invalid(
        *((f"/recipientEmails/{n}", "NotEmail", f"recipientEmails/{n} {words}") for n in (1, 2))
    )
    many = ["ada@example.com"] * 10_001
    for people in ([], many):
        answer = await assign(client, tenant, purchase, *people)
        words = "recipientEmails must be a list of 1 to 10,000 addresses."
        assert status_and_body(answer) == invalid(("/recipientEmails", "NumberOfPeople", words))


async def test_nobody_else_hands_them_out(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, purchase: UUID
) -> None:
    headers = await headers_without_rights(client, tenant)
    body: dict[str, Any] = {"recipientEmails": ["ada@example.com"]}
    expected = problem(403, "function-point-missing", "Permission missing", RIGHT_IS_MISSING)
    assert status_and_body(await client.post(url_of(purchase), json=body, headers=headers)) == expected
    for organization, id_ in ((other_tenant, purchase), (tenant, NOBODY)):
        answer = await assign(client, organization, id_, "ada@example.com")
        assert status_and_body(answer) == not_found("There is no such voucher purchase.")


async def test_of_two_lists_at_once_no_voucher_has_two_people(
    client: httpx.AsyncClient, tenant: Tenant, purchase: UUID
) -> None:
    answers = await asyncio.gather(
        *(assign(client, tenant, purchase, f"a{n}@example.com", f"b{n}@example.com") for n in range(2))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 400]
