"""Metadata of records of each kind: show, replace, and find by one key."""

import csv
import io
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
    if_match,
    invalid,
    not_found,
    problem,
)
from tests.support.redemption_requests import create_redemption
from tests.support.responses import status_and_body
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_vouchers, voucher
from tests.support.voucher_management import PROGRAM, PROGRAMS, create_purchase, create_resource

from tessera.api.serving.resources import Resources

URL = f"{ROOT}/metadata"
KINDS = {
    "PromoCode": "promo-codes",
    "VoucherProgram": "voucher-programs",
    "VoucherPurchase": "voucher-purchases",
    "Voucher": "vouchers",
    "Redemption": "redemptions",
}
LISTS = {kind: f"{ROOT}/{collection}" for kind, collection in KINDS.items()} | {
    "Redemption": "/storefront/v1/redemptions"
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


def records_that_lists_miss(superuser: psycopg.Connection, tenant: Tenant) -> list[Any]:
    """The records whose metadata differ from the rows by which lists find them."""
    return [
        row
        for kind, collection in KINDS.items()
        for row in superuser.execute(
            f"select r.metadata, m.texts from {collection.replace('-', '_')} r left join"
            " (select record_id, jsonb_object_agg(key, value) as texts from record_metadata"
            "  where organization_id = %(tenant)s and kind = %(kind)s group by record_id) m on m.record_id = r.id"
            " where r.organization_id = %(tenant)s and r.metadata is distinct from m.texts",
            {"tenant": tenant.id, "kind": kind},
        )
    ]


async def show(client: httpx.AsyncClient, tenant: Tenant, kind: str, id_: object) -> dict[str, Any]:
    return dict((await client.get(f"{LISTS[kind]}/{id_}", headers=tenant.bearer)).json())


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
        if kind != "Redemption":
            assert (await show(client, tenant, kind, id_))["version"] == 2
        changed = await put(client, tenant, kind, id_, {"order": "2"})
        assert changed.json()["metadata"] == {"order": "2"}
        assert (await find(client, tenant, kind=kind, key="order", value="1"))["data"] == []
        entries = [entry for entry in audit_entries_of(superuser, tenant, kind) if entry[2] == "Updated"]
        assert records_that_lists_miss(superuser, tenant) == []
        keys = [(entry[3]["metadata_keys"], entry[4]["metadata_keys"]) for entry in entries]
        assert keys == [([], ["Caf\u00e9", "order"]), (["Caf\u00e9", "order"], ["order"])]


async def test_each_list_has_metadata_and_a_filter_by_them(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, other_tenant: Tenant
) -> None:
    theirs, texts = await records(client, resources, other_tenant), {"order": "A=1", "note": ""}
    for kind, id_ in (await records(client, resources, tenant)).items():
        assert (await put(client, other_tenant, kind, theirs[kind], texts)).status_code == 200
        assert (await put(client, tenant, kind, id_, texts)).status_code == 200
        assert (await show(client, tenant, kind, id_))["metadata"] == texts
        for query in ("metadata=order=A%3D1", "metadata=order%20=A=1", "metadata=note="):
            page = (await client.get(f"{LISTS[kind]}?{query}", headers=tenant.bearer)).json()
            found = [(each["id"], each["metadata"]) for each in page["data"]]
            assert (query, found, page["nextLink"]) == (query, [(str(id_), texts)], None)
        for query in ("metadata=order=a=1", "metadata=Order=A=1", "metadata=order=", "metadata=order=A"):
            assert (await client.get(f"{LISTS[kind]}?{query}", headers=tenant.bearer)).json()["data"] == []
        message = ("NotKeyAndText", "metadata must be KEY=TEXT, such as orderId=ORD-1001.")
        for query in ("metadata=order", "metadata==1", "metadata=%20=1"):
            answer = await client.get(f"{LISTS[kind]}?{query}", headers=tenant.bearer)
            assert status_and_body(answer) == invalid(("/metadata", *message))
        answer = await client.get(f"{LISTS[kind]}?metadata=order=%00", headers=tenant.bearer)
        assert answer.json()["errors"][0]["code"] == "ControlCharacters"


async def test_bodies_set_keep_and_clear_metadata(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    code = await create_resource(
        client, tenant, LISTS["PromoCode"], {"name": "SPRING", "discountPercent": 10, "metadata": {"order": "1"}}
    )
    texts = {"metadata": {"order": "1"}}
    purchase = await create_purchase(client, tenant, program=texts, **texts)
    program = (await client.get(f"{PROGRAMS}/{purchase['programId']}", headers=tenant.bearer)).json()
    for kind, record in (("PromoCode", code), ("VoucherProgram", program), ("VoucherPurchase", purchase)):
        assert record["metadata"] == {"order": "1"}
        found = (await client.get(f"{LISTS[kind]}?metadata=order=1", headers=tenant.bearer)).json()["data"]
        assert [each["id"] for each in found] == [record["id"]]
        assert audit_entries_of(superuser, tenant, kind)[0][4]["metadata_keys"] == ["order"]
    changed_program = {name: value for name, value in PROGRAM.items() if name != "isActive"}
    changes = (("PromoCode", code, {"discountPercent": 20}), ("VoucherProgram", program, changed_program))
    for kind, record, body in changes:
        url = f"{LISTS[kind]}/{record['id']}"
        for number, metadata in enumerate(({"order": "2", "note": "x"}, {"note": "x"}, {}), start=1):
            sent = body | ({"metadata": metadata} if metadata else {})
            answer = await client.put(url, json=sent, headers=if_match(number, tenant))
            assert (answer.json()["metadata"], answer.json()["version"]) == (metadata, number + 1)
            for key, text in {"order": "2", "note": "x"}.items():
                answer = await client.get(f"{LISTS[kind]}?metadata={key}={text}", headers=tenant.bearer)
                assert [each["id"] for each in answer.json()["data"]] == [record["id"]] * (key in metadata)
            assert records_that_lists_miss(superuser, tenant) == []


async def test_files_have_a_column_for_each_key(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, other_tenant: Tenant
) -> None:
    theirs = await records(client, resources, other_tenant)
    for kind, id_ in (await records(client, resources, tenant)).items():
        await put(client, other_tenant, kind, theirs[kind], {"theirs": "1"})
        await put(client, tenant, kind, id_, {"order;no": "=1", "Note": "x"})
        if kind in ("PromoCode", "Voucher", "Redemption"):
            answer = await client.get(f"{ROOT}/exports/{KINDS[kind]}", headers=tenant.bearer)
            (row,) = csv.DictReader(io.StringIO(answer.text))
            found = {title: text for title, text in row.items() if title.startswith("metadata")}
            assert found == {"metadata.Note": "x", "metadata.order;no": "'=1"}
            assert row["id"] == str(id_)
    exported = await client.get(f"{ROOT}/exports/redemptions?metadata=Note=y", headers=tenant.bearer)
    assert len(exported.text.splitlines()) == 1


@pytest.mark.parametrize("kind", ["PromoCode", "VoucherProgram", "VoucherPurchase"])
async def test_everything_that_is_wrong_in_a_body_is_named(
    client: httpx.AsyncClient, tenant: Tenant, kind: str
) -> None:
    for metadata, code in (
        ({"order": 1}, ("/metadata", "NotText")),
        ({"k": "", "k ": ""}, ("/metadata", "Repeated")),
        ({"a/b": "v" * 501}, ("/metadata/a~1b", "ValueTooLong")),
    ):
        answer = await client.post(LISTS[kind], json={"metadata": metadata}, headers=tenant.bearer)
        assert code in [(error["pointer"], error["code"]) for error in answer.json()["errors"]]


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
            {f"k{n}": "\U0001f600" * 100 for n in range(20)},
            [("/metadata", "TooLong", "metadata must have at most 8,000 bytes in all.")],
        ),
        (
            {"k": "", " k": ""},
            [("/metadata", "Repeated", "metadata must have each key once, apart from white space around it.")],
        ),
        (
            {" ": "", "k" * 41: "", "a/b": "v" * 501, "c": "\u0000", "d\u2028e": ""},
            [
                ("/metadata/", "KeyLength", "metadata/ must have a key of 1 to 40 characters."),
                ("/metadata/a~1b", "ValueTooLong", "metadata/a~1b must have at most 500 characters."),
                ("/metadata/c", "ControlCharacters", "metadata/c must not contain control characters."),
                (
                    "/metadata/d\u2028e",
                    "ControlCharacters",
                    "metadata/d\u2028e must not contain control characters.",
                ),
                (f"/metadata/{'k' * 40}", "KeyLength", f"metadata/{'k' * 40} must have a key of 1 to 40 characters."),
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
