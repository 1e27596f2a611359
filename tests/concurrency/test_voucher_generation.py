"""Voucher generation: the bought quantity exactly, with unique codes, in one transaction."""

import asyncio
import re
from collections import Counter
from datetime import timedelta
from itertools import chain, count, islice
from uuid import UUID

import psycopg
import pytest
from tests.conftest import NOW
from tests.support.dying import worker_process
from tests.support.factories import Tenant
from tests.support.purchasing import NOTHING_YET, PREFIX, buy, complete, open_market, purchase_jobs, purchase_state
from tests.support.waiting import until

from tessera.api.serving.resources import Resources
from tessera.provision import Addresses
from tessera.vouchers import codes
from tessera.vouchers.purchases import service as purchases


async def issue(resources: Resources, tenant: Tenant, purchase_id: UUID) -> int:
    """Generate the vouchers in one transaction, as a worker does."""
    async with resources.database.unit_of_work(tenant.id) as work:
        # Parts of a second are no part of an expiry.
        return await purchases.issue(work, purchase_id=purchase_id, now=NOW.replace(microsecond=999_999))


def codes_of(superuser: psycopg.Connection, purchase_id: UUID) -> list[str]:
    """The codes of a purchase's vouchers."""
    return [row[0] for row in superuser.execute("select code from vouchers where purchase_id = %s", [purchase_id])]


async def test_of_many_that_make_the_vouchers_of_one_purchase_at_once_one_makes_them_all(
    resources: Resources, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    await open_market(resources, tenant)
    purchase_id = await buy(resources, tenant)
    result = await asyncio.gather(*(issue(resources, tenant, purchase_id) for _ in range(8)))
    assert Counter(result) == {20: 1, 0: 7}
    assert purchase_state(superuser, purchase_id) == complete(20)


async def test_two_workers_with_two_jobs_for_each_purchase_make_its_vouchers_once(
    resources: Resources, tenant: Tenant, addresses: Addresses, superuser: psycopg.Connection
) -> None:
    await open_market(resources, tenant)
    purchase_ids = [await buy(resources, tenant, quantity=100) for _ in range(20)]
    async with resources.database.unit_of_work(tenant.id) as work:
        for each in purchase_ids:
            await purchases.queue(work, each)
    with worker_process(addresses.application), worker_process(addresses.application):
        await until(
            "all jobs succeed",
            lambda: {job[0] for each in purchase_ids for job in purchase_jobs(superuser, each)} == {"succeeded"},
        )
    assert {purchase_state(superuser, each) for each in purchase_ids} == {complete(100)}


async def test_a_part_of_the_vouchers_is_never_visible(
    resources: Resources, tenant: Tenant, addresses: Addresses, superuser: psycopg.Connection
) -> None:
    await open_market(resources, tenant)
    with worker_process(addresses.application):
        purchase_ids = [await buy(resources, tenant, quantity=1000) for _ in range(10)]
        seen = {purchase_state(superuser, each) for each in purchase_ids}
        async with asyncio.timeout(90):
            while any(purchase_state(superuser, each) != complete(1000) for each in purchase_ids):
                seen |= {purchase_state(superuser, each) for each in purchase_ids}
                await asyncio.sleep(0)
    # Where a look takes long, as on Citus, all may be complete at the first one.
    assert seen <= {NOTHING_YET, complete(1000)}


@pytest.mark.parametrize("taken", [0, 1, 19], ids="{} codes of other purchases".format)
async def test_codes_that_collide_are_drawn_again(
    monkeypatch: pytest.MonkeyPatch, resources: Resources, tenant: Tenant, superuser: psycopg.Connection, taken: int
) -> None:
    await open_market(resources, tenant)
    before = await buy(resources, tenant)
    await issue(resources, tenant, before)
    known = [code.removeprefix(PREFIX) for code in codes_of(superuser, before)][:taken]
    purchase_id = await buy(resources, tenant)
    drawn = chain(known, ["SAME00"] * (20 - taken), ["SAME00", *known], (f"NEW{number:03}" for number in count(1)))
    monkeypatch.setattr(codes, "random_texts", lambda wanted, *, length: list(islice(drawn, wanted)))
    assert await issue(resources, tenant, purchase_id) == 20
    assert purchase_state(superuser, purchase_id) == complete(20)
    assert purchase_state(superuser, before) == complete(20)


async def test_codes_are_the_prefix_and_ten_unambiguous_characters(
    resources: Resources, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    await open_market(resources, tenant)
    purchase_id = await buy(resources, tenant, quantity=1000)
    await issue(resources, tenant, purchase_id)
    assert all(re.fullmatch(r"ACME-[0-9A-HJKMNP-TV-Z]{10}", code) for code in codes_of(superuser, purchase_id))
    shown = superuser.execute(
        "select distinct expires_at from vouchers where purchase_id = %s", [purchase_id]
    ).fetchall()
    assert shown == [(NOW + timedelta(days=365),)]


@pytest.mark.parametrize(
    ("issued", "length"),
    # 32 letters: 32**10 / 1,000,000,000 is 1,125,899.9.
    [(1_125_879, 10), (1_125_880, 11)],
)
async def test_codes_grow_once_a_blind_guess_would_hit_with_a_chance_above_one_in_a_billion(
    resources: Resources, tenant: Tenant, superuser: psycopg.Connection, issued: int, length: int
) -> None:
    await open_market(resources, tenant)
    superuser.execute("insert into voucher_code_spaces values (%s, %s, %s)", [tenant.id, PREFIX, issued])
    purchase_id = await buy(resources, tenant)
    await issue(resources, tenant, purchase_id)
    assert {len(code) - len(PREFIX) for code in codes_of(superuser, purchase_id)} == {length}
    assert purchase_state(superuser, purchase_id) == complete(20)


async def test_no_code_looks_like_a_number_or_a_date(
    monkeypatch: pytest.MonkeyPatch, resources: Resources, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    await open_market(resources, tenant)
    superuser.execute("update voucher_programs set voucher_code_prefix = '7' where organization_id = %s", [tenant.id])
    purchase_id = await buy(resources, tenant)
    drawn = chain(["076478", "6976E7", "MAR31"] * 6, (f"A{number:03}" for number in count(1)))
    monkeypatch.setattr(codes, "random_texts", lambda wanted, *, length: list(islice(drawn, wanted)))
    assert await issue(resources, tenant, purchase_id) == 20
    assert codes_of(superuser, purchase_id) == [f"7A{number:03}" for number in range(1, 21)]


async def test_codes_grow_in_time_for_those_that_are_made_at_once(
    resources: Resources, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    await open_market(resources, tenant)
    superuser.execute("insert into voucher_code_spaces values (%s, %s, 1125820)", [tenant.id, PREFIX])
    purchase_ids = [await buy(resources, tenant) for _ in range(8)]
    await asyncio.gather(*(issue(resources, tenant, each) for each in purchase_ids))
    lengths = [{len(code) - len(PREFIX) for code in codes_of(superuser, each)} for each in purchase_ids]
    # Three of them reach 1,125,880; the fourth one would reach 1,125,900.
    assert (lengths.count({10}), lengths.count({11})) == (3, 5)
    assert {purchase_state(superuser, each) for each in purchase_ids} == {complete(20)}
    assert superuser.execute(
        "select issued from voucher_code_spaces where organization_id = %s", [tenant.id]
    ).fetchall() == [(1_125_980,)]
