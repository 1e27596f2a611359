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
from tests.support.recording import record_statements
from tests.support.responses import status_and_body
from tests.support.voucher_factories import (
    add_partner,
    add_program,
    add_purchase,
    add_user,
    add_vouchers,
    usage,
    voucher,
)

from tessera.api.serving.resources import Resources
from tessera.identity.rules import FunctionPoint
from tessera.vouchers.purchases import service as purchases

NOBODY = UUID(int=7)


def url_of(purchase: object) -> str:
    return f"{ROOT}/voucher-purchases/{purchase}/assignments"


async def assign(
    client: httpx.AsyncClient, tenant: Tenant, purchase: object, *people: str, **more: Any
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


async def test_further_purchases_follow_when_the_first_has_no_voucher_left(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, purchase: UUID, superuser: psycopg.Connection
) -> None:
    partner = await add_partner(resources, tenant, "Globex")
    program = await add_program(resources, tenant, "Theirs")
    further = [await add_purchase(resources, tenant, partner, program, f"VP-{number}") for number in (3, 4)]
    held = {"recipient_email": "eve@example.com", "assigned_at": NOW}
    await add_vouchers(
        resources,
        tenant,
        *(voucher(further[0], partner, code) for code in ("THIRD0", "THIRD1")),
        voucher(further[1], partner, "EVE", **held),
        voucher(further[1], partner, "FOURTH"),
    )
    people = [*(f"p{number}@example.com" for number in range(5)), "eve@example.com"]
    ids = [str(each) for each in reversed(further)]
    answer = await assign(client, tenant, purchase, *people, furtherPurchaseIds=[*ids, str(purchase)])
    expected = ["FREE0", "FREE1", "FREE2", "FOURTH", "THIRD0", "EVE"]
    assert [code for _, code, _ in codes(answer)] == expected
    again = await assign(client, tenant, purchase, *people, furtherPurchaseIds=ids)
    assert codes(again) == [(email, code, False) for email, code, _ in codes(answer)]
    ((filters,), _) = superuser.execute(
        "select after -> 'filters' from audit_entries where organization_id = %s and action = 'Revealed' order by id",
        [tenant.id],
    ).fetchall()
    assert filters == {"purchase_id": str(purchase), "further_purchase_ids": [*ids, str(purchase)]}


async def test_every_further_purchase_that_is_not_found_is_named(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, other_tenant: Tenant, purchase: UUID
) -> None:
    acme, open_ = await add_partner(resources, other_tenant, "Acme"), await add_program(resources, other_tenant, "Open")
    foreign = await add_purchase(resources, other_tenant, acme, open_, "VP-1")
    ids = [str(purchase), str(foreign), str(NOBODY)]
    answer = await assign(client, tenant, purchase, "ada", furtherPurchaseIds=ids)
    words = "must be the id of a purchase."
    assert status_and_body(answer) == invalid(
        ("/recipientEmails/0", "NotEmail", "recipientEmails/0 must be a valid e-mail address."),
        *((f"/furtherPurchaseIds/{n}", "NotFound", f"furtherPurchaseIds/{n} {words}") for n in (1, 2)),
    )
    answer = await assign(client, tenant, purchase, "ada", furtherPurchaseIds=[str(purchase)] * 51)
    assert status_and_body(answer) == invalid(
        ("/recipientEmails/0", "NotEmail", "recipientEmails/0 must be a valid e-mail address."),
        ("/furtherPurchaseIds", "NumberOfPurchases", "furtherPurchaseIds must be a list of at most 50 UUIDs."),
    )


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


@pytest.fixture
async def partners_user(resources: Resources, tenant: Tenant, purchase: UUID) -> dict[str, str]:
    """Headers of a user of the partner of the purchase, who may hand out its vouchers."""
    async with resources.database.unit_of_work(tenant.id) as work:
        partner_id = (await purchases.get(work, purchase, now=NOW)).partner_id
    right = (FunctionPoint.PARTNER_ASSIGN_VOUCHERS,)
    return await add_user(resources, tenant, "p@acme.example.com", partner_id=partner_id, function_points=right)


async def test_a_partners_user_hands_out_the_vouchers_of_its_partner_alone(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, purchase: UUID, partners_user: dict[str, str]
) -> None:
    body = {"recipientEmails": ["bob@example.com", "ada@example.com"]}
    answer = await client.post(url_of(purchase), json=body, headers=partners_user)
    assert codes(answer) == [("bob@example.com", "FREE0", True), ("ada@example.com", "ADA", False)]
    globex = await add_partner(resources, tenant, "Globex")
    theirs = await add_purchase(resources, tenant, globex, await add_program(resources, tenant, "Theirs"), "VP-3")
    await add_vouchers(resources, tenant, voucher(theirs, globex, "THEIRS"))
    refused = [
        await client.post(url_of(theirs), json=body, headers=partners_user),
        await client.get(url_of(theirs), headers=partners_user),
    ]
    for answer in refused:
        assert status_and_body(answer) == not_found("There is no such voucher purchase.")
    further = body | {"furtherPurchaseIds": [str(theirs)]}
    assert (await client.post(url_of(purchase), json=further, headers=partners_user)).status_code == 400
    # The right is for nothing else, and the right to buy is not enough.
    answer = await client.get(f"{ROOT}/vouchers", headers=partners_user)
    assert answer.status_code == 403
    buyer = await add_user(resources, tenant, "b@globex.example.com", partner_id=globex)
    assert (await client.post(url_of(theirs), json=body, headers=buyer)).status_code == 403


async def test_who_has_which_voucher_is_exported(
    client: httpx.AsyncClient, tenant: Tenant, purchase: UUID, partners_user: dict[str, str]
) -> None:
    await assign(client, tenant, purchase, "=bob@example.com")
    expected = [
        "recipientEmail,code,assignedAt,expiresAt,isActive,isArchived,usedAt",
        "bob@example.com,GONE,2026-06-15T12:00:00Z,2027-06-15T12:00:00Z,true,true,",
        "ada@example.com,ADA,2026-06-15T12:00:00Z,2027-06-15T12:00:00Z,true,false,",
        "'=bob@example.com,FREE0,2026-06-15T12:00:00Z,2027-06-15T12:00:00Z,true,false,",
    ]
    for headers in (tenant.bearer, partners_user):
        answer = await client.get(f"{url_of(purchase)}?reveal=true", headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
        assert answer.text.splitlines() == expected
    assert (await client.get(url_of(NOBODY), headers=tenant.bearer)).status_code == 404


async def test_the_statements_are_as_many_for_many_people_as_for_one(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, purchase: UUID
) -> None:
    async with resources.database.unit_of_work(tenant.id) as work:
        partner_id = (await purchases.get(work, purchase, now=NOW)).partner_id
    more = [voucher(purchase, partner_id, f"MORE{number:03}") for number in range(700)]
    await add_vouchers(resources, tenant, *more)
    counts = []
    for count in (1, 600):
        with record_statements(resources.database) as statements:
            answer = await assign(client, tenant, purchase, *(f"u{count}-{n}@example.com" for n in range(count)))
        assert answer.status_code == 200
        counts.append(len(statements))
    # Two for the caller and the transaction, and more on Citus; the purchase, the lock, the change, and the audit log.
    assert counts[0] == counts[1]
    assert counts[0] <= 13
