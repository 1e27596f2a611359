"""`tessera ledger verify`: every counter is counted again, and tampering is reported."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import psycopg
import pytest
from tests.cli.conftest import Run
from tests.conftest import NOW
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.redemption_requests import act, create_redemption
from tests.support.reporting import roll_up
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_vouchers, voucher

from tessera.api.serving.resources import Resources


@pytest.fixture
async def shop(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection
) -> AsyncIterator[Tenant]:
    """A tenant with a redeemed, a held and a cancelled use of a promo code, and a used voucher."""
    await add_promo_codes(resources, tenant, percent_code(tenant, "SPRING"), now=NOW)
    partner = await add_partner(resources, tenant, "Acme Corp")
    purchase = await add_purchase(resources, tenant, partner, await add_program(resources, tenant, "Open"), "VP-1")
    await add_vouchers(resources, tenant, voucher(purchase, partner, "PAID"), voucher(purchase, partner, "SPARE"))
    await create_redemption(client, tenant, "SPRING", "RSV-1")
    await create_redemption(client, tenant, "SPRING", "RSV-2", holdSeconds=60)
    await act(client, tenant, await create_redemption(client, tenant, "SPRING", "RSV-3"), "cancel")
    await create_redemption(client, tenant, "PAID", "RSV-4")
    await roll_up(resources, tenant, now=NOW + timedelta(days=1))
    yield tenant
    # Other tests expire the holds of all organizations, which would fail on these changed counters.
    for table in ("redemption_ledger", "redemptions"):
        superuser.execute(f"delete from {table} where organization_id = %s", [tenant.id])


def test_all_is_well(run: Run, shop: Tenant) -> None:
    result = run("ledger", "verify", "--organization", shop.name, "--json")
    assert (result.returncode, json.loads(result.stdout)) == (0, {"redemptions": 4, "entries": 5, "discrepancies": 0})


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        (
            "update promo_codes set redemption_count = 2",
            ("promo code", "SPRING", "2 redeemed, 1 held", "1 redeemed, 1 held"),
        ),
        ("update promo_codes set held_count = 0", ("promo code", "SPRING", "1 redeemed, 0 held", "1 redeemed, 1 held")),
        ("update voucher_purchases set quantity_used = 0", ("purchase", "VP-1", "0 used", "1 used")),
        ("update vouchers set used_at = null", ("voucher", "PAID", "0 used, 0 held", "1 used, 0 held")),
        (
            "update vouchers set used_at = now(), used_by_person_id = 'P', used_by_client_candidate_id = 'C',"
            " used_by_first_name = 'A', used_by_last_name = 'B', reservation_code = 'R',"
            " reservation_status = 'Created', store_exam_id = (select store_exam_id from redemptions limit 1)",
            ("voucher", "SPARE", "1 used, 0 held", "0 used, 0 held"),
        ),
        (
            "update voucher_totals set used = 0",
            (
                "voucher total",
                "Acme Corp 2027-06-15",
                "2 vouchers, 0 used, 0 archived",
                "2 vouchers, 1 used, 0 archived",
            ),
        ),
        (
            "update redemption_totals set discount = discount + 1 where dimension = 'partner' and",
            ("report", None, "1 redeemed, 0 cancelled, 101.00 off", "1 redeemed, 0 cancelled, 100.00 off"),
        ),
        (
            "update redemptions set status = 'Released' where status = 'Held' and",
            ("redemption", None, "Released after 1", "Held after 1"),
        ),
        (
            "update redemptions set reservation_id ="
            " (select reservation_id from redemptions where code = 'PAID' order by id desc limit 1)"
            " where status = 'Redeemed' and",
            ("reservation", "RSV-4", "110.00 in discounts", "100.00 at most"),
        ),
        (
            "delete from redemption_ledger where number = 2 and",
            ("redemption", None, "Cancelled after 2", "Redeemed after 1"),
        ),
    ],
)
def test_what_was_tampered_with_is_named(
    run: Run,
    shop: Tenant,
    superuser: psycopg.Connection,
    tampering: str,
    found: tuple[str, str | None, str, str],
) -> None:
    kind, name, shown, counted = found
    only = f" code = '{name}' and" if kind == "voucher" else ""
    clause = tampering if tampering.endswith(" and") else f"{tampering} where{only}"
    superuser.execute(
        f"{clause} organization_id = '{shop.id}'".replace(
            "from redemptions limit", f"from redemptions where organization_id = '{shop.id}' limit"
        )
    )
    result = run("ledger", "verify", "--organization", shop.name, "--json")
    assert result.returncode == 1
    findings = [row for row in json.loads(result.stdout) if row["kind"] == kind]
    assert [(row["shown"], row["ledger"]) for row in findings] == [(shown, counted)]
    assert name is None or findings[0]["name"] == name


def test_totals_that_disagree_are_computed_again(run: Run, shop: Tenant, superuser: psycopg.Connection) -> None:
    superuser.execute("update redemption_totals set redeemed = 7 where organization_id = %s", [shop.id])
    organization = ("--organization", shop.name, "--json")
    assert run("ledger", "verify", *organization).returncode == 1
    rebuilt = json.loads(run("report", "rebuild", *organization).stdout)
    assert rebuilt["corrected"] > 0
    assert run("ledger", "verify", *organization).returncode == 0
