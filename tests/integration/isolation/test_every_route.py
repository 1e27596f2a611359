"""Every operation of two organizations with equal names, without row-level security: the first lock by itself."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from types import CodeType
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from tests.conftest import NOW, app_on
from tests.support import factories
from tests.support.factories import Tenant
from tests.support.journeys import ORGANIZATIONS, PERSONS, Journey, begin_journey
from tests.support.management_requests import ROOT
from tests.support.redemption_requests import RESERVATIONS, body
from tests.support.redemption_requests import URL as REDEMPTIONS
from tests.support.tenant_clauses import COLUMNS, recording_senders
from tests.support.voucher_shops import unlocked_database

import tessera
from tessera.api.serving.resources import Resources
from tessera.audit.seals import service as seals
from tessera.kit.db.database import Database
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.persons.erasures import service as erasures
from tessera.promo_codes.batches import service as batches
from tessera.provision import Addresses
from tessera.redemptions.expiry import service as expiry
from tessera.redemptions.ledger import service as ledger
from tessera.reports import service as reports
from tessera.retention import service as retention
from tessera.retention.service import Retention
from tessera.vouchers.purchases import service as purchases
from tessera.vouchers.purchases.checkout import service as checkouts

UUIDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# Functions for the platform, for the creation of an organization's first records, and for commands.
OTHERS = re.compile(
    r"organizations\.repository\.|\.list_(overdue_organizations|unsealed_organizations|unrolled|unfinished|lapsed)$"
    r"|retention\.repository\.list_all$"
    r"|\.(add_all|add_store_exams|add_product_bundle|delete_between|remove_batch|set_last_used)$|\.count(_uses)?$"
    r"|\.(partners|partners\.users|purchases|issued|lists)\.repository\.find_ids?$|seals\.repository\.find_digest$"
    r"|catalog\.repository\.find_product_bundle_ids$|programs\.repository\.is_assigned$|totals\.repository\.find$"
    r"|users\.repository\.has_administrator$|shares\.repository\.|tessera\.transfers\."
)


@dataclass
class Neighbours:
    """The journey of one organization beside another one, and the functions of repositories that it called."""

    own: Journey
    theirs: Journey
    their_rows: dict[str, str]
    answers: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    called: set[CodeType] = field(default_factory=set)


@pytest.fixture(scope="module")
async def superuser_database(addresses: Addresses) -> AsyncIterator[Database]:
    async with unlocked_database(addresses) as database:
        yield database


@pytest.fixture(scope="module")
def connection(addresses: Addresses) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(addresses.owner.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
async def unlocked_client(resources: Resources, superuser_database: Database) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app_on(superuser_database, resources))
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield client


@pytest.fixture(scope="module")
async def neighbours(
    app: FastAPI,
    resources: Resources,
    superuser_database: Database,
    unlocked_client: httpx.AsyncClient,
    connection: psycopg.Connection[Any],
) -> Neighbours:
    """Two organizations that have done the same, the second one without row-level security."""
    document = app.openapi()
    theirs, own = [
        await begin_journey(unlocked_client, resources, tenant, document, {})
        for tenant in [await factories.create_tenant(resources, now=NOW) for _ in range(2)]
    ]
    await write(theirs, superuser_database)
    neighbours = Neighbours(own, theirs, rows_of(connection, theirs.shop.tenant))
    with recording_senders(neighbours.called):
        neighbours.answers = await write(own, superuser_database) | await read(own)
    return neighbours


def operations(journey: Journey) -> list[tuple[str, str]]:
    return [each for each in journey.operations if not each[1].startswith(ORGANIZATIONS)]


async def write(journey: Journey, database: Database) -> dict[tuple[str, str], list[str]]:
    """The bodies of the responses to all writes, which the jobs of the organization follow."""
    answers: dict[tuple[str, str], list[str]] = {}
    for method, path in operations(journey):
        if method != "GET":
            answers[method, path] = [(await journey.send(method, path, await journey.prepare(path))).text]
    await work_for(journey, database)
    return answers


async def read(journey: Journey) -> dict[tuple[str, str], list[str]]:
    """The bodies of the responses to all queries with one parameter or none."""
    answers: dict[tuple[str, str], list[str]] = {}
    for method, path in operations(journey):
        if method == "GET":
            responses = [await journey.read(path, query) for query in journey.queries(path)]
            assert [(each.status_code, str(each.url)) for each in responses if each.status_code != 200] == []
            answers[method, path] = [each.text for each in responses]
    return answers


async def work_for(journey: Journey, database: Database) -> None:
    """Run the jobs and the verifications of an organization."""
    later = NOW + timedelta(days=2)
    await visit_storefront(journey)
    paid = await journey.prepare(f"{ROOT}/voucher-purchases/{{voucherPurchaseId}}/pay")
    await journey.send("POST", f"{ROOT}/voucher-purchases/{{voucherPurchaseId}}/pay", paid)
    batch = await journey.send("POST", f"{ROOT}/promo-code-batches", {})
    holds = await hold_codes(journey)
    tenant = journey.shop.tenant
    async with database.unit_of_work(tenant.id) as work:
        await purchases.issue(work, purchase_id=UUID(paid["voucherPurchaseId"]), now=NOW)
        await batches.create_next_codes(work, UUID(batch.json()["id"]), now=NOW)
        await expiry.expire(work, {work.organization_id: holds}, now=later)
        await checkouts.expire(work, [work.organization_id], limit=200, now=later)
        await seals.seal(work, [work.organization_id], now=NOW)
        while await reports.roll_up(work, [work.organization_id], now=later):
            continue
    await keep_less_and_erase(database, tenant.id)
    async with database.unit_of_work(tenant.id) as work:
        await reports.include_late(work, [NOW.date()])
        await reports.rebuild(work, now=later)
        # The shop's used vouchers have no redemptions.
        used = [each.name for each in (await ledger.verify(work)).discrepancies]
        assert used == ["V-ACME", "V-GLOBEX"]
    async with database.unit_of_work(tenant.id) as work:
        assert await reports.list_discrepancies(work) == []
        assert not (await seals.verify(work)).findings


async def keep_less_and_erase(database: Database, organization_id: UUID) -> None:
    """Drop old records, and erase an unknown person again; no candidate is old enough to become anonymous."""
    kept = Retention(
        candidates_after_days=3_660, audit_after_months=1, redemptions_after_months=1, failed_jobs_after_days=1
    )
    async with database.unit_of_work(organization_id) as work:
        await retention.replace(work, kept, now=NOW)
        await erase_again(work)
    later = NOW + timedelta(days=32)
    for step in retention.STEPS:
        if (before := kept.before(step.setting, now=later)) is not None:
            async with database.unit_of_work(organization_id) as work:
                await step.remove(work, before=before, size=step.size, now=later)


async def erase_again(work: UnitOfWork) -> None:
    """Erase a person who is unknown, as after a restore, and list all erasures."""
    await erasures.erase_again(work, bytes(32), {bytes(32): NOW}, now=NOW)
    await erasures.list_erasures(work)


async def hold_codes(journey: Journey) -> list[UUID]:
    """Hold a code with a limit, whose lock ends its holds, a code without one, and a voucher."""
    limited = (await journey.send("POST", "/storefront/v1/redemptions", {})).json()
    free = {"name": "FREE", "isActive": True, "flatDiscount": 5, "storeExamCodes": ["NCA-GENL"]}
    await journey.request("POST", f"{ROOT}/promo-codes", free)
    codes = ("FREE", "T-3")
    others = [await journey.request("POST", REDEMPTIONS, body(code, f"RSV-{code}", holdSeconds=60)) for code in codes]
    return [UUID(hold["id"]) for hold in (limited, *others)]


async def visit_storefront(journey: Journey) -> None:
    """Take a voucher and a promo code for a bundle through all steps of a reservation."""
    bundle = {"storeExamCode": None, "productBundleId": str(journey.shop.tenant.bundle_id)}
    terms = {"flatDiscount": 5, "productBundleIds": [bundle["productBundleId"]]}
    created = await journey.request("POST", f"{ROOT}/promo-codes", {"name": "BUNDLED", "isActive": True, **terms})
    await journey.request("PUT", f"{ROOT}/promo-codes/{created['id']}", terms | {"maxRedemptions": 9})
    path = f"{ROOT}/promo-code-imports"
    headers = journey.headers(path) | {"Content-Type": "text/csv"}
    edited = "name,notes\nBUNDLED,Edited\n"
    answer = await journey.client.post(path, params={"update": "true"}, content=edited, headers=headers)
    assert answer.json() == {"promoCodes": 1, "changed": 1, "isDryRun": False}
    await journey.request("POST", "/storefront/v1/validations", {"codes": ["BUNDLED"], "storeExamCode": "CLD-100"})
    await journey.request("POST", REDEMPTIONS, body("BUNDLED", "RSV-B", **bundle))
    await journey.request("PUT", f"{RESERVATIONS}/RSV-B", {"status": "Completed"})
    held = await journey.request("POST", REDEMPTIONS, body("T-3", "RSV-V", holdSeconds=60))
    await journey.request("POST", REDEMPTIONS, body("T-3", "RSV-V", holdSeconds=60))
    await journey.request("POST", f"{REDEMPTIONS}/{held['id']}/confirm")
    for status, code in (("Rescheduled", "RSV-W"), ("Cancelled", None)):
        change = {"status": status} | ({"reservationCode": code} if code else {})
        await journey.request("PUT", f"{RESERVATIONS}/{'RSV-V' if code else 'RSV-W'}", change)
    released = await journey.request("POST", REDEMPTIONS, body("T-4", "RSV-X", holdSeconds=60))
    await journey.request("POST", f"{REDEMPTIONS}/{released['id']}/release")


def rows_of(connection: psycopg.Connection[Any], tenant: Tenant) -> dict[str, str]:
    """All rows of an organization as text, by table."""
    rows = {}
    for table, column in COLUMNS.items():
        query = f"select coalesce(string_agg(t::text, e'\\n' order by t::text), '') from {table} t where {column} = %s"
        (rows[table],) = connection.execute(query, [tenant.id]).fetchone() or ("",)
    return rows


def ids_in(rows: dict[str, str]) -> set[str]:
    return set(UUIDS.findall(" ".join(rows.values())))


def repository_functions() -> dict[str, CodeType]:
    """The public functions and methods of all repositories that send statements."""
    functions = {}
    for module in pkgutil.walk_packages(tessera.__path__, "tessera."):
        if module.name.endswith(".repository"):
            loaded = importlib.import_module(module.name)
            scopes = [loaded, *(each for _, each in inspect.getmembers(loaded, inspect.isclass))]
            for scope in scopes:
                for name, function in inspect.getmembers(scope, inspect.iscoroutinefunction):
                    if function.__module__ == module.name and not name.startswith("_"):
                        functions[f"{module.name}.{name}"] = function.__code__
    return functions


def test_no_response_names_anything_of_the_neighbour(
    neighbours: Neighbours, connection: psycopg.Connection[Any]
) -> None:
    secret = ids_in(neighbours.their_rows) - ids_in(rows_of(connection, neighbours.own.shop.tenant))
    assert len(secret) > 100
    leaks = {
        operation: found
        for operation, bodies in neighbours.answers.items()
        if (found := secret & set(UUIDS.findall(" ".join(bodies))))
    }
    assert leaks == {}


def test_no_operation_changes_the_neighbours_rows(neighbours: Neighbours, connection: psycopg.Connection[Any]) -> None:
    assert rows_of(connection, neighbours.theirs.shop.tenant) == neighbours.their_rows
    own = rows_of(connection, neighbours.own.shop.tenant)
    # Otherwise the comparison would say nothing about these tables.
    empty = {"promo_code_shares", "organization_imports", "organization_deletions"}
    assert {table for table, rows in own.items() if not rows} == empty


async def test_the_neighbours_ids_are_unknown_to_every_operation(
    neighbours: Neighbours, connection: psycopg.Connection[Any]
) -> None:
    own, theirs = neighbours.own, neighbours.theirs
    statuses = {}
    for method, path in own.operations:
        # The neighbours' reservations and candidates have the same codes and ids; organizations are for the platform.
        if "{" in path and not path.startswith((ORGANIZATIONS, PERSONS, RESERVATIONS)):
            url, content = path.format(**await theirs.existing(path)), own.content(method, path)
            answer = await own.client.request(method, url, headers=own.headers(path), **content)
            statuses[method, path] = answer.status_code
    assert statuses == dict.fromkeys(statuses, 404)
    assert len(statuses) > 50
    assert rows_of(connection, theirs.shop.tenant) == neighbours.their_rows


def test_every_function_of_a_repository_takes_part(neighbours: Neighbours) -> None:
    functions = repository_functions()
    assert len(functions) > 100
    missing = {name for name, code in functions.items() if code not in neighbours.called}
    assert {name for name in missing if not OTHERS.search(name)} == set()


async def test_commands_find_nothing_of_the_neighbour_by_its_name(
    neighbours: Neighbours, superuser_database: Database
) -> None:
    # Only commands look these up. Every statement of a test is checked for its organization.
    finders = [name for name in repository_functions() if re.search(r"\.find_id$", name)]
    assert len(finders) > 3
    async with superuser_database.unit_of_work(neighbours.own.shop.tenant.id) as work:
        for name in finders:
            module = importlib.import_module(name.rpartition(".")[0])
            classes = [each for _, each in inspect.getmembers(module, inspect.isclass) if hasattr(each, "find_id")]
            repository: Any = classes[0]
            others = [uuid4()] * (len(inspect.signature(repository).parameters) - 1)
            assert await repository(work, *others).find_id("nothing") is None, name
