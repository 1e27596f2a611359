"""Metadata of records of each kind: show, replace, and find by one key."""

from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from tests.conftest import NOW
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.management_requests import (
    RIGHT_IS_MISSING,
    ROOT,
    audit_entries_of,
    headers_without_rights,
    invalid,
    not_found,
    problem,
)
from tests.support.redemption_requests import create_redemption
from tests.support.responses import status_and_body
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_vouchers, voucher

from tessera.api.serving.resources import Resources

URL = f"{ROOT}/metadata"
KINDS = {
    "PromoCode": "promo-codes",
    "VoucherProgram": "voucher-programs",
    "VoucherPurchase": "voucher-purchases",
    "Voucher": "vouchers",
    "Redemption": "redemptions",
}
NOBODY = UUID(int=7)


async def records(client: httpx.AsyncClient, resources: Resources, tenant: Tenant) -> dict[str, object]:
    """The id of a record of each kind."""
    code = percent_code(tenant, "SPRING")
    await add_promo_codes(resources, tenant, code, now=NOW)
    partner, program = await add_partner(resources, tenant, "Acme"), await add_program(resources, tenant, "Open")
    purchase = await add_purchase(resources, tenant, partner, program, "VP-1")
    paid = voucher(purchase, partner, "PAID")
    await add_vouchers(resources, tenant, paid)
    redemption = (await create_redemption(client, tenant, "SPRING"))["id"]
    return dict(zip(KINDS, (code.id, program, purchase, paid.id, redemption), strict=True))


async def put(client: httpx.AsyncClient, tenant: Tenant, kind: str, id_: object, metadata: Any) -> httpx.Response:
    url = f"{ROOT}/{KINDS[kind]}/{id_}/metadata"
    return await client.put(url, json={"metadata": metadata}, headers=tenant.bearer)


async def find(client: httpx.AsyncClient, tenant: Tenant, **query: object) -> dict[str, Any]:
    answer = await client.get(URL, params={name: str(value) for name, value in query.items()}, headers=tenant.bearer)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_records_of_each_kind_have_metadata_and_are_found_by_them(
    client: httpx.AsyncClient,
    resources: Resources,
    tenant: Tenant,
    other_tenant: Tenant,
    superuser: psycopg.Connection,
) -> None:
    theirs = await records(client, resources, other_tenant)
    for kind, id_ in (await records(client, resources, tenant)).items():
        expected: dict[str, Any] = {"id": str(id_), "kind": kind, "metadata": {}}
        url = f"{ROOT}/{KINDS[kind]}/{id_}/metadata"
        assert status_and_body(await client.get(url, headers=tenant.bearer)) == (200, expected)
        assert status_and_body(await put(client, other_tenant, kind, theirs[kind], {"order": "1"}))[0] == 200
        expected["metadata"] = {"Caf\u00e9": "two words", "order": "1"}
        answer = await put(client, tenant, kind, id_, {"order": " 1\u00a0", " Cafe\u0301": "two words"})
        assert status_and_body(answer) == (200, expected)
        assert (await put(client, tenant, kind, id_, expected["metadata"])).json() == expected
        assert (await client.get(url, headers=tenant.bearer)).json() == expected
        found = await find(client, tenant, kind=kind, key="order ", value="1")
        assert found == {"data": [expected], "nextLink": None, "nextCursor": None}
        changed = await put(client, tenant, kind, id_, {"order": "2"})
        assert changed.json()["metadata"] == {"order": "2"}
        assert (await find(client, tenant, kind=kind, key="order", value="1"))["data"] == []
        entries = [entry for entry in audit_entries_of(superuser, tenant, kind) if entry[2] == "Updated"]
        keys = [(entry[3]["metadata_keys"], entry[4]["metadata_keys"]) for entry in entries]
        assert keys == [([], ["Caf\u00e9", "order"]), (["Caf\u00e9", "order"], ["order"])]


async def test_without_the_function_point_every_operation_is_403(client: httpx.AsyncClient, tenant: Tenant) -> None:
    headers = await headers_without_rights(client, tenant)
    expected = problem(403, "function-point-missing", "Permission missing", RIGHT_IS_MISSING)
    paths = [URL, *(f"{ROOT}/{collection}/{NOBODY}/metadata" for collection in KINDS.values())]
    for path in paths:
        assert status_and_body(await client.get(path, headers=headers)) == expected
    for path in paths[1:]:
        assert status_and_body(await client.put(path, json={"metadata": {}}, headers=headers)) == expected


async def test_a_record_of_nobody_or_of_another_organization_is_not_there(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, other_tenant: Tenant
) -> None:
    theirs = await records(client, resources, other_tenant)
    nouns = ("promo code", "voucher program", "voucher purchase", "voucher", "redemption")
    for kind, noun in zip(KINDS, nouns, strict=True):
        for id_ in (theirs[kind], NOBODY):
            expected = not_found(f"There is no such {noun}.")
            assert status_and_body(await put(client, tenant, kind, id_, {"order": "1"})) == expected
            answer = await client.get(f"{ROOT}/{KINDS[kind]}/{id_}/metadata", headers=tenant.bearer)
            assert status_and_body(answer) == expected


@pytest.mark.parametrize(
    ("metadata", "errors"),
    [
        (None, [("/metadata", "Required", "metadata is required.")]),
        (["order"], [("/metadata", "NotObject", "metadata must be an object.")]),
        ({"order": 1}, [("/metadata", "NotText", "metadata must have strings as values.")]),
        ({f"k{n}": "" for n in range(21)}, [("/metadata", "TooManyKeys", "metadata must have at most 20 keys.")]),
        (
            {"k": "", " k": ""},
            [("/metadata", "Repeated", "metadata must have each key once, apart from white space around it.")],
        ),
        (
            {" ": "", "k" * 41: "", "a/b": "v" * 501, "c": "\u0000", "d\u2028e": ""},
            [
                ("/metadata/ ", "KeyLength", "metadata/  must have a key of 1 to 40 characters."),
                (f"/metadata/{'k' * 40}", "KeyLength", f"metadata/{'k' * 40} must have a key of 1 to 40 characters."),
                ("/metadata/a~1b", "ValueTooLong", "metadata/a~1b must have at most 500 characters."),
                ("/metadata/c", "ControlCharacters", "metadata/c must not contain control characters."),
                (
                    "/metadata/d\u2028e",
                    "ControlCharacters",
                    "metadata/d\u2028e must not contain control characters.",
                ),
            ],
        ),
    ],
    ids=str,
)
async def test_everything_that_is_wrong_is_named(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, metadata: Any, errors: list[tuple[str, str, str]]
) -> None:
    code = percent_code(tenant, "SPRING")
    await add_promo_codes(resources, tenant, code, now=NOW)
    assert status_and_body(await put(client, tenant, "PromoCode", code.id, metadata)) == invalid(*errors)


async def test_the_longest_texts_are_kept_and_found_in_parts(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    codes = [percent_code(tenant, f"CODE{number}") for number in range(3)]
    await add_promo_codes(resources, tenant, *codes, now=NOW)
    key, value = "\U0001f511" * 40, "\U0001f600" * 500
    for code in codes:
        assert (await put(client, tenant, "PromoCode", code.id, {key: value})).status_code == 200
    query = {"kind": "promocode", "key": key, "value": value}
    first = await find(client, tenant, **query, limit=2)
    last = await find(client, tenant, **query, limit=2, cursor=first["nextCursor"])
    ids = sorted(str(code.id) for code in codes)
    assert [record["id"] for record in first["data"] + last["data"]] == ids
    assert last["nextCursor"] is None
