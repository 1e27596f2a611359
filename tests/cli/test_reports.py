"""`tessera report` and `tessera redemption export`."""

import json
from pathlib import Path

import httpx
import pytest
from tests.cli.conftest import Run
from tests.conftest import Clock
from tests.support.factories import Tenant
from tests.support.reporting import EXPORT_HEADER as HEADER
from tests.support.reporting import EXPORT_URL as EXPORT
from tests.support.reporting import open_shop, redeem_for_days

from tessera.api.serving.resources import Resources

DAYS = ("--from", "2026-06-12", "--until", "2026-06-15")
TOTALS = "partnerId,partnerName,bought,used,unused,archived,expired,expiringWithin30Days,expiringWithin90Days"
SUMS = "code,name,redeemed,cancelled,net,discount\r\nPAID,,1,0,1,100.00\r\nSPRING,,3,1,2,20.00\r\n"


@pytest.fixture
async def shop(client: httpx.AsyncClient, resources: Resources, tenant: Tenant, clock: Clock) -> Tenant:
    await open_shop(resources, tenant)
    await redeem_for_days(client, tenant, clock)
    return tenant


def test_redemptions_are_reported(run: Run, shop: Tenant) -> None:
    command = ("report", "redemptions", "--organization", shop.name, *DAYS)
    result = run(*command, "--by", "code", "--reveal", "--json")
    assert (result.returncode, json.loads(result.stdout)) == (
        0,
        [
            {"code": "PAID", "name": None, "redeemed": 1, "cancelled": 0, "net": 1, "discount": 100.0},
            {"code": "SPRING", "name": None, "redeemed": 3, "cancelled": 1, "net": 2, "discount": 20.0},
        ],
    )
    assert run(*command).stdout == (
        "DAY         NAME  REDEEMED  CANCELLED  NET  DISCOUNT\n"
        "2026-06-12  -     3         0          3    120.00\n"
        "2026-06-14  -     1         1          0    0.00\n"
    )
    earlier = run("report", "redemptions", "--organization", shop.name, "--until", "2026-06-12")
    assert earlier.stdout == "There were no redemptions on these days.\n"


def test_redemptions_are_reported_as_a_csv_file(run: Run, shop: Tenant, tmp_path: Path) -> None:
    command = ("report", "redemptions", "--organization", shop.name, *DAYS, "--by", "code", "--reveal")
    file = tmp_path / "sums.csv"
    assert run(*command, "--csv").stdout.replace("\r\n", "\n") == SUMS.replace("\r\n", "\n")
    assert (run(*command, "--output", str(file)).returncode, file.read_bytes().decode()) == (0, SUMS)
    assert [path.name for path in tmp_path.glob("sums*")] == ["sums.csv"]


def test_days_that_are_none_are_refused(run: Run, shop: Tenant) -> None:
    result = run("report", "redemptions", "--organization", shop.name, "--from", "2026-06-02", "--until", "2026-06-02")
    assert (result.returncode, result.stderr) == (1, "tessera: --until must be after from, which is 2026-06-02\n")


def test_vouchers_are_reported(run: Run, shop: Tenant) -> None:
    asked = ("report", "vouchers", "--organization", shop.name)
    acme, total = json.loads(run(*asked, "--json").stdout)
    # The command uses the real clock for the vouchers that expire soon.
    assert [list(row.values())[:4] for row in (acme, total)] == [["Acme Corp", 2, 1, 1], ["Total", 2, 1, 1]]
    assert list(acme.values())[1:-1] == list(total.values())[1:-1]
    assert {*total} == {*TOTALS.split(",")}
    lines = run(*asked, "--csv").stdout.splitlines()
    assert (lines[0], lines[-1]) == (TOTALS, ",".join(map(str, ["", *list(total.values())[:-1]])))


async def test_redemptions_are_exported_as_over_http(
    run: Run, client: httpx.AsyncClient, shop: Tenant, tmp_path: Path
) -> None:
    command = ("redemption", "export", "--organization", shop.name)
    file = tmp_path / "redemptions.csv"
    result = run(*command, "--output", str(file), "--code", "paid", "--reveal")
    assert (result.returncode, "Writing" in result.stderr) == (0, True)
    whole = (await client.get(EXPORT, params={"code": "paid", "reveal": "true"}, headers=shop.bearer)).text
    assert (file.read_bytes().decode(), whole.count("\r\n")) == (whole, 2)
    none = run(*command, "--created-before", "2026-06-12T00:00:00", "--person", "P-1", "--status", "Redeemed")
    assert none.stdout.strip() == HEADER.strip()


async def test_vouchers_are_exported_as_over_http(
    run: Run, client: httpx.AsyncClient, shop: Tenant, tmp_path: Path
) -> None:
    file = tmp_path / "vouchers.csv"
    result = run("voucher", "export", "--organization", shop.name, "--output", str(file), "--reveal")
    assert (result.returncode, "Writing" in result.stderr) == (0, True)
    whole = (await client.get("/management/v1/exports/vouchers?reveal=true", headers=shop.bearer)).text
    assert (file.read_bytes().decode(), whole.count("\r\n")) == (whole, 3)


def test_an_organization_that_there_is_not_leaves_no_file(run: Run, tmp_path: Path) -> None:
    result = run("redemption", "export", "--organization", "Nobody", "--output", str(tmp_path / "none.csv"))
    assert (result.returncode, result.stderr) == (1, "tessera: There is no organization Nobody.\n")
    assert [path.name for path in tmp_path.glob("none.csv")] == []
