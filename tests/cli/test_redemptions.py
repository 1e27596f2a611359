"""Redemptions on the command line."""

import json

import httpx
import pytest
from tests.cli.conftest import Run
from tests.conftest import NOW
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.redemption_requests import act, create_redemption

from tessera.api.serving.resources import Resources


@pytest.fixture
async def shop(client: httpx.AsyncClient, resources: Resources, tenant: Tenant) -> Tenant:
    """A tenant whose code was redeemed for two reservations, for one of them twice."""
    await add_promo_codes(resources, tenant, percent_code(tenant, "SPRING"), now=NOW)
    await create_redemption(client, tenant, "SPRING", "RSV-1")
    await act(client, tenant, await create_redemption(client, tenant, "SPRING", "RSV-2"), "cancel")
    await create_redemption(client, tenant, "SPRING", "RSV-2")
    return tenant


def test_redemptions_are_listed_shown_and_cancelled(run: Run, shop: Tenant) -> None:
    here = ("--organization", shop.name, "--json")
    listed = run("redemption", "list", "--limit", "2", *here)
    rows = json.loads(listed.stdout)
    assert [row["reservationCode"] for row in rows] == ["RSV-2", "RSV-2"]
    cursor = listed.stderr.removeprefix("There are more records: add --cursor ").strip()
    (first,) = json.loads(run("redemption", "list", "--cursor", cursor, *here).stdout)
    assert (first["code"], first["status"], first["reservationCode"]) == ("SPRING", "Redeemed", "RSV-1")

    shown = json.loads(run("redemption", "show", "RSV-1", *here).stdout)
    assert shown.items() >= first.items()
    assert (shown["firstName"], shown["listPrice"]) == ("Ada", 100.0)
    keys = {key["id"]: key["name"] for key in json.loads(run("key", "list", *here).stdout)}
    assert shown["madeByName"] == keys[shown["madeBy"]]
    cancelled = run("redemption", "cancel", first["id"], "--yes", *here)
    assert json.loads(cancelled.stdout)["status"] == "Cancelled"
    left = json.loads(run("redemption", "list", "--status", "redeemed", *here).stdout)
    assert [row["id"] for row in left] == [rows[0]["id"]]
    assert json.loads(run("redemption", "list", "--metadata", "order=1", *here).stdout) == []
    wrong = run("redemption", "list", "--metadata", "order", *here).stderr
    assert wrong == "tessera: --metadata must be KEY=TEXT, such as orderId=ORD-1001\n"


def test_what_cannot_be_cancelled_is_one_line(run: Run, shop: Tenant) -> None:
    here = ("--organization", shop.name)
    several = run("redemption", "cancel", "RSV-2", "--yes", *here).stderr
    assert several.startswith("tessera: Several redemptions are named RSV-2; choose an id: ")
    unknown = run("redemption", "cancel", "RSV-3", "--yes", *here)
    assert (unknown.returncode, unknown.stderr) == (1, "tessera: There is no redemption RSV-3.\n")
