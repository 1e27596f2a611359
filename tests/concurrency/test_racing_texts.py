"""A promo code and a voucher that are added at the same time do not get the same text: one of them is refused."""

import asyncio
from collections.abc import Callable
from io import BytesIO

import httpx
import psycopg
import pytest
from tests.conftest import NOW
from tests.support.factories import Tenant
from tests.support.management_requests import ROOT
from tests.support.promo_code_requests import create
from tests.support.responses import status_and_body, validation_failed
from tests.support.voucher_factories import add_partner, add_program, add_purchase
from tests.support.waiting import until_blocked

from tessera.api.serving.resources import Resources
from tessera.kit.imports.refusals import ImportRefused
from tessera.kit.imports.steps import Source
from tessera.promo_codes.batches import service as batches
from tessera.promo_codes.batches.rules import BatchDraft
from tessera.promo_codes.batches.rules import Pattern as BatchPattern
from tessera.promo_codes.imports import service as promo_code_imports
from tessera.promo_codes.rules import PromoCodeDraft
from tessera.voucher_imports import service as voucher_imports
from tessera.vouchers.purchases.checkout.rules import Order


@pytest.fixture
async def order(resources: Resources, tenant: Tenant) -> Order:
    partner, program = await add_partner(resources, tenant, "Acme"), await add_program(resources, tenant, "Open")
    return Order(partner_id=partner, program_id=program)


async def import_vouchers(
    resources: Resources, tenant: Tenant, order: Order, *, meanwhile: Callable[[], None], barrier: asyncio.Barrier
) -> object:
    """Import SPRING25 and FREE1, run `meanwhile` after they are added, and wait at the barrier before the commit."""
    source = Source(BytesIO(b"code\nFREE1\nspring25\n"), "", on_progress=lambda _: meanwhile())
    try:
        async with resources.database.unit_of_work(tenant.id) as work:
            imported = await voucher_imports.import_file(work, source, order, dry_run=False, now=NOW)
            for _ in range(2):
                await barrier.wait()
            return imported.vouchers
    except ImportRefused as refusal:
        return refused(refusal)


def refused(refusal: ImportRefused) -> list[tuple[int, str, str]]:
    return [(line.number, each.code, each.message) for line in refusal.lines for each in line.violations]


async def make_codes_of_batch(resources: Resources, tenant: Tenant) -> int:
    pattern = BatchPattern(prefix="SPRING", length=8, alphabet="ABCDEFGH")
    async with resources.database.unit_of_work(tenant.id) as work:
        draft = BatchDraft(codes=PromoCodeDraft(discount_percent=5), pattern=pattern, quantity=10)
        batch = await batches.create(work, draft=draft, now=NOW)
        return (await batches.create_next_codes(work, batch.id, now=NOW)).made


async def test_a_promo_code_waits_for_an_import_of_vouchers_that_is_about_to_commit(
    client: httpx.AsyncClient, resources: Resources, superuser: psycopg.Connection, tenant: Tenant, order: Order
) -> None:
    barrier = asyncio.Barrier(2)
    importing = asyncio.create_task(import_vouchers(resources, tenant, order, meanwhile=lambda: None, barrier=barrier))
    await barrier.wait()
    making = asyncio.create_task(make_codes_of_batch(resources, tenant))
    await until_blocked(superuser, lock_type="advisory")
    body = {"name": "Spring25", "discountPercent": 5}
    creating = [
        asyncio.create_task(create(client, tenant)),
        asyncio.create_task(client.post(f"{ROOT}/promo-codes", json=body, headers=tenant.bearer)),
    ]
    await until_blocked(superuser, lock_type="advisory", count=2)
    await barrier.wait()
    assert (await importing, await making) == (2, 10)
    documented, managed = await asyncio.gather(*creating)
    words = "promoCodeName must be unique, and 'SPRING25' is taken."
    assert status_and_body(documented) == validation_failed(words)
    assert (managed.status_code, [each["code"] for each in managed.json()["errors"]]) == (400, ["NameTaken"])


async def test_an_import_of_vouchers_is_refused_for_a_promo_code_that_was_created_meanwhile(
    resources: Resources, superuser: psycopg.Connection, tenant: Tenant, order: Order
) -> None:
    def create_promo_code() -> None:
        superuser.execute(
            "insert into promo_codes (organization_id, id, name, status, discount_percent, redemption_count,"
            " held_count, restrict_to_email_addresses, has_store_exams, has_product_bundles, created_at, version)"
            " values (%s, gen_random_uuid(), 'Spring25', 'Active', 10, 0, 0, false, false, false, now(), 1)",
            [tenant.id],
        )

    result = await import_vouchers(resources, tenant, order, meanwhile=create_promo_code, barrier=asyncio.Barrier(1))
    assert result == [(3, "CodeTaken", "must be unique, and 'SPRING25' is taken")]


async def test_an_import_of_promo_codes_is_refused_for_a_voucher_that_was_imported_meanwhile(
    resources: Resources, superuser: psycopg.Connection, tenant: Tenant, order: Order
) -> None:
    assert order.partner_id is not None
    assert order.program_id is not None
    purchase = await add_purchase(resources, tenant, order.partner_id, order.program_id, "VP-1")

    def add_voucher() -> None:
        superuser.execute(
            "insert into vouchers (organization_id, id, purchase_id, partner_id, code, is_active, expires_at,"
            " is_archived, version) values (%s, gen_random_uuid(), %s, %s, 'SPRING25', true, now(), false, 1)",
            [tenant.id, purchase, order.partner_id],
        )

    source = Source(BytesIO(b"name,discountPercent\nFree1,5\nSpring25,5\n"), "", on_progress=lambda _: add_voucher())
    with pytest.raises(ImportRefused) as refusal:
        async with resources.database.unit_of_work(tenant.id) as work:
            await promo_code_imports.import_file(work, source, dry_run=False, now=NOW)
    assert refused(refusal.value) == [(3, "NameTaken", "must be unique, and 'Spring25' is taken")]
