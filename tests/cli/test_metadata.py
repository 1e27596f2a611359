"""Metadata on the command line."""

import json
from typing import Any

import httpx
from tests.cli.conftest import Run
from tests.conftest import NOW
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.redemption_requests import create_redemption
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_vouchers, voucher

from tessera.api.serving.resources import Resources


async def test_metadata_of_each_kind_are_set_shown_and_found(
    run: Run, client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    await add_promo_codes(resources, tenant, percent_code(tenant, "SPRING"), now=NOW)
    partner, program = await add_partner(resources, tenant, "Acme"), await add_program(resources, tenant, "Open")
    purchase = await add_purchase(resources, tenant, partner, program, "VP-1")
    await add_vouchers(resources, tenant, voucher(purchase, partner, "PAID"))
    await create_redemption(client, tenant, "SPRING", "RSV-1")

    def result(*arguments: str) -> Any:
        ended = run("metadata", *arguments, "--organization", tenant.name, "--json")
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    texts = ("order=A=1", "note=two words")
    names = {"PromoCode": "spring", "VoucherProgram": "open", "VoucherPurchase": "vp-1", "Voucher": "paid"}
    for kind, name in {**names, "Redemption": "RSV-1"}.items():
        outcome = result("set", kind.lower(), name, *texts)
        assert (outcome["kind"], outcome["metadata"]) == (kind, {"note": "two words", "order": "A=1"})
    assert result("show", "Voucher", "PAID") == result("find", "Voucher", "order", "A=1")[0]
    assert result("set", "Voucher", "PAID")["metadata"] == {}
    assert result("find", "Voucher", "order", "A=1") == []
    ended = run("metadata", "set", "Voucher", "PAID", "order", "a=1", "a =2", "--organization", tenant.name)
    assert (ended.returncode, ended.stderr.splitlines()) == (
        1,
        ["tessera: KEY=TEXT... must be KEY=TEXT: order", "tessera: KEY=TEXT... must name each key once: a"],
    )
    many = [f"k{number}=x" for number in range(21)]
    ended = run("metadata", "set", "Voucher", "PAID", *many, "--organization", tenant.name)
    assert (ended.returncode, ended.stderr) == (1, "tessera: KEY=TEXT... must have at most 20 keys\n")
