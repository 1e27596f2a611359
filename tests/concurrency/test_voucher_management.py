"""Concurrent changes by managers: the database decides, and no response is a 500."""

import asyncio

import httpx
import psycopg
from tests.support.factories import Tenant
from tests.support.management_requests import if_match
from tests.support.purchasing import purchase_jobs
from tests.support.voucher_factories import (
    add_partner,
    add_program,
    add_purchase,
    add_vouchers,
    fill_vouchers,
    voucher,
)
from tests.support.voucher_management import PROGRAM, PROGRAMS, PURCHASES, VOUCHERS, create_purchase, create_resource
from tests.support.waiting import until_blocked

from tessera.api.serving.resources import Resources


async def test_of_many_who_end_a_checkout_one_does(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    purchase = await create_purchase(client, tenant)
    url = f"{PURCHASES}/{purchase['id']}"
    moves = ["pay", "cancel", "fail", "pay"] * 3
    answers = await asyncio.gather(*(client.post(f"{url}/{move}", headers=if_match("*", tenant)) for move in moves))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 11
    (winner,) = [answer.json() for answer in answers if answer.status_code == 200]
    states = {answer.json()["state"] for answer in answers if answer.status_code == 409}
    assert states == {winner["status"]}
    paid = winner["status"] == "VoucherCreation"
    assert len(purchase_jobs(superuser, purchase["id"])) == int(paid)


async def test_of_many_programs_that_take_one_name_one_has_it(client: httpx.AsyncClient, tenant: Tenant) -> None:
    programs = [
        await create_resource(client, tenant, PROGRAMS, PROGRAM | {"name": f"P{number}"}) for number in range(6)
    ]
    body = {name: value for name, value in PROGRAM.items() if name != "isActive"} | {"name": "Wanted"}
    answers = await asyncio.gather(
        *(client.put(f"{PROGRAMS}/{program['id']}", json=body, headers=if_match(1, tenant)) for program in programs)
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 5
    errors = [answer.json()["errors"] for answer in answers if answer.status_code == 400]
    detail = "name must be unique, and 'Wanted' is taken."
    assert errors == [[{"pointer": "/name", "code": "NameTaken", "detail": detail}]] * 5


async def test_many_who_change_the_same_vouchers_take_turns(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    partner, program = await add_partner(resources, tenant, "Acme"), await add_program(resources, tenant, "Spring")
    purchase = await add_purchase(resources, tenant, partner, program, "VP-1")
    fill_vouchers(superuser, tenant, 100, partner_id=partner, purchase_id=purchase)
    named = [{"code": f"V{number}"} for number in range(1, 101)]
    answers = await asyncio.gather(
        *(
            client.post(
                f"{VOUCHERS}/bulk",
                json={"action": "SwitchOff", "vouchers": named[::direction]},
                headers=tenant.bearer,
            )
            for direction in (1, -1) * 4
        )
    )
    assert [(answer.status_code, answer.json()["done"]) for answer in answers] == [(200, 100)] * 8
    result = superuser.execute("select distinct version from vouchers where organization_id = %s", [tenant.id])
    assert result.fetchall() == [(9,)]


async def test_vouchers_of_several_purchases_are_locked_in_the_order_of_bulk_actions(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    partner, program = await add_partner(resources, tenant, "Acme"), await add_program(resources, tenant, "Spring")
    first, second = [await add_purchase(resources, tenant, partner, program, code) for code in ("VP-1", "VP-2")]
    # The older purchase has the newer voucher.
    await add_vouchers(resources, tenant, voucher(second, partner, "OLDER"), voucher(first, partner, "NEWER"))
    body = {"action": "SwitchOn", "vouchers": [{"code": "OLDER"}, {"code": "NEWER"}]}
    people = {"recipientEmails": ["ada@example.com"], "furtherPurchaseIds": [str(second)]}
    with superuser.transaction():
        superuser.execute("select from vouchers where organization_id = %s and code = 'OLDER' for update", [tenant.id])
        bulk = asyncio.create_task(client.post(f"{VOUCHERS}/bulk", json=body, headers=tenant.bearer))
        await until_blocked(superuser)
        url = f"{PURCHASES}/{first}/assignments"
        assignment = asyncio.create_task(client.post(url, json=people, headers=tenant.bearer))
        await until_blocked(superuser, count=2)
    assert [(await answer).status_code for answer in (bulk, assignment)] == [200, 200]
