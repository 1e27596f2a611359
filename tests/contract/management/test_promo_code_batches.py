"""Batches of promo codes through the management API: create, generate, cancel, resume, list and export."""

from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from tests.support.batching import batch_state
from tests.support.factories import Tenant
from tests.support.jobs import job_context
from tests.support.management_requests import (
    RIGHT_IS_MISSING,
    ROOT,
    audit_entries_of,
    headers_without_rights,
    if_match,
    invalid,
    not_found,
    problem,
)
from tests.support.responses import status_and_body
from tests.support.waiting import until

from tessera import worker
from tessera.api.serving.resources import Resources
from tessera.promo_codes.batches import jobs
from tessera.promo_codes.batches import service as batches
from tessera.promo_codes.batches.rules import ALPHABET
from tessera.provision import Addresses

URL = f"{ROOT}/promo-code-batches"
NEW = {
    "quantity": 30,
    "prefix": "Spring",
    "length": 6,
    "discountPercent": 10,
    "storeExamCodes": ["NCA-GENL", "CLD-100"],
    "startsAt": "2026-06-01T00:00:00Z",
    "maxRedemptions": 1,
    "campaign": "Spring 2030",
    "metadata": {"order": "1"},
    "notes": "Fair",
    "isActive": True,
}
CREATED = NEW | {
    "status": "InProgress",
    "made": 0,
    "percent": 0,
    "alphabet": ALPHABET,
    "productBundleIds": [],
    "createdAt": "2026-06-15T12:00:00Z",
    "version": 1,
}
NOBODY = UUID(int=7)


async def order(client: httpx.AsyncClient, tenant: Tenant, **changes: Any) -> dict[str, Any]:
    answer = await client.post(URL, json=NEW | changes, headers=tenant.bearer)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def make_all(resources: Resources, tenant: Tenant, batch_id: str) -> None:
    async with resources.database.unit_of_work(tenant.id) as work:
        await batches.create_next_codes(work, UUID(batch_id), now=resources.clock())


def operations(batch_id: object) -> list[tuple[str, str]]:
    return [("GET", f"{URL}/{batch_id}"), ("POST", f"{URL}/{batch_id}/cancel"), ("POST", f"{URL}/{batch_id}/resume")]


def wrong_state(state: str) -> tuple[int, dict[str, Any]]:
    return problem(409, "wrong-state", "Wrong state", f"The batch is {state}.", state=state)


async def test_without_the_function_point_every_operation_is_403(client: httpx.AsyncClient, tenant: Tenant) -> None:
    headers = await headers_without_rights(client, tenant)
    expected = problem(403, "function-point-missing", "Permission missing", RIGHT_IS_MISSING)
    for method, url in [("GET", URL), ("POST", URL), *operations(NOBODY)]:
        assert status_and_body(await client.request(method, url, headers=headers, json=NEW)) == expected


async def test_another_organizations_batches_are_not_there(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    theirs = (await order(client, other_tenant))["id"]
    for batch_id in (theirs, NOBODY):
        for method, url in operations(batch_id):
            answer = await client.request(method, url, headers=if_match("*", tenant))
            assert status_and_body(answer) == not_found("There is no such batch.")
    assert (await client.get(URL, headers=tenant.bearer)).json() == {"data": [], "nextLink": None, "nextCursor": None}


async def test_a_batch_is_made_by_a_worker_listed_and_exported(
    client: httpx.AsyncClient,
    tenant: Tenant,
    resources: Resources,
    addresses: Addresses,
    superuser: psycopg.Connection,
) -> None:
    ordered = await client.post(URL, json=NEW, headers=tenant.bearer)
    batch = ordered.json()
    assert (status_and_body(ordered), ordered.headers["ETag"]) == ((201, {"id": batch["id"], **CREATED}), '"1"')
    async with worker.running(addresses.application, database=resources.database):
        await until("the batch is complete", lambda: batch_state(superuser, batch["id"]).status == "Complete")
    result = await client.get(f"{URL}/{batch['id']}", headers=tenant.bearer)
    expected = batch | {"status": "Complete", "made": 30, "percent": 100, "version": 2}
    assert (status_and_body(result), result.headers["ETag"]) == ((200, expected), '"2"')
    assert (await client.get(URL, headers=tenant.bearer)).json() == {
        "data": [expected],
        "nextLink": None,
        "nextCursor": None,
    }

    query = f"batchId={batch['id']}&metadata=order=1"
    listed = (await client.get(f"{ROOT}/promo-codes?{query}", headers=tenant.bearer)).json()["data"]
    code = listed[0]
    own = {"id": code["id"], "name": code["name"], "createdAt": code["createdAt"], "batchId": batch["id"]}
    assert (len(listed), code) == (
        30,
        own
        | {
            "status": "Active",
            "discountPercent": 10,
            "storeExamCodes": ["NCA-GENL", "CLD-100"],
            "productBundleIds": [],
            "restrictToEmailAddresses": False,
            "startsAt": "2026-06-01T00:00:00Z",
            "maxRedemptions": 1,
            "redemptionCount": 0,
            "campaign": "Spring 2030",
            "metadata": {"order": "1"},
            "notes": "Fair",
            "version": 1,
        },
    )
    assert code["name"][:6] == "Spring"
    assert set(code["name"][6:]) <= set(ALPHABET)
    exported = await client.get(f"{ROOT}/exports/promo-codes?batchId={batch['id']}", headers=tenant.bearer)
    assert [line.partition(",")[0] for line in exported.text.split("\r\n")[1:-1]] == [each["name"] for each in listed]
    question = {"codes": [code["name"]], "storeExamCode": "NCA-GENL"}
    answer = await client.post("/storefront/v1/validations", json=question, headers=tenant.api_key)
    assert answer.json()["results"][0]["isValid"] is True
    entries = audit_entries_of(superuser, tenant, "PromoCodeBatch")
    assert [entry[:3] for entry in entries] == [
        ("User", "ada@example.com", "Created"),
        ("Job", "make_promo_codes", "Completed"),
    ]


async def test_a_batch_is_cancelled_and_resumed(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources, superuser: psycopg.Connection
) -> None:
    batch = await order(client, tenant)
    url = f"{URL}/{batch['id']}"
    assert status_and_body(await client.post(f"{url}/resume", headers=if_match(1, tenant))) == wrong_state("InProgress")
    cancelled = await client.post(f"{url}/cancel", headers=if_match(1, tenant))
    assert status_and_body(cancelled) == (200, batch | {"status": "Cancelled", "version": 2})
    await make_all(resources, tenant, batch["id"])
    assert batch_state(superuser, batch["id"]) == ("Cancelled", 0, 0, 0)
    assert status_and_body(await client.post(f"{url}/cancel", headers=if_match(2, tenant))) == wrong_state("Cancelled")
    resumed = await client.post(f"{url}/resume", headers=if_match("*", tenant))
    assert status_and_body(resumed) == (200, batch | {"version": 3})
    await make_all(resources, tenant, batch["id"])
    assert batch_state(superuser, batch["id"]) == ("Complete", 30, 30, 60)
    for move in ("cancel", "resume"):
        assert status_and_body(await client.post(f"{url}/{move}", headers=if_match("*", tenant))) == wrong_state(
            "Complete"
        )
        assert (await client.post(f"{url}/{move}", headers=tenant.bearer)).status_code == 428
        assert (await client.post(f"{url}/{move}", headers=if_match(1, tenant))).status_code == 412


async def test_names_that_are_taken_are_made_up_by_others_until_hardly_any_is_free(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources, superuser: psycopg.Connection
) -> None:
    batch = await order(client, tenant, prefix="X", quantity=20)
    full = await order(client, tenant, prefix="X", quantity=47)
    # Batches of earlier versions may have less space.
    superuser.execute("update promo_code_batches set length = 2 where id = any(%s)", [[batch["id"], full["id"]]])
    # A hundred of the 1,024 names are taken.
    letters = "ABCDEFGHJK"
    for name in [f"X{one}{two}" for one in letters for two in letters]:
        await client.post(f"{ROOT}/promo-codes", json={"name": name, "flatDiscount": 1}, headers=tenant.bearer)
    await make_all(resources, tenant, batch["id"])
    assert batch_state(superuser, batch["id"]) == ("Complete", 20, 20, 40)
    superuser.execute(
        "insert into promo_codes (organization_id, id, name, status, flat_discount, redemption_count, held_count,"
        " version, restrict_to_email_addresses, has_store_exams, has_product_bundles, created_at)"
        " select %s, gen_random_uuid(), 'X' || a || b, 'Active', 1, 0, 0, 1, false, false, false, now()"
        " from string_to_table('0123456789ABCDEFGHJKMNPQRSTVWXYZ', null) a,"
        " string_to_table('0123456789ABCDEFGHJKMNPQRSTVWXYZ', null) b on conflict do nothing",
        [tenant.id],
    )
    await make_all(resources, tenant, full["id"])
    assert batch_state(superuser, full["id"]) == ("Exhausted", 0, 0, 0)
    # Resumed, it goes on when names have become free, and ends again when none has.
    url = f"{URL}/{full['id']}"
    for has_names, state in ((False, ("Exhausted", 0, 0, 0)), (True, ("Complete", 47, 47, 94))):
        resumed = await client.post(f"{url}/resume", headers=if_match("*", tenant))
        assert (resumed.status_code, resumed.json()["status"]) == (200, "InProgress")
        if has_names:
            superuser.execute("delete from promo_codes where organization_id = %s and flat_discount = 1", [tenant.id])
        await make_all(resources, tenant, full["id"])
        assert batch_state(superuser, full["id"]) == state
    actions = [entry[2] for entry in audit_entries_of(superuser, tenant, "PromoCodeBatch")]
    assert actions[-5:] == ["Exhausted", "Resumed", "Exhausted", "Resumed", "Completed"]


async def test_a_job_that_has_made_its_share_queues_the_next_one(
    client: httpx.AsyncClient,
    tenant: Tenant,
    resources: Resources,
    superuser: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "CODES_PER_JOB", 20)
    batch = await order(client, tenant)
    query = "select count(*) from procrastinate_jobs where args->>'batch_id' = %s"
    counts = []
    for _ in range(3):
        counts.append(superuser.execute(query, [batch["id"]]).fetchone())
        arguments = {"organization_id": str(tenant.id), "batch_id": batch["id"]}
        await jobs.make_promo_codes(job_context(resources, resources.clock), **arguments)
    assert counts == [(1,), (2,), (2,)]
    assert batch_state(superuser, batch["id"]) == ("Complete", 30, 30, 60)


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"quantity": None, "length": None}, [("quantity", "Required", "is"), ("length", "Required", "is")]),
        (
            {"restrictToEmailAddresses": True, "emailAddresses": ["ada@example.com"]},
            [
                ("emailAddresses", "UnknownProperty", "is not a known property"),
                ("restrictToEmailAddresses", "UnknownProperty", "is not a known property"),
            ],
        ),
        ({"quantity": 0}, [("quantity", "QuantityRange", "must be between 1 and 1,000,000")]),
        ({"quantity": 1_000_001}, [("quantity", "QuantityRange", "must be between 1 and 1,000,000")]),
        ({"length": 0}, [("length", "LengthRange", "must be at least 1")]),
        ({"length": 20}, [("length", "NameLength", "and the prefix together must have 3 to 25 characters")]),
        (
            {"prefix": "", "length": 2},
            [("length", "NameLength", "and the prefix together must have 3 to 25 characters")],
        ),
        ({"prefix": "SPRING-"}, [("prefix", "PrefixNotAlphanumeric", "must be alphanumeric (A-Z, a-z, 0-9)")]),
        *[
            (
                {"alphabet": alphabet},
                [("alphabet", "BadAlphabet", "must have 2 to 36 of A-Z, a-z, 0-9, each once in either case")],
            )
            for alphabet in ("A", "AA", "Aa", "AÉ", "A-", "")
        ],
        (
            {"quantity": 1_000_000, "length": 4},
            [
                (
                    "length",
                    "SpaceTooSmall",
                    "must be at least 8: the pattern needs 1,000,000,000,000 possible names that do not look like"
                    " numbers or dates, 1,000,000 for each code, and has 1,048,576",
                )
            ],
        ),
        (
            {"discountPercent": None, "storeExamCodes": ["X-1"], "length": "6"},
            [
                ("length", "NotInteger", "must be an integer"),
                ("discountPercent", "OneDiscount", "or a flat discount must be given, and not both of them"),
                ("storeExamCodes", "StoreExamNotFound", "has unknown store exams: 'X-1'"),
            ],
        ),
    ],
)
async def test_what_cannot_be_made_is_refused_at_once(
    client: httpx.AsyncClient, tenant: Tenant, changes: dict[str, Any], errors: list[tuple[str, str, str]]
) -> None:
    answer = await client.post(URL, json=NEW | changes, headers=tenant.bearer)
    expected = {(f"/{name}", code) for name, code, _ in errors}
    assert answer.status_code == 400, answer.text
    assert {(each["pointer"], each["code"]) for each in answer.json()["errors"]} == expected
    for each in answer.json()["errors"]:
        assert any(each["detail"].startswith(f"{name} {words}") for name, _, words in errors), each


async def test_the_space_is_shared_with_the_batches_before(client: httpx.AsyncClient, tenant: Tenant) -> None:
    await order(client, tenant, length=6, quantity=1000)
    answer = await client.post(URL, json=NEW | {"length": 6, "quantity": 74, "prefix": "SPRING"}, headers=tenant.bearer)
    words = (
        "the pattern needs 1,074,000,000 possible names that do not look like numbers or dates, 1,000,000 for each"
        " code, and has 1,073,741,824."
    )
    assert status_and_body(answer) == invalid(("/length", "SpaceTooSmall", f"length must be at least 7: {words}"))
    await order(client, tenant, length=6, quantity=1000, prefix="AUTUMN")
