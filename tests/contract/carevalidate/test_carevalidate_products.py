"""GET /api/v1/promo-codes: the code that applies to a product bundle, and global codes.

The tenants' bundle contains NCA-GENL and NCP-ADS, but not CLD-100.
"""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from tests.conftest import NOW
from tests.support.carevalidate_requests import FIFTEEN_PERCENT, NOT_FOUND, TEN_PERCENT, UNUSABLE, validate
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.redemption_requests import create_redemption
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_vouchers, voucher

from tessera.api.serving.resources import Resources
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.identifiers import new_id
from tessera.promo_codes.rules import Status


@pytest.fixture
def add_global(superuser: psycopg.Connection) -> Iterator[Callable[..., None]]:
    """Adds a global promo code of 15 percent without exams or bundles. All global codes are deleted after the test."""
    superuser.execute(
        "insert into organizations (id, name, is_active, created_at, version) values (%s, 'Platform', true, now(), 1)"
        " on conflict do nothing",
        [PLATFORM_ID],
    )
    added: list[UUID] = []

    def add(name: str, *, store_exam: str | None = None, status: str = "Active") -> None:
        added.append(new_id())
        superuser.execute(
            "insert into promo_codes (organization_id, id, name, status, discount_percent,"
            " redemption_count, held_count, restrict_to_email_addresses, has_store_exams, has_product_bundles,"
            " created_at, version)"
            " values (%s, %s, %s, %s, 15, 0, 0, false, %s, false, now(), 1)",
            [PLATFORM_ID, added[-1], name, status, store_exam is not None],
        )
        if store_exam:
            exam_id = new_id()
            superuser.execute(
                "insert into store_exams (organization_id, id, code, name, price, status, created_at, version)"
                " values (%s, %s, %s, 'Exam', 0, 'Active', now(), 1)",
                [PLATFORM_ID, exam_id, store_exam],
            )
            superuser.execute(
                "insert into promo_code_store_exams values (%s, %s, %s, 0)", [PLATFORM_ID, added[-1], exam_id]
            )

    yield add
    for table, column in (("promo_code_store_exams", "promo_code_id"), ("promo_codes", "id")):
        superuser.execute(f"delete from {table} where {column} = any(%s)", [added])
    superuser.execute("delete from store_exams where organization_id = %s", [PLATFORM_ID])


@pytest.mark.parametrize(
    ("exam", "names_bundle", "expected"),
    [
        ("NCA-GENL", False, TEN_PERCENT),
        ("NCP-ADS", False, TEN_PERCENT),
        ("CLD-100", False, UNUSABLE),
        (None, True, TEN_PERCENT),
        ("CLD-100", True, TEN_PERCENT),
        (None, False, TEN_PERCENT),
    ],
)
async def test_a_code_applies_to_a_bundle_by_its_name_or_by_an_exam_in_it_or_to_all(
    client: httpx.AsyncClient,
    resources: Resources,
    tenant: Tenant,
    *,
    exam: str | None,
    names_bundle: bool,
    expected: object,
) -> None:
    changes = {
        "store_exam_ids": (tenant.exam_ids[exam],) if exam else (),
        "product_bundle_ids": (tenant.bundle_id,) if names_bundle else (),
    }
    await add_promo_codes(resources, tenant, percent_code(tenant, "CODE", **changes), now=NOW)
    assert await validate(client, tenant, code="CODE", product_bundle_id=tenant.bundle_id) == expected
    assert await validate(client, tenant, code="CODE", product_bundle_id=str(tenant.bundle_id).upper()) == expected
    assert await validate(client, tenant, code="CODE") == TEN_PERCENT
    assert await validate(client, tenant, code="CODE", product_bundle_id="") == TEN_PERCENT


@pytest.mark.parametrize("changes", [{}, {"store_exam_ids": ()}], ids=["exams", "all"])
async def test_an_unknown_bundle_is_covered_only_by_a_code_for_all(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, changes: dict[str, Any]
) -> None:
    await add_promo_codes(resources, tenant, percent_code(tenant, "CODE", **changes), now=NOW)
    expected = TEN_PERCENT if changes else UNUSABLE
    assert await validate(client, tenant, code="CODE", product_bundle_id=uuid4()) == expected


async def test_another_organizations_bundle_is_not_covered(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, other_tenant: Tenant
) -> None:
    await add_promo_codes(resources, tenant, percent_code(tenant, "PER10"), now=NOW)
    assert await validate(client, tenant, code="PER10", product_bundle_id=tenant.bundle_id) == TEN_PERCENT
    assert await validate(client, tenant, code="PER10", product_bundle_id=other_tenant.bundle_id) == UNUSABLE


async def test_every_organization_can_use_a_global_code(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, add_global: Callable[..., None]
) -> None:
    add_global("GLOBAL15")
    assert await validate(client, tenant, code="global15") == FIFTEEN_PERCENT
    assert await validate(client, other_tenant, code="GLOBAL15", product_bundle_id=uuid4()) == FIFTEEN_PERCENT


@pytest.mark.parametrize(("status", "expected"), [("Active", TEN_PERCENT), ("Archived", UNUSABLE)])
async def test_the_organizations_own_code_wins_even_when_it_is_unusable(
    client: httpx.AsyncClient,
    resources: Resources,
    tenant: Tenant,
    add_global: Callable[..., None],
    status: str,
    expected: object,
) -> None:
    add_global("SHARED")
    await add_promo_codes(resources, tenant, percent_code(tenant, "Shared", status=Status(status)), now=NOW)
    assert await validate(client, tenant, code="SHARED") == expected


async def test_a_code_is_a_promo_code_even_if_a_voucher_has_its_text(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, add_global: Callable[..., None]
) -> None:
    # The document knows promo codes only; the storefront API means the voucher.
    partner = await add_partner(resources, tenant, "Acme")
    purchase = await add_purchase(resources, tenant, partner, await add_program(resources, tenant, "Open"), "VP-1")
    await add_vouchers(resources, tenant, voucher(purchase, partner, "BOTH1"), voucher(purchase, partner, "VOUCHER1"))
    add_global("BOTH1")
    assert await validate(client, tenant, code="BOTH1") == FIFTEEN_PERCENT
    assert await validate(client, tenant, code="VOUCHER1") == NOT_FOUND
    redemption = await create_redemption(client, tenant, "BOTH1")
    assert (redemption["kind"], redemption["discount"]) == ("Voucher", 100)


async def test_a_switched_off_global_code_cannot_be_used(
    client: httpx.AsyncClient, tenant: Tenant, add_global: Callable[..., None]
) -> None:
    add_global("GLOBALOFF", status="Inactive")
    assert await validate(client, tenant, code="GLOBALOFF") == UNUSABLE


@pytest.mark.parametrize(("exam", "expected"), [("nca-genl", FIFTEEN_PERCENT), ("CLD-100", UNUSABLE)])
async def test_a_global_code_names_exams_by_their_code(
    client: httpx.AsyncClient,
    tenant: Tenant,
    add_global: Callable[..., None],
    exam: str,
    expected: object,
) -> None:
    add_global("GLOBALEXAM", store_exam=exam)
    assert await validate(client, tenant, code="GLOBALEXAM", product_bundle_id=tenant.bundle_id) == expected
