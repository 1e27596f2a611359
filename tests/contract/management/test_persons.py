"""The export of a person: all of their records, and nobody else's."""

from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest
from tests.conftest import NOW
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.management_requests import ROOT, if_match, problem
from tests.support.redemption_requests import candidate, copy_redemption, create_redemption
from tests.support.responses import status_and_body
from tests.support.voucher_factories import (
    add_partner,
    add_program,
    add_purchase,
    add_user,
    add_vouchers,
    fill_vouchers,
    usage,
    voucher,
)

from tessera.api.serving.resources import Resources

PERSON, EMAIL = "P-4711", "Lin.Meitner@Example.com"
LIN = candidate(PERSON, firstName="Lin", lastName="Meitner", email=EMAIL)
GRACE = candidate("P-47111", email="grace@example.com")
UNKNOWN = problem(404, "not-found", "Not found", "There is no such person.")


async def export(client: httpx.AsyncClient, tenant: Tenant, person: str) -> httpx.Response:
    return await client.get(f"{ROOT}/persons/{quote(person, safe='')}/export", headers=tenant.bearer)


@pytest.fixture
async def shop(resources: Resources, tenant: Tenant, client: httpx.AsyncClient) -> dict[str, Any]:
    """A partner, and a purchase of vouchers, of which the person has used one and is assigned another."""
    partner, program = await add_partner(resources, tenant, "Acme"), await add_program(resources, tenant, "Open")
    purchase = await add_purchase(resources, tenant, partner, program, "VP-1", purchased_by_email=EMAIL.lower())
    assigned = {"recipient_email": EMAIL, "assigned_at": NOW}
    used = voucher(purchase, partner, "USED", **usage(tenant.exam_ids["NCA-GENL"], "RSV-0"))
    await add_vouchers(resources, tenant, used, voucher(purchase, partner, "OURS", **assigned))
    await add_vouchers(resources, tenant, voucher(purchase, partner, "SPARE"))
    restriction = {"restrict_to_email_addresses": True, "email_addresses": (EMAIL, GRACE["email"])}
    await add_promo_codes(resources, tenant, percent_code(tenant, "LISTED", **restriction), now=NOW)
    redemption = await create_redemption(client, tenant, "LISTED", "RSV-1", candidate=LIN)
    metadata = {"metadata": {"order_id": "4711"}}
    url = f"{ROOT}/redemptions/{redemption['id']}/metadata"
    assert (await client.put(url, json=metadata, headers=if_match("*", tenant))).is_success
    await create_redemption(client, tenant, "LISTED", "RSV-2", candidate=GRACE)
    await add_user(resources, tenant, EMAIL)
    return {"partner_id": partner, "purchase_id": purchase}


@pytest.mark.usefixtures("shop")
async def test_all_records_about_a_person_are_exported(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await export(client, tenant, PERSON)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store"), answer.text
    records = answer.json()["records"]
    assert {table: len(rows) for table, rows in records.items()} == {
        "promoCodeEmailAddresses": 1,
        "redemptions": 1,
        "reservations": 1,
        "users": 1,
        "voucherPurchases": 1,
        "vouchers": 2,
    }
    (redemption,) = records["redemptions"]
    assert {name: redemption[name] for name in LIN} == LIN
    assert (redemption["listPrice"], redemption["metadata"]) == (100, {"order_id": "4711"})
    assert (records["reservations"][0]["code"], records["users"][0]["email"]) == ("RSV-1", EMAIL)
    assert [each["code"] for each in records["vouchers"]] == ["****", "****"]
    assert GRACE["email"] not in answer.text
    assert (await export(client, tenant, EMAIL.upper())).json() == answer.json()


@pytest.mark.usefixtures("shop")
async def test_the_audit_log_has_an_export_without_the_person(client: httpx.AsyncClient, tenant: Tenant) -> None:
    assert (await export(client, tenant, PERSON)).status_code == 200
    entries = (await client.get(f"{ROOT}/audit-entries?limit=1", headers=tenant.bearer)).json()["data"]
    entry = entries[0]
    assert (entry["action"], entry["kind"], entry["before"]) == ("Exported", "Person", None)
    assert (entry["after"]["redemptions"], entry["after"]["vouchers"]) == (1, 2)
    assert not any(text in str(entry).lower() for text in (PERSON.lower(), "meitner"))


@pytest.mark.usefixtures("shop")
async def test_an_address_of_several_candidates_is_nobodys(client: httpx.AsyncClient, tenant: Tenant) -> None:
    await create_redemption(client, tenant, "LISTED", "RSV-3", candidate=GRACE | {"email": EMAIL.upper()})
    words = "Several candidates have this address. Name each of them by their person id."
    assert status_and_body(await export(client, tenant, EMAIL)) == problem(409, "conflict", "Conflict", words)
    records = (await export(client, tenant, PERSON)).json()["records"]
    assert {table: len(rows) for table, rows in records.items()} == {"redemptions": 1, "reservations": 1, "vouchers": 1}


@pytest.mark.usefixtures("shop")
async def test_a_person_can_have_an_address_that_a_storefront_sends_for_all(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection[Any]
) -> None:
    copy_redemption(superuser, tenant, 1001, reservation="RSV-1", person_id="OTHER-{n}")
    records = (await export(client, tenant, PERSON)).json()["records"]
    assert {table: len(rows) for table, rows in records.items()} == {"redemptions": 1, "reservations": 1, "vouchers": 1}


@pytest.mark.usefixtures("shop")
async def test_an_address_of_a_candidate_of_another_organization_is_not_shared(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, other_tenant: Tenant
) -> None:
    alone = (await export(client, tenant, PERSON)).json()
    await add_promo_codes(resources, other_tenant, percent_code(other_tenant, "OPEN"), now=NOW)
    await create_redemption(client, other_tenant, "OPEN", "RSV-1", candidate=GRACE | {"email": EMAIL})
    assert (await export(client, tenant, PERSON)).json() == alone


async def test_a_candidate_is_found_by_an_address_with_capitals_outside_ascii(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    await add_promo_codes(resources, tenant, percent_code(tenant, "OPEN"), now=NOW)
    address = "Ödön@BÜCHER.example"
    await create_redemption(client, tenant, "OPEN", "RSV-4", candidate=candidate("P-4", email=address))
    assert (await export(client, tenant, address)).json()["records"].keys() == {"redemptions", "reservations"}


async def test_more_records_than_an_answer_has_are_refused(
    client: httpx.AsyncClient,
    resources: Resources,
    tenant: Tenant,
    shop: dict[str, Any],
    superuser: psycopg.Connection[Any],
) -> None:
    # Two vouchers are found already, one of them by the person id.
    fill_vouchers(superuser, tenant, 998, **shop, recipient_email=EMAIL, assigned_at=NOW)
    assert len((await export(client, tenant, EMAIL)).json()["records"]["vouchers"]) == 1000
    assigned = {"recipient_email": EMAIL, "assigned_at": NOW}
    await add_vouchers(resources, tenant, voucher(shop["purchase_id"], shop["partner_id"], "MORE", **assigned))
    words = "More than 1,000 records of one kind are about this person."
    assert status_and_body(await export(client, tenant, EMAIL)) == problem(409, "conflict", "Conflict", words)


@pytest.mark.parametrize("person", ["nobody", "nobody@example.com", "%", "x" * 5000, "\x7f", "\0", "ü@ü.example"])
async def test_an_unknown_person_is_not_found(client: httpx.AsyncClient, tenant: Tenant, person: str) -> None:
    assert status_and_body(await export(client, tenant, person)) == UNKNOWN
