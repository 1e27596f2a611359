"""The demonstration data is created through the services, and its credentials open every operation."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from tests.demo.conftest import Demonstration, load_into
from tests.support.sample_shop import sample_shop

from tessera import main, provision, schema
from tessera.api.application import create_app
from tessera.demo import credentials
from tessera.demo.credentials import FILE_NAME, Credentials, DemoCredentials
from tessera.demo.organizations import ORGANIZATIONS
from tessera.identity import provisioning
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.db.database import Database
from tessera.kit.tokens import TokenSigner
from tessera.redemptions import lifecycle
from tessera.redemptions.ledger import service as ledger
from tessera.redemptions.lifecycle import RedemptionFilter
from tessera.redemptions.rules import RedemptionStatus
from tessera.reports import service as reports
from tessera.settings import Settings
from tessera.vouchers.issued import service as vouchers
from tessera.vouchers.issued.service import VoucherFilter

METHODS = ("get", "post", "put", "patch", "delete")
NAMES = [each.name for each in ORGANIZATIONS]


@pytest.fixture
async def database(demonstration: Demonstration) -> AsyncIterator[Database]:
    result = Database(demonstration.addresses.application)
    yield result
    await result.close()


async def ids_by_name(database: Database) -> dict[str, UUID]:
    async with database.unit_of_work(PLATFORM_ID) as work:
        return {each.name: each.id for each in await provisioning.list_organizations(work)}


async def verify(database: Database, organization_id: UUID) -> ledger.Verdict:
    async with database.unit_of_work(organization_id) as work:
        return await ledger.verify(work)


async def test_the_ledger_agrees_with_all_that_is_shown(database: Database) -> None:
    ids = await ids_by_name(database)
    result = {name: await verify(database, id_) for name, id_ in ids.items()}
    assert sorted(result) == sorted([*NAMES, "Platform"])
    assert {name: list(each.discrepancies) for name, each in result.items()} == {name: [] for name in result}
    # Ten redemptions, two of them cancelled.
    assert {name: (result[name].redemptions, result[name].entries) for name in NAMES} == dict.fromkeys(NAMES, (10, 12))


async def test_each_report_has_rows(demonstration: Demonstration, database: Database) -> None:
    async with database.unit_of_work((await ids_by_name(database))[NAMES[0]]) as work:
        for by in reports.Dimension:
            report = reports.report(by, first=None, end=None, now=demonstration.loaded_at)
            assert (await reports.list_redemptions(work, report, after=None, size=1)).items, by


@pytest.mark.parametrize("name", NAMES)
async def test_vouchers_are_shown_in_every_state_of_the_document(
    demonstration: Demonstration, database: Database, name: str
) -> None:
    used = {
        "used_at": (demonstration.loaded_at - timedelta(days=5)).replace(microsecond=0).astimezone(UTC),
        "used_by_person_id": "P-4711",
        "used_by_client_candidate_id": "C-17",
        "used_by_first_name": "Ada",
        "used_by_last_name": "Byron",
    }
    async with database.unit_of_work((await ids_by_name(database))[name]) as work:
        part = await vouchers.list_by_cursor(
            work, filters=VoucherFilter(store_exam_code="NCA-GENL"), after=None, size=100
        )
    assert {each.code: states(each) for each in part.items} == {
        "SPRING-RESERVED": ("RSV-RESERVED", "Created", True, used),
        "SPRING-COMPLETED": ("RSV-COMPLETED", "Completed", True, used),
        "SPRING-CANCELLED": ("RSV-CANCELLED", "Cancelled", False, dict.fromkeys(used)),
    }


def states(voucher: vouchers.Voucher) -> tuple[Any, ...]:
    fields = [field for field in vouchers.Voucher.__dataclass_fields__ if field.startswith("used_")]
    used = {field: getattr(voucher, field) for field in fields}
    return voucher.reservation_code, voucher.reservation_status, voucher.is_used, used


async def test_one_code_is_held_for_a_week(demonstration: Demonstration, database: Database) -> None:
    filters = RedemptionFilter(status=RedemptionStatus.HELD)
    async with database.unit_of_work((await ids_by_name(database))[NAMES[0]]) as work:
        held = await lifecycle.list_by_cursor(work, filters, now=demonstration.loaded_at, after=None, size=10)
    until = (demonstration.loaded_at + timedelta(days=7)).replace(microsecond=0)
    assert [(each.code, each.held_until) for each in held.items] == [("ONHOLD", until)]


def test_every_paid_purchase_is_complete_or_has_a_job(demonstration: Demonstration) -> None:
    # Otherwise `tessera doctor` and the alert on stuck purchases would report the demonstration data.
    with psycopg.connect(demonstration.addresses.owner.replace("+psycopg", "")) as superuser:
        unfinished = superuser.execute("select id::text from voucher_purchases where status = 'VoucherCreation'")
        queued = superuser.execute("select args ->> 'purchase_id' from procrastinate_jobs where status = 'todo'")
        ids = sorted(unfinished.fetchall())
        assert (len(ids), sorted(queued.fetchall())) == (len(NAMES), ids)


async def test_loading_once_more_changes_nothing(demonstration: Demonstration, database: Database) -> None:
    before = [await verify(database, id_) for id_ in (await ids_by_name(database)).values()]
    again = await load_into(demonstration.addresses, demonstration.directory, now=demonstration.loaded_at)
    assert again == demonstration.credentials
    assert [await verify(database, id_) for id_ in (await ids_by_name(database)).values()] == before


async def test_tokens_are_signed_anew_where_the_key_has_changed(demonstration: Demonstration, tmp_path: Path) -> None:
    before = demonstration.credentials
    credentials.write(tmp_path / FILE_NAME, before)
    signer = TokenSigner({"1": "another-signing-key-of-the-tests-0123456789"})
    later = demonstration.loaded_at + timedelta(seconds=1)
    after = await load_into(demonstration.addresses, tmp_path, now=later, signer=signer)
    assert credentials.read(tmp_path / FILE_NAME) == after
    assert [without_tokens(each) for each in after.organizations] == [
        without_tokens(each) for each in before.organizations
    ]
    assert {signer.read(token, now=later)["kind"] for token in tokens_of(after)} == {"token"}


async def test_a_file_of_an_earlier_version_gets_the_tokens_that_it_lacks(
    demonstration: Demonstration, tmp_path: Path
) -> None:
    path = tmp_path / FILE_NAME
    credentials.write(path, demonstration.credentials)
    content = json.loads(path.read_text())
    del content["platformAdministratorToken"], content["organizations"][0]["administratorToken"]
    path.write_text(json.dumps(content))
    later = demonstration.loaded_at + timedelta(seconds=2)
    after = await load_into(demonstration.addresses, tmp_path, now=later)
    assert all(tokens_of(after))
    assert after.organizations[0].api_key == demonstration.credentials.organizations[0].api_key
    assert after.organizations[1] == demonstration.credentials.organizations[1]


def tokens_of(demo: DemoCredentials) -> list[str]:
    ours = [(each.administrator_token, each.voucher_token, each.partner_token) for each in demo.organizations]
    return [demo.platform_administrator_token, *(token for tokens in ours for token in tokens)]


def without_tokens(organization: Credentials) -> Credentials:
    return replace(organization, administrator_token="", voucher_token="", partner_token="")


@pytest.fixture
async def demo_app(demonstration: Demonstration, settings: Settings) -> AsyncIterator[FastAPI]:
    database = provision.create_pool(settings, demonstration.addresses.application)
    yield create_app(main.create_resources(settings, database, schema_revision=schema.latest_revision()))
    await database.close()


def headers_of(demo: DemoCredentials) -> list[dict[str, str]]:
    """Each credential as a user of the docs page can enter it: an organization's, then the platform's."""
    first = demo.organizations[0]
    return [
        {"Authorization": f"Bearer {first.administrator_token}"},
        {"cv-api-key": first.api_key},
        {"Authorization": "Basic " + b64encode(f"{first.client_id}:{first.client_secret}".encode()).decode()},
        {"Authorization": f"Bearer {demo.platform_administrator_token}"},
    ]


def requests_of(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Method and path of each operation, with ids that do not exist."""
    for path, item in document["paths"].items():
        for parameter in (each for method in METHODS for each in item.get(method, {}).get("parameters", [])):
            path = path.replace(f"{{{parameter['name']}}}", str(uuid4()))  # noqa: PLW2901
        yield from ((method.upper(), path) for method in METHODS if method in item)


async def refusals(client: httpx.AsyncClient, demo: DemoCredentials, method: str, path: str) -> int:
    """The number of credentials that do not open an operation, before the first one that does."""
    for number, headers in enumerate(headers_of(demo)):
        response = await client.request(method, path, headers=headers)
        assert response.status_code < 500, (method, path, response.text)
        if response.status_code not in (401, 403):
            return number
    raise AssertionError(f"no credential opens {method} {path}")


async def test_each_operation_is_opened_by_a_credential(demonstration: Demonstration, demo_app: FastAPI) -> None:
    requests = list(requests_of(demo_app.openapi()))
    transport = httpx.ASGITransport(demo_app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        opened = {each: await refusals(client, demonstration.credentials, *each) for each in requests}
    # The first credential, which the server prints, is an administrator's token.
    others = {path.split("/management/v1/")[-1].split("/")[0] for (_, path), number in opened.items() if number}
    assert (len(opened) > 100, others) == (True, {"", "organizations"})


def test_the_sample_of_a_shop_checks_and_sells_without_showing_its_key(demonstration: Demonstration) -> None:
    first = demonstration.credentials.organizations[0]
    with sample_shop(demonstration.addresses, first) as browser:
        pages = [
            browser.post("/", data={"code": code, "step": step}).text
            for code, step in (
                ("PER10", "check"),
                ("BYGONE", "check"),
                ("PER10", "fail"),
                ("SPRING-UNUSED", "fail"),
                ("SPRING-UNUSED", "pay"),
                ("<b>", "check"),
            )
        ]
    checked, expired, failed, paid, again, hostile = pages
    assert "You pay 125.00 instead of 135.00 dollars." in checked
    assert "expired" in expired
    assert "The payment of 125.00 dollars has failed. Try again." in failed
    assert "Booked as SHOP-" in paid  # nothing is left to pay, so no payment can fail
    assert "Booked" not in again
    assert "has been used" in again
    assert "<b>" not in hostile
    assert not any(first.api_key in page for page in pages)
