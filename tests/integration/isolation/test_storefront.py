"""Two storefronts with equal codes, exams and vouchers: with both locks, and with either one alone."""

from typing import Any

import httpx
import pytest
from tests.conftest import NOW
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_vouchers, voucher

from tessera.api.serving.resources import Resources

URL = "/storefront/v1/validations"


async def furnish(resources: Resources, tenant: Tenant, *, percent: int, own: str) -> None:
    same = percent_code(tenant, "SAME", discount_percent=percent)
    await add_promo_codes(resources, tenant, same, percent_code(tenant, own), now=NOW)
    partner = await add_partner(resources, tenant, "Acme Corp")
    purchase = await add_purchase(resources, tenant, partner, await add_program(resources, tenant, "Program"), "VP-1")
    await add_vouchers(resources, tenant, voucher(purchase, partner, f"V-{own}"))


@pytest.fixture
async def shops(resources: Resources, tenant: Tenant, other_tenant: Tenant) -> tuple[Tenant, Tenant]:
    await furnish(resources, tenant, percent=10, own="FIRST")
    await furnish(resources, other_tenant, percent=20, own="SECOND")
    return tenant, other_tenant


def body(**more: Any) -> dict[str, Any]:
    return {"codes": ["SAME", "FIRST", "SECOND", "V-FIRST", "V-SECOND"], "storeExamCode": "NCA-GENL", **more}


async def test_each_storefront_finds_its_own_codes_alone(
    guarded_client: httpx.AsyncClient, shops: tuple[Tenant, Tenant]
) -> None:
    found = []
    for shop in shops:
        for headers in (shop.api_key, shop.bearer):
            answer = await guarded_client.post(URL, json=body(), headers=headers)
            found.append([(each["kind"], each["discount"]) for each in answer.json()["results"]])
    promo, paid, none = ("PromoCode", 10.0), ("Voucher", 100.0), (None, 0.0)
    first = [promo, promo, none, paid, none]
    second = [("PromoCode", 20.0), none, promo, none, paid]
    assert found == [first, first, second, second]


async def test_a_bundle_of_the_neighbour_is_not_on_sale_here(
    guarded_client: httpx.AsyncClient, shops: tuple[Tenant, Tenant]
) -> None:
    first, second = shops
    wanted = {"codes": ["SAME"], "productBundleId": str(second.bundle_id)}
    answer = await guarded_client.post(URL, json=wanted, headers=first.api_key)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "ProductNotFound")
