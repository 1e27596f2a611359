"""Promo codes of every kind through the management API: their whole life cycle, and every invalid request."""

import asyncio
from collections.abc import Coroutine
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from tests.conftest import NOW, Clock
from tests.support import factories
from tests.support.factories import Tenant, percent_code
from tests.support.management_requests import (
    RIGHT_IS_MISSING,
    ROOT,
    audit_entries_of,
    headers_without_rights,
    if_match,
    invalid,
    not_found,
    platform_administrator,
    problem,
)
from tests.support.redemption_requests import create_redemption, redeem
from tests.support.responses import status_and_body
from tests.support.waiting import until_blocked

from tessera.api.serving.resources import Resources
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.db import pages
from tessera.kit.identifiers import new_id
from tessera.promo_codes.rules import Status
from tessera.promo_codes.service import NewPromoCode
from tessera.provision import Addresses
from tessera.redemptions.ledger import service as ledger

URL = f"{ROOT}/promo-codes"
NEW = {
    "name": "SPRING10",
    "isActive": True,
    "discountPercent": 10,
    "storeExamCodes": ["nca-genl", "CLD-100"],
    "startsAt": "2026-07-01T00:00:00Z",
    "expiresAt": "2030-01-01T00:00:00Z",
    "maxRedemptions": 100,
    "maxRedemptionsPerCandidate": 1,
    "emailAddresses": ["Ada@example.com", "ada@EXAMPLE.com", "bob@example.com"],
    "restrictToEmailAddresses": True,
    "campaign": " Caf\u0065\u0301 2030 ",
    "metadata": {" order": " 1"},
    "notes": "Spring",
}
CREATED = {
    "name": "SPRING10",
    "status": "Active",
    "discountPercent": 10,
    "storeExamCodes": ["NCA-GENL", "CLD-100"],
    "productBundleIds": [],
    "restrictToEmailAddresses": True,
    "emailAddresses": ["Ada@example.com", "bob@example.com"],
    "startsAt": "2026-07-01T00:00:00Z",
    "expiresAt": "2030-01-01T00:00:00Z",
    "maxRedemptions": 100,
    "maxRedemptionsPerCandidate": 1,
    "redemptionCount": 0,
    "campaign": "Caf\u00e9 2030",
    "metadata": {"order": "1"},
    "notes": "Spring",
    "createdAt": "2026-06-15T12:00:00Z",
    "version": 1,
}
NOBODY = UUID(int=7)


async def create(client: httpx.AsyncClient, tenant: Tenant, body: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = await client.post(URL, json=body or NEW, headers=tenant.bearer)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def names_of(client: httpx.AsyncClient, tenant: Tenant, query: str) -> list[str]:
    """The names in a whole list, read one by one through its links."""
    result: list[str] = []
    link: str | None = f"{URL}?limit=1&{query}"
    while link:
        part = (await client.get(link, headers=tenant.bearer)).json()
        result += [code["name"] for code in part["data"]]
        link = part["nextLink"]
    return result


def operations(code_id: object) -> list[tuple[str, str]]:
    one = f"{URL}/{code_id}"
    return [("GET", one), ("PUT", one), *[("POST", f"{one}/{move}") for move in ("activate", "deactivate", "archive")]]


def wrong_state(state: str) -> tuple[int, dict[str, Any]]:
    return problem(409, "wrong-state", "Wrong state", f"The promo code is {state}.", state=state)


async def test_without_the_function_point_every_operation_is_403(client: httpx.AsyncClient, tenant: Tenant) -> None:
    headers = await headers_without_rights(client, tenant)
    expected = problem(403, "function-point-missing", "Permission missing", RIGHT_IS_MISSING)
    for method, url in [("GET", URL), ("POST", URL), *operations(NOBODY)]:
        assert status_and_body(await client.request(method, url, headers=headers, json=NEW)) == expected


async def test_another_organizations_codes_are_not_there(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    theirs = (await create(client, other_tenant))["id"]
    for code_id in (theirs, NOBODY):
        for method, url in operations(code_id):
            answer = await client.request(method, url, headers=if_match("*", tenant), json=NEW)
            assert status_and_body(answer) == not_found("There is no such promo code.")
    assert (await client.get(URL, headers=tenant.bearer)).json()["data"] == []


async def test_a_code_is_created_read_changed_and_moved_through_its_life(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    response = await client.post(URL, json=NEW, headers=tenant.bearer)
    code = response.json()
    assert status_and_body(response) == (201, {"id": code["id"], **CREATED})
    url = f"{URL}/{code['id']}"
    read = await client.get(url, headers=tenant.bearer)
    assert (status_and_body(read), read.headers["ETag"], response.headers["ETag"]) == ((200, code), '"1"', '"1"')

    change = {"flatDiscount": 12.5, "productBundleIds": [str(tenant.bundle_id)], "maxRedemptions": 7}
    changed = await client.put(url, json=change, headers=if_match(1, tenant))
    absent_fields = ("discountPercent", "startsAt", "expiresAt", "maxRedemptionsPerCandidate", "campaign", "notes")
    expected = {name: value for name, value in code.items() if name not in absent_fields} | change
    expected |= {"storeExamCodes": [], "emailAddresses": [], "restrictToEmailAddresses": False, "version": 2}
    expected["metadata"] = {}
    assert (status_and_body(changed), changed.headers["ETag"]) == ((200, expected), '"2"')

    moves = (("deactivate", "Inactive"), ("activate", "Active"), ("archive", "Archived"))
    for version, (move, status) in enumerate(moves, start=2):
        moved = await client.post(f"{url}/{move}", headers=if_match(version, tenant))
        expected |= {"status": status, "version": version + 1}
        assert status_and_body(moved) == (200, expected)
    entries = audit_entries_of(superuser, tenant, "PromoCode")
    assert [entry[2] for entry in entries] == ["Created", "Updated", "Deactivated", "Activated", "Archived"]
    assert {entry[:2] for entry in entries} == {("User", "ada@example.com")}
    _, _, _, before, after = entries[1]
    assert (before["discount_percent"], before["email_addresses"]) == (10, CREATED["emailAddresses"])
    assert (after["flat_discount"], after["version"]) == ("12.50", 2)


async def test_an_archived_code_stays_as_it_is(client: httpx.AsyncClient, tenant: Tenant) -> None:
    code = await create(client, tenant)
    await client.post(f"{URL}/{code['id']}/archive", headers=if_match(1, tenant))
    for method, url in operations(code["id"])[1:]:
        answer = await client.request(method, url, headers=if_match(2, tenant), json=NEW)
        assert status_and_body(answer) == wrong_state("Archived")
    name_taken = ("/name", "NameTaken", "name must be unique, and 'spring10' is taken.")
    assert status_and_body(await client.post(URL, json=NEW | {"name": "spring10"}, headers=tenant.bearer)) == invalid(
        name_taken
    )


async def test_a_code_is_not_moved_to_where_it_is(client: httpx.AsyncClient, tenant: Tenant) -> None:
    code = await create(client, tenant)
    url = f"{URL}/{code['id']}"
    assert status_and_body(await client.post(f"{url}/activate", headers=if_match(1, tenant))) == wrong_state("Active")
    await client.post(f"{url}/deactivate", headers=if_match(1, tenant))
    assert status_and_body(await client.post(f"{url}/deactivate", headers=if_match(2, tenant))) == wrong_state(
        "Inactive"
    )


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, [("name", "Required", "is required"), ("discountPercent", "OneDiscount", "")]),
        ({"name": "FLAT", "discountPercent": 5, "flatDiscount": 5}, [("discountPercent", "OneDiscount", "")]),
        (
            {"name": "no!", "discountPercent": 101, "maxRedemptions": 2, "maxRedemptionsPerCandidate": 3},
            [
                ("name", "NameNotAlphanumeric", "must be alphanumeric (A-Z, a-z, 0-9)"),
                ("discountPercent", "DiscountPercentRange", "must be between 1 and 100"),
                ("maxRedemptionsPerCandidate", "LimitAboveTotal", "must not exceed the limit in total"),
            ],
        ),
        (
            {"name": "AB", "flatDiscount": 0.005, "maxRedemptions": 0, "expiresAt": "2026-01-01"},
            [
                ("name", "NameLength", "must have 3 to 25 characters"),
                ("flatDiscount", "FlatDiscountRange", "must be above 0, below 10 billion, and in whole cents"),
                ("expiresAt", "NotDateTime", "must be an ISO 8601 date and time, such as 2026-01-01T00:00:00"),
                ("maxRedemptions", "LimitRange", "must be between 1 and 1,000,000,000"),
            ],
        ),
        (
            {"name": "ABC", "flatDiscount": 1e300, "expiresAt": "2026-06-15T12:00:00Z", "notes": "n" * 257}
            | {"campaign": "c" * 50 + "\x07" + "c" * 50},
            [
                ("flatDiscount", "FlatDiscountRange", "must be above 0, below 10 billion, and in whole cents"),
                ("expiresAt", "ExpiryInPast", "must not be in the past"),
                ("campaign", "CampaignTooLong", "must have at most 100 characters"),
                ("campaign", "ControlCharacters", "must not contain control characters"),
                ("notes", "NotesTooLong", "must have at most 256 characters"),
            ],
        ),
        (
            {
                "name": "ABC",
                "discountPercent": 1,
                "storeExamCodes": ["X-1"],
                "productBundleIds": [str(NOBODY)],
                "emailAddresses": ["nobody"],
            },
            [
                ("storeExamCodes", "StoreExamNotFound", "has unknown store exams: 'X-1'"),
                ("productBundleIds", "ProductBundleNotFound", f"has unknown product bundles: '{NOBODY}'"),
                ("emailAddresses", "InvalidEmailAddress", "must be valid e-mail addresses, not 'nobody'"),
            ],
        ),
        (
            {"name": 7, "discountPercent": "5", "storeExamCodes": "X", "restrictToEmailAddresses": "yes"},
            [
                ("name", "NotText", "must be a string"),
                ("discountPercent", "NotInteger", "must be an integer"),
                ("storeExamCodes", "NotList", "must be a list of strings"),
                ("restrictToEmailAddresses", "NotBoolean", "must be true or false"),
            ],
        ),
        (
            {"name": "ABC", "discountPercent": 5, "storeExamCodes": ["NCA-GENL", 1], "productBundleIds": ["?", None]},
            [
                ("storeExamCodes/1", "NotText", "must be a string"),
                ("productBundleIds/0", "NotUuid", "must be a UUID"),
                ("productBundleIds/1", "NotUuid", "must be a UUID"),
            ],
        ),
    ],
)
async def test_everything_that_is_wrong_with_a_new_code_is_named(
    client: httpx.AsyncClient, tenant: Tenant, body: dict[str, Any], errors: list[tuple[str, str, str]]
) -> None:
    one = "or a flat discount must be given, and not both of them"
    expected = {(f"/{name}", code, f"{name} {words or one}.") for name, code, words in errors}
    status, answer = status_and_body(await client.post(URL, json=body, headers=tenant.bearer))
    items = [(error["pointer"], error["code"], error["detail"]) for error in answer["errors"]]
    assert (status, set(items), len(items)) == (400, expected, len(errors))


async def test_a_total_limit_is_not_set_below_the_uses(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources
) -> None:
    limited = percent_code(tenant, "LIMITED", max_redemptions=10, redemption_count=4)
    await factories.add_promo_codes(resources, tenant, limited, now=NOW)
    body = {"discountPercent": 10}
    answer = await client.put(f"{URL}/{limited.id}", json=body | {"maxRedemptions": 3}, headers=if_match(1, tenant))
    message = "maxRedemptions must be at least 4, the number of redeemed and held uses."
    assert status_and_body(answer) == invalid(("/maxRedemptions", "LimitBelowUses", message))
    lowered = await client.put(f"{URL}/{limited.id}", json=body | {"maxRedemptions": 4}, headers=if_match(1, tenant))
    assert (lowered.status_code, lowered.json()["maxRedemptions"]) == (200, 4)


async def test_a_limit_that_comes_later_counts_the_uses_so_far_and_may_go_again(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources, clock: Clock
) -> None:
    code = percent_code(tenant, "FREE", max_redemptions=None)
    await factories.add_promo_codes(resources, tenant, code, now=NOW)
    for number, seconds in enumerate((None, None, 60, 1)):
        await create_redemption(client, tenant, "FREE", f"RSV-{number}", holdSeconds=seconds)
    clock.advance(seconds=1)  # the last hold has lapsed

    async def limit(value: int | None) -> httpx.Response:
        body = {"discountPercent": 10, "maxRedemptions": value}
        return await client.put(f"{URL}/{code.id}", json=body, headers=if_match("*", tenant))

    message = "maxRedemptions must be at least 3, the number of redeemed and held uses."
    assert status_and_body(await limit(2)) == invalid(("/maxRedemptions", "LimitBelowUses", message))
    assert (await limit(4)).json()["redemptionCount"] == 2
    await create_redemption(client, tenant, "FREE", "RSV-4")
    assert (await redeem(client, tenant, "FREE", "RSV-5")).status_code == 409
    assert (await limit(None)).json()["redemptionCount"] == 0
    await create_redemption(client, tenant, "FREE", "RSV-5")
    assert (await limit(5)).json()["redemptionCount"] == 4
    async with resources.database.unit_of_work(tenant.id) as work:
        assert (await ledger.verify(work)).discrepancies == []


async def test_a_limit_given_while_others_redeem_is_exact(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources
) -> None:
    code = percent_code(tenant, "FREE", max_redemptions=None)
    await factories.add_promo_codes(resources, tenant, code, now=NOW)
    body = {"discountPercent": 10, "maxRedemptions": 30}

    async def give() -> httpx.Response:
        return await client.put(f"{URL}/{code.id}", json=body, headers=if_match("*", tenant))

    def redemptions(start: int) -> list[Coroutine[Any, Any, httpx.Response]]:
        return [redeem(client, tenant, "FREE", f"RSV-{number}") for number in range(start, start + 20)]

    first, given = await asyncio.gather(asyncio.gather(*redemptions(0)), give())
    assert (given.status_code, {answer.status_code for answer in first}) == (200, {201})
    second = await asyncio.gather(*redemptions(20))
    assert [answer.status_code for answer in second].count(201) == 10
    async with resources.database.unit_of_work(tenant.id) as work:
        assert (await ledger.verify(work)).discrepancies == []


async def test_what_a_code_has_it_may_keep(client: httpx.AsyncClient, tenant: Tenant, resources: Resources) -> None:
    past = percent_code(tenant, "BYGONE", expires_at=NOW.replace(year=2020), product_bundle_ids=(tenant.bundle_id,))
    await factories.add_promo_codes(resources, tenant, past, now=NOW)
    await client.post(f"{ROOT}/store-exams/{tenant.exam_ids['NCA-GENL']}/archive", headers=if_match("*", tenant))
    await client.post(f"{ROOT}/product-bundles/{tenant.bundle_id}/archive", headers=if_match("*", tenant))
    read = (await client.get(f"{URL}/{past.id}", headers=tenant.bearer)).json()
    answer = await client.put(f"{URL}/{past.id}", json=read | {"notes": "Kept"}, headers=if_match(1, tenant))
    assert status_and_body(answer) == (200, read | {"notes": "Kept", "version": 2})


async def test_a_change_needs_the_version_that_is_there(client: httpx.AsyncClient, tenant: Tenant) -> None:
    code = await create(client, tenant)
    stale = problem(
        412,
        "version-stale",
        "Precondition failed",
        "The version in If-Match is not the current one. Read the resource again.",
    )
    words = "The header If-Match is required. Send the ETag of the representation that you read."
    missing = problem(428, "version-missing", "If-Match is required", words)
    for method, url in operations(code["id"])[1:]:
        assert status_and_body(await client.request(method, url, json=NEW, headers=tenant.bearer)) == missing
        assert status_and_body(await client.request(method, url, json=NEW, headers=if_match(2, tenant))) == stale


async def test_the_same_request_under_its_key_has_one_effect(client: httpx.AsyncClient, tenant: Tenant) -> None:
    keyed = tenant.bearer | {"Idempotency-Key": "make"}
    first, again = [await client.post(URL, json=NEW, headers=keyed) for _ in range(2)]
    assert (status_and_body(first), first.headers["ETag"]) == (status_and_body(again), again.headers["ETag"])
    other = await client.post(URL, json=NEW | {"name": "OTHER"}, headers=keyed)
    assert (other.status_code, other.json()["type"]) == (422, "urn:tessera:problem:idempotency-key-reused")


async def test_a_list_has_its_filters_and_goes_on_by_its_link(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources
) -> None:
    codes = [
        percent_code(tenant, "AAA"),
        percent_code(tenant, "BBB", status=Status.INACTIVE, store_exam_ids=(tenant.exam_ids["CLD-100"],)),
        NewPromoCode(id=new_id(), name="CCC", status=Status.ACTIVE, flat_discount=Decimal(5)),
        percent_code(tenant, "DDD", product_bundle_ids=(tenant.bundle_id,), email_addresses=("a@example.com",)),
    ]
    await factories.add_promo_codes(resources, tenant, *codes, now=NOW)

    assert await names_of(client, tenant, "") == ["AAA", "BBB", "CCC", "DDD"]
    for query, expected in (
        ("name=bbb", ["BBB"]),
        ("status=active", ["AAA", "CCC", "DDD"]),
        ("kind=Flat", ["CCC"]),
        ("kind=Percent&status=Active", ["AAA", "DDD"]),
        ("storeExamCode=nca-genl", ["AAA", "DDD"]),
        (f"productBundleId={tenant.bundle_id}", ["DDD"]),
        (f"productBundleId={tenant.bundle_id}&storeExamCode=CLD-100", []),
        (f"batchId={NOBODY}", []),
        ("order=newest", ["DDD", "CCC", "BBB", "AAA"]),
        ("order=newest&status=active", ["DDD", "CCC", "AAA"]),
        ("order=newest&storeExamCode=nca-genl", ["DDD", "AAA"]),
    ):
        assert (query, await names_of(client, tenant, query)) == (query, expected)
    whole = (await client.get(f"{URL}?name=DDD", headers=tenant.bearer)).json()["data"]
    one = (await client.get(f"{URL}/{codes[3].id}", headers=tenant.bearer)).json()
    assert whole == [{name: value for name, value in one.items() if name != "emailAddresses"}]
    bad = await client.get(f"{URL}?status=Gone&kind=x&productBundleId=x", headers=tenant.bearer)
    assert {error["pointer"] for error in bad.json()["errors"]} == {"/status", "/kind", "/productBundleId"}


async def test_a_search_finds_codes_by_their_beginning_in_both_orders(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, resources: Resources
) -> None:
    names = ["SPRING2", "spring10", "SPRING", "SUMMER"]
    codes = [percent_code(tenant, name, product_bundle_ids=(tenant.bundle_id,)) for name in names[:2]]
    codes += [percent_code(tenant, name, status=Status.INACTIVE) for name in names[2:]]
    await factories.add_promo_codes(resources, tenant, *codes, now=NOW)
    await factories.add_promo_codes(resources, other_tenant, percent_code(other_tenant, "SPRING3"), now=NOW)
    for query, expected in (
        ("search=spr", ["SPRING", "spring10", "SPRING2"]),
        ("search=SPRING1", ["spring10"]),
        ("search=spr&order=newest", ["SPRING", "spring10", "SPRING2"]),
        ("search=s&order=Newest", ["SUMMER", "SPRING", "spring10", "SPRING2"]),
        ("search=s&status=Active", ["spring10", "SPRING2"]),
        ("search=s&status=Active&order=newest", ["spring10", "SPRING2"]),
        (f"search=s&productBundleId={tenant.bundle_id}&storeExamCode=NCA-GENL", ["spring10", "SPRING2"]),
        ("search=s&storeExamCode=CLD-100", []),
        ("search=s%25", []),
        ("search=_", []),
        ("search=%F4%8F%BF%BF", []),
    ):
        assert (query, await names_of(client, tenant, query)) == (query, expected)
    bad = await client.get(f"{URL}?order=oldest", headers=tenant.bearer)
    assert status_and_body(bad) == invalid(("/order", "NotAmongValues", "order must be one of newest."))


async def test_a_search_in_an_order_without_an_index_finds_a_limited_number(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = [percent_code(tenant, f"SPRING{number}") for number in range(3)]
    await factories.add_promo_codes(resources, tenant, *codes, now=NOW)
    for limit, expected in ((3, 200), (2, 400)):
        monkeypatch.setattr(pages, "MAX_RESULTS", limit)
        answer = await client.get(f"{URL}?search=spr&order=newest", headers=tenant.bearer)
        assert (limit, answer.status_code) == (limit, expected)
    assert answer.json()["type"] == "urn:tessera:problem:too-many-results"


async def test_an_edit_of_any_version_that_waits_for_another_edit_succeeds(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection, addresses: Addresses
) -> None:
    content = {"discountPercent": 10, "notes": "Old"}
    created = (await client.post(URL, json={"name": "SPRING", **content}, headers=tenant.bearer)).json()
    url, content = f"{URL}/{created['id']}", content | {"maxRedemptions": 9, "notes": "New"}
    edit = "update promo_codes set version = version + 1, max_redemptions = %s where id = %s"
    answers = []
    for limit, versions in ((5, "*"), (None, '"4", "3"')):
        headers = tenant.bearer | {"If-Match": versions}
        with psycopg.connect(addresses.owner.replace("+psycopg", "")) as rival:
            rival.execute(edit, [limit, created["id"]])
            waiting = asyncio.create_task(client.put(url, json=content, headers=headers))
            await until_blocked(superuser, lock_type="transactionid")
            rival.commit()
        answers.append(await waiting)
    assert [(answer.status_code, answer.json()["version"]) for answer in answers] == [(200, 3), (200, 5)]


async def test_the_platforms_own_codes_are_global(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources, superuser: psycopg.Connection
) -> None:
    administrator = await platform_administrator(resources, superuser)
    name = f"GLOBAL{new_id().hex[-12:]}"
    response = await client.post(URL, json={"name": name, "flatDiscount": 3, "isActive": True}, headers=administrator)
    assert (response.status_code, response.json()["storeExamCodes"]) == (201, [])
    question = {"codes": [name], "storeExamCode": "CLD-100"}
    url = "/storefront/v1/validations"
    answer = (await client.post(url, json=question, headers=tenant.api_key)).json()["results"]
    assert [(each["isValid"], each["discount"]) for each in answer] == [(True, 3.0)]
    archived = await client.post(f"{URL}/{response.json()['id']}/archive", headers=administrator | {"If-Match": '"1"'})
    assert archived.json()["status"] == "Archived"
    answer = (await client.post(url, json=question, headers=tenant.api_key)).json()["results"]
    assert [reason["code"] for each in answer for reason in each["reasons"]] == ["Archived"]
    owner = superuser.execute("select organization_id from promo_codes where name = %s", [name]).fetchone()
    assert owner == (PLATFORM_ID,)
