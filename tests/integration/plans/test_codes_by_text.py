"""Codes from outside are found one by one in an index, however many vouchers an organization has."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from tests.conftest import NOW
from tests.support.factories import Tenant, create_tenant
from tests.support.plans import (
    MODES,
    blocks_for,
    buffers_read,
    explain,
    plan_nodes,
    rows_read,
    rows_touched,
    vacuum,
    with_replaced_rows,
)
from tests.support.recording import record_statements
from tests.support.voucher_factories import add_partner, add_program

from tessera.api.serving.resources import Resources
from tessera.codes.rules import Use
from tessera.idempotency.repository import CallersKey, IdempotencyRepository
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.identifiers import new_id
from tessera.promo_codes.repository import PromoCodeRepository
from tessera.promo_codes.rules import Status
from tessera.promo_codes.service import NewPromoCode
from tessera.promo_codes.texts.repository import TextRepository
from tessera.provision import Addresses
from tessera.vouchers.issued.actions.repository import VoucherActionRepository
from tessera.vouchers.issued.uses.repository import VoucherUseRepository
from tessera.vouchers.totals.repository import VoucherTotalsRepository

VOUCHERS = 100_000
PURCHASES = 100
FILL = """
with purchases as (
    insert into voucher_purchases (organization_id, id, partner_id, program_id, code, status, quantity, quantity_used,
        amount_paid, notes, is_archived, purchased_by_first_name, purchased_by_last_name, purchased_by_email,
        purchased_at, amount, version)
    select %(tenant)s, md5(%(tenant)s::text || n)::uuid, %(partner)s, %(program)s, 'VP-' || n, 'Complete', 1000, 0, 0,
           '', false, '', '', '', %(now)s, 0, 1
    from generate_series(0, %(purchases)s - 1) n
), keys as (
    insert into idempotency_keys (organization_id, caller_id, key, request_digest, status, body, created_at)
    select %(tenant)s, %(tenant)s, 'K' || n, '', 200, '', %(now)s from generate_series(1, %(vouchers)s) n
), added as (
    insert into vouchers (
        organization_id, id, purchase_id, partner_id, code, is_active, expires_at, is_archived, version
    )
    select %(tenant)s, gen_random_uuid(), md5(%(tenant)s::text || n %% %(purchases)s)::uuid, %(partner)s, 'V' || n,
           true, %(now)s + interval '1 year', false, 1
    from generate_series(1, %(vouchers)s) n
    returning id, code
)
insert into record_metadata (organization_id, kind, record_id, key, value)
select %(tenant)s, 'Voucher', id, 'channel', case when code like 'V%%77' then 'few' else 'many' end from added
"""
TABLES = ("vouchers", "record_metadata", "voucher_purchases", "voucher_programs", "idempotency_keys")
Look = Callable[[UnitOfWork, list[str]], Awaitable[Any]]


@pytest.fixture(scope="module")
async def big(resources: Resources, addresses: Addresses) -> Tenant:
    """An organization with 100,000 vouchers in 100 purchases, and as many stored responses."""
    tenant = await create_tenant(resources, now=NOW)
    values = {
        "tenant": tenant.id,
        "partner": await add_partner(resources, tenant, "Acme"),
        "program": await add_program(resources, tenant, "Spring"),
        "now": NOW,
        "vouchers": VOUCHERS,
        "purchases": PURCHASES,
    }
    with psycopg.connect(addresses.owner.replace("+psycopg", ""), autocommit=True) as superuser:
        superuser.execute("set session_replication_role = replica")  # no foreign keys to check, row by row
        superuser.execute(FILL, values)
        vacuum(superuser, *TABLES)
    return tenant


@pytest.fixture(scope="module")
def application(addresses: Addresses) -> Iterator[psycopg.Connection[Any]]:
    url = addresses.application.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True, options="-c role=tessera_app", prepare_threshold=None) as connection:
        yield connection


async def find(work: UnitOfWork, codes: list[str]) -> None:
    use = Use(UUID(int=1), None, True, None)  # noqa: FBT003 - a use by a candidate
    await VoucherUseRepository(work).find_for_storefront([(code, use) for code in codes])


async def lock(work: UnitOfWork, codes: list[str]) -> None:
    await VoucherUseRepository(work).lock_by_code(codes)


async def change(work: UnitOfWork, codes: list[str]) -> None:
    repository = VoucherActionRepository(work)
    states = await repository.lock(list((await repository.find_ids(codes)).values()) or [UUID(int=1)])
    await repository.change_all(list(states.values()))


async def change_uses(work: UnitOfWork, codes: list[str]) -> None:
    ids = list((await VoucherActionRepository(work).find_ids(codes)).values())
    uses = VoucherUseRepository(work)
    await uses.lock_by_id(ids)
    await uses.update_reservation(ids, code="none", new_code="none", status="Created")
    await VoucherTotalsRepository(work).find(ids)


async def find_names(work: UnitOfWork, codes: list[str]) -> None:
    await PromoCodeRepository(work).find_used_names(codes)


async def find_clashes(work: UnitOfWork, codes: list[str]) -> None:
    await TextRepository(work).find_clashes(codes)


async def add_codes(work: UnitOfWork, codes: list[str]) -> None:
    new_codes = [NewPromoCode(id=new_id(), name=code, status=Status.ACTIVE, discount_percent=10) for code in codes]
    await PromoCodeRepository(work).add(new_codes, now=NOW)


async def find_responses(work: UnitOfWork, codes: list[str]) -> None:
    keys = [CallersKey(work.organization_id, f"K{code[1:]}") for code in codes]
    await IdempotencyRepository(work).find(keys, since=datetime(2020, 1, 1, tzinfo=UTC) - timedelta(days=1))


@pytest.mark.parametrize("known", ["known", "unknown"])
@pytest.mark.parametrize("count", [1, 2, 50, 1_000])
@pytest.mark.parametrize(
    "look_up",
    [
        (find, 4),
        (lock, 1),
        (change, 2),
        (change_uses, 1),
        (find_responses, 2),
        (find_names, 1),
        (find_clashes, 1),
        (add_codes, 4),
    ],
)
async def test_a_look_up_of_codes_reads_their_own_rows(
    resources: Resources,
    application: psycopg.Connection[Any],
    big: Tenant,
    look_up: tuple[Look, int],
    count: int,
    known: str,
) -> None:
    look, tables = look_up
    prefix = "V" if known == "known" else "X"
    with record_statements(resources.database) as sent:
        async with resources.database.unit_of_work(big.id) as work:
            await look(work, [f"{prefix}{number * 7 + 1}" for number in range(count)])
    begin, *statements = sent
    for statement in statements:
        for mode in MODES:
            touched = rows_touched(application, begin, statement, mode=mode)
            assert (mode, touched) <= (mode, with_replaced_rows(tables * count)), statement.text


# For each query: the vouchers on its first page, and the rows that it may read, which are each voucher with its
# purchase and, where an index has another order, all matches.
PAGE = 5 * 101


@pytest.mark.parametrize(
    "case",
    [
        ("search=v", 100, PAGE),
        ("search=V9999", 11, 40),
        ("order=newest", 100, PAGE),
        ("order=newest&isUsed=false", 100, 4 * PAGE),
        ("order=newest&partnerId={partner}", 100, 4 * PAGE),
        ("search=V77&order=newest", 100, 2 * 1_111 + PAGE),
        ("search=V77&isUsed=true", 0, 2 * 1_111 + PAGE),
        ("order=newest&storeExamCode=NCA-GENL", 0, PAGE),
        ("metadata=channel=few", 100, PAGE),
        ("metadata=channel=many&order=newest", 100, PAGE),
        ("metadata=channel=many&isUsed=false&partnerId={partner}", 100, PAGE),
        ("metadata=channel=none", 0, 0),
        ("metadata=channel=few&search=V77", 13, 3 * 1_111 + PAGE),
    ],
)
async def test_a_list_of_vouchers_in_another_order_reads_little_more_than_it_shows(
    client: httpx.AsyncClient,
    resources: Resources,
    application: psycopg.Connection[Any],
    big: Tenant,
    case: tuple[str, int, int],
) -> None:
    query, result, bound = case
    partners = (await client.get("/management/v1/voucher-partners", headers=big.bearer)).json()["data"]
    link: str | None = f"/management/v1/vouchers?reveal=false&{query.format(partner=partners[0]['id'])}"
    for _ in range(2):
        with record_statements(resources.database) as sent:
            answer = await client.get(str(link), headers=big.bearer)
        assert len(answer.json()["data"]) == result
        for mode in MODES:
            plan = explain(application, sent[1], sent[-1], mode=mode)
            assert [part for part in plan_nodes(plan) if "Seq Scan" in part["Node Type"]] == []
            assert (mode, rows_read(plan)) <= (mode, bound)
            assert (mode, buffers_read(plan)) <= (mode, blocks_for(bound))
        link = answer.json()["nextLink"]
        if link is None:
            return
