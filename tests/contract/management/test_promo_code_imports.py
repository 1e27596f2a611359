"""Importing promo codes from CSV files of any program: all or nothing, and an error for each bad line."""

import csv
import io
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from tests.conftest import NOW
from tests.support import factories
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.management_requests import RIGHT_IS_MISSING, ROOT, audit_entries_of, headers_without_rights, problem
from tests.support.recording import record_statements
from tests.support.responses import status_and_body

from tessera.api.http import parsing as http_parsing
from tessera.api.serving.resources import Resources
from tessera.kit.imports import rows
from tessera.promo_codes.imports import service
from tessera.promo_codes.rules import Status

URL = f"{ROOT}/promo-code-imports"
CODES = f"{ROOT}/promo-codes"
HEADER = "name,status,discountPercent,flatDiscount,storeExamCodes,expiresAt,maxRedemptions,notes"
GOOD = f"""{HEADER}
SPRING10,Active,10,,nca-genl|CLD-100,2030-01-01T00:00:00Z,100,"For ""spring"", and summer"
WELCOME5,,,5.50,,2030-01-01,,'=1+1
"""


async def send(
    client: httpx.AsyncClient, tenant: Tenant, content: str | bytes, *, query: str = "", **headers: str
) -> httpx.Response:
    sent = tenant.bearer | {"Content-Type": "text/csv"} | headers
    return await client.post(f"{URL}{query}", content=content, headers=sent)


async def codes_of(client: httpx.AsyncClient, tenant: Tenant) -> list[dict[str, Any]]:
    listed = (await client.get(CODES, headers=tenant.bearer)).json()["data"]
    return [(await client.get(f"{CODES}/{code['id']}", headers=tenant.bearer)).json() for code in listed]


def import_failed(*errors: tuple[int, str, str, str], lines: int | None = None) -> tuple[int, dict[str, Any]]:
    named = [
        {"pointer": f"/{line}/{column}", "code": code, "detail": f"Line {line}: {column} {words}."}
        for line, column, code, words in errors
    ]
    count = lines or len({line for line, *_ in errors})
    words = f"Bad lines in all: {count}. Nothing was imported."
    return problem(400, "validation-failed", "The file has bad lines", words, errors=named)


async def test_a_caller_without_the_right_imports_nothing(client: httpx.AsyncClient, tenant: Tenant) -> None:
    headers = await headers_without_rights(client, tenant) | {"Content-Type": "text/csv"}
    expected = problem(403, "function-point-missing", "Permission missing", RIGHT_IS_MISSING)
    assert status_and_body(await client.post(URL, content=GOOD, headers=headers)) == expected
    assert (await client.post(URL, content=GOOD)).status_code == 401


async def test_a_file_is_looked_at_and_imported(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, superuser: psycopg.Connection
) -> None:
    dry = await send(client, tenant, GOOD, query="?dryRun=true")
    assert status_and_body(dry) == (200, {"promoCodes": 2, "isDryRun": True})
    assert await codes_of(client, tenant) == []
    assert status_and_body(await send(client, tenant, GOOD)) == (201, {"promoCodes": 2, "isDryRun": False})
    spring, welcome = await codes_of(client, tenant)
    common = {
        "productBundleIds": [],
        "restrictToEmailAddresses": False,
        "emailAddresses": [],
        "expiresAt": "2030-01-01T00:00:00Z",
        "redemptionCount": 0,
        "metadata": {},
        "createdAt": "2026-06-15T12:00:00Z",
        "version": 1,
    }
    assert spring == common | {
        "id": spring["id"],
        "name": "SPRING10",
        "status": "Active",
        "discountPercent": 10,
        "storeExamCodes": ["NCA-GENL", "CLD-100"],
        "maxRedemptions": 100,
        "notes": 'For "spring", and summer',
    }
    assert welcome == common | {
        "id": welcome["id"],
        "name": "WELCOME5",
        "status": "Inactive",
        "flatDiscount": 5.5,
        "storeExamCodes": [],
        "notes": "=1+1",
    }
    assert await codes_of(client, other_tenant) == []
    ((kind, name, action, before, after),) = audit_entries_of(superuser, tenant, "PromoCodeImport")
    assert (kind, name, action, before, after["promo_codes"]) == ("User", "ada@example.com", "Imported", None, 2)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace(",", ";").encode(),
        GOOD.replace(",", "\t").encode(),
        GOOD.replace(",", "\t").encode("utf-16"),
        GOOD.replace("discountPercent", '"Discount percent"').replace("maxRedemptions", "MAX_REDEMPTIONS").encode(),
        GOOD.replace("\nWELCOME", "\n\n,,,,,,,\nWELCOME").encode().rstrip(),
        "\n".join(f"{line},ignored" for line in GOOD.strip().split("\n")).replace("notes,ignored", "notes,id").encode(),
    ],
    ids=["BOM", "CRLF", "semicolons", "tabs", "UTF-16", "titles of people", "empty lines", "an export's columns"],
)
async def test_whatever_wrote_the_file_it_is_read(client: httpx.AsyncClient, tenant: Tenant, content: bytes) -> None:
    assert status_and_body(await send(client, tenant, content)) == (201, {"promoCodes": 2, "isDryRun": False})
    assert [code["name"] for code in await codes_of(client, tenant)] == ["SPRING10", "WELCOME5"]


async def test_every_bad_line_is_named_and_nothing_is_imported(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources
) -> None:
    await factories.add_promo_codes(resources, tenant, percent_code(tenant, "TAKEN"), now=NOW)
    lines = (
        "GOOD1,Active,10,,,,,",
        "no!,Retired,101,5,,2020-01-01,0,",
        ",,ten,,,soon,1.5,",
        'TWOLINES,,5,,,,,"of\nnotes"',
        "taken,,,abc,X-1,,,",
        "good1,,10,,,,,",
        "SHORT,,10",
        "NUL\0,,10,,,,,",
    )
    content = "\n".join((HEADER, *lines)).encode() + b"\nCAF\xc9,,10,,,,,\n"
    one = "or a flat discount must be given, and not both of them"
    number = "must be a whole number"
    time = "must be an ISO 8601 date and time, such as 2026-01-01T00:00:00Z, or a date for its first moment in UTC"
    text = "must be text in UTF-8, without NUL characters"
    expected = import_failed(
        (3, "status", "NotAmongValues", "must be Inactive, Active or Archived"),
        (3, "name", "NameNotAlphanumeric", "must be alphanumeric (A-Z, a-z, 0-9)"),
        (3, "discountPercent", "OneDiscount", one),
        (3, "discountPercent", "DiscountPercentRange", "must be between 1 and 100"),
        (3, "maxRedemptions", "LimitRange", "must be between 1 and 1,000,000,000"),
        (4, "name", "Required", "is required"),
        (4, "discountPercent", "NotInteger", number),
        (4, "expiresAt", "NotDateTime", time),
        (4, "maxRedemptions", "NotInteger", number),
        (7, "flatDiscount", "NotNumber", "must be a number such as 12.50"),
        (7, "storeExamCodes", "StoreExamNotFound", "has unknown store exams: 'X-1'"),
        (7, "name", "NameTaken", "must be unique, and 'taken' is taken"),
        (8, "name", "Repeated", "must be unique, but an earlier line has it"),
        (9, "name", "NumberOfCells", "must have as many cells as the first line, 8, and has 3"),
        (10, "name", "NotText", text),
        (11, "name", "NotText", text),
    )
    for query in ("?dryRun=true", ""):
        assert status_and_body(await send(client, tenant, content, query=query)) == expected
    assert [code["name"] for code in await codes_of(client, tenant)] == ["TAKEN"]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("", (1, "header", "Required", "must contain the column 'name'")),
        ("status\nActive\n", (1, "header", "Required", "must contain the column 'name'")),
        ("name,Name\n", (1, "header", "Repeated", "must name each column once")),
        ('name,notes\nGOOD,"open\nABC,x\n', (2, "header", "NotCsv", "cannot be read as CSV: unexpected end of data")),
        (b"\x1f\x8b\x08\xff", (1, "header", "NotText", "must be text in UTF-8, without NUL characters")),
        (b"name\0\n", (1, "header", "NotText", "must be text in UTF-8, without NUL characters")),
        (b"\xff\xfe\x00\xd8\x00\xd8", (1, "header", "NotText", "is not UTF-16 text")),
    ],
)
async def test_a_file_of_another_format_is_refused(
    client: httpx.AsyncClient, tenant: Tenant, content: str | bytes, error: tuple[int, str, str, str]
) -> None:
    assert status_and_body(await send(client, tenant, content)) == import_failed(error)


async def test_an_unknown_column_is_an_error(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await send(client, tenant, "name,discountPercent,maxRedemption\nABC,1,1\n")
    (error,) = answer.json()["errors"]
    assert (error["code"], error["detail"].rpartition(", ")[2]) == ("UnknownColumn", "and 'maxRedemption' is unknown.")


async def test_a_file_of_another_type_or_too_large_is_refused(
    client: httpx.AsyncClient, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = await send(client, tenant, GOOD, **{"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["type"]) == (415, "urn:tessera:problem:unsupported-media-type")
    large = await send(client, tenant, HEADER + "\n" + (" " * 2**10 + "\n") * 2**12)
    assert large.status_code == 400  # read, although it is larger than other bodies may be
    monkeypatch.setitem(http_parsing._LARGER, URL, 100)
    answer = await send(client, tenant, GOOD)
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:tessera:problem:request-too-large")
    monkeypatch.undo()
    monkeypatch.setattr("tessera.promo_codes.imports.service.MAX_LINES", 1)
    answer = await send(client, tenant, GOOD)
    assert [error["code"] for error in answer.json()["errors"]] == ["TooManyLines"]
    assert await codes_of(client, tenant) == []


async def test_too_many_blank_lines_are_refused(
    client: httpx.AsyncClient, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MAX_LINES", 3)
    for blank_lines, status in ((3, 201), (4, 400)):
        answer = await send(client, tenant, "name,flatDiscount\n" + blank_lines * "\n" + f"ABC{blank_lines},5\n")
        assert (answer.status_code, "TooManyLines" in answer.text) == (status, status == 400)


async def test_a_cell_above_the_size_limit_is_reported(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await send(client, tenant, f"name,notes\nABC,{'x' * (rows.MAX_CELL + 1)}\n")
    assert [error["code"] for error in answer.json()["errors"]] == ["NotCsv"]


async def test_a_first_line_of_any_length_is_reported(client: httpx.AsyncClient, tenant: Tenant) -> None:
    csv.field_size_limit(131_072)  # as in a process that has imported nothing yet
    answer = await send(client, tenant, f"{'x' * 200_000}\n")
    assert [error["code"] for error in answer.json()["errors"]] == ["UnknownColumn"]


async def test_the_same_file_under_its_key_is_imported_once(client: httpx.AsyncClient, tenant: Tenant) -> None:
    key = {"Idempotency-Key": "import"}
    dry = await send(client, tenant, GOOD, query="?dryRun=true", **key)
    first, again = [await send(client, tenant, GOOD, **key) for _ in range(2)]
    assert (dry.status_code, status_and_body(first)) == (200, status_and_body(again))
    other = await send(client, tenant, GOOD.replace("WELCOME5", "WELCOME6"), **key)
    assert (other.status_code, other.json()["type"]) == (422, "urn:tessera:problem:idempotency-key-reused")


async def test_what_is_exported_can_be_imported_elsewhere(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, tmp_path: Path
) -> None:
    await send(client, tenant, GOOD)
    everything = {"name": "FULL", "discountPercent": 1, "emailAddresses": ["+a@example.com", "b|c@example.com"]}
    everything |= {"restrictToEmailAddresses": True, "maxRedemptions": 3, "maxRedemptionsPerCandidate": 2}
    everything["notes"] = " '=1\r\n"
    everything["metadata"] = {"order_id": "=1", "=a;b": "x|y", "Order ID": "'2"}
    await client.post(CODES, json=everything, headers=tenant.bearer)
    exported = await client.get(f"{ROOT}/exports/promo-codes", headers=tenant.bearer)
    answer = await send(client, other_tenant, exported.content)
    assert status_and_body(answer) == (201, {"promoCodes": 3, "isDryRun": False})
    theirs, ours = await codes_of(client, other_tenant), await codes_of(client, tenant)
    assert [code | {"id": ""} for code in theirs] == [code | {"id": ""} for code in ours]


async def test_an_export_with_archived_and_expired_codes_is_imported_as_it_is(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, other_tenant: Tenant
) -> None:
    yesterday = NOW - timedelta(days=1)
    expired = percent_code(tenant, "BYGONE", starts_at=yesterday - timedelta(days=1), expires_at=yesterday)
    terms = {"is_combinable": True, "campaign": "Spring|'2030", "starts_at": NOW}
    archived = percent_code(tenant, "RETIRED", status=Status.ARCHIVED, **terms)
    await add_promo_codes(resources, tenant, expired, archived, now=NOW)
    exported = (await client.get("/management/v1/exports/promo-codes", headers=tenant.bearer)).text
    assert (await send(client, other_tenant, exported)).status_code == 201
    again = (await client.get("/management/v1/exports/promo-codes", headers=other_tenant.bearer)).text
    before, after = [
        [{**row, "id": "", "createdAt": ""} for row in csv.DictReader(io.StringIO(text))] for text in (exported, again)
    ]
    assert sorted(before, key=str) == sorted(after, key=str)
    assert [row["status"] for row in after] == ["Active", "Archived"]


async def edit(client: httpx.AsyncClient, tenant: Tenant, content: str, *, dry_run: bool = False) -> httpx.Response:
    return await send(client, tenant, content, query=f"?update=true&dryRun={str(dry_run).lower()}")


async def test_an_export_that_is_sent_back_changes_nothing(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    expired = percent_code(tenant, "BYGONE", expires_at=NOW - timedelta(days=1), email_addresses=("a|b@example.com",))
    archived = percent_code(tenant, "RETIRED", status=Status.ARCHIVED, product_bundle_ids=(tenant.bundle_id,))
    flat = percent_code(tenant, "FLAT", discount_percent=None, flat_discount=Decimal("5.50"), notes=" '=1\r\n")
    flat = replace(flat, metadata={"order_id": "-1"})
    await add_promo_codes(resources, tenant, expired, archived, flat, now=NOW)
    superuser.execute("update store_exams set status = 'Archived' where organization_id = %s", [tenant.id])
    before = await codes_of(client, tenant)
    exported = (await client.get(f"{ROOT}/exports/promo-codes", headers=tenant.bearer)).text
    answer = await edit(client, tenant, exported)
    assert status_and_body(answer) == (201, {"promoCodes": 3, "changed": 0, "isDryRun": False})
    assert await codes_of(client, tenant) == before


async def test_a_file_changes_existing_codes_by_name_and_adds_the_others(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    terms = {"notes": "Old", "campaign": "Spring", "max_redemptions": None, "store_exam_ids": ()}
    await add_promo_codes(resources, tenant, percent_code(tenant, "ONE", **terms), now=NOW)
    await add_promo_codes(resources, tenant, percent_code(tenant, "TWO", **terms), now=NOW)
    content = (
        "name,status,notes,maxRedemptions,storeExamCodes,discountPercent\n"
        "one,Archived,,5,CLD-100,10\ntwo,,Old,,,10\nNEW,Active,Fresh,,,20\n"
    )
    before = await codes_of(client, tenant)
    dry = await edit(client, tenant, content, dry_run=True)
    assert status_and_body(dry) == (200, {"promoCodes": 3, "changed": 1, "isDryRun": True})
    assert await codes_of(client, tenant) == before
    answer = await edit(client, tenant, content)
    assert status_and_body(answer) == (201, {"promoCodes": 3, "changed": 1, "isDryRun": False})
    one, two, new = await codes_of(client, tenant)
    unchanged = {name: value for name, value in before[0].items() if name != "notes"}
    changes = {"status": "Archived", "maxRedemptions": 5, "storeExamCodes": ["CLD-100"], "version": 3}
    assert (one, two, new["discountPercent"]) == (unchanged | changes, before[1], 20)
    assert [entry[2] for entry in audit_entries_of(superuser, tenant, "PromoCode")] == ["Updated", "Archived"]
    assert [entry[4]["changed"] for entry in audit_entries_of(superuser, tenant, "PromoCodeImport")] == [1]


async def test_a_file_changes_the_keys_of_metadata_that_it_has_columns_for(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    texts = {"order": "1", "note": "x", "channel": "web"}
    codes = [percent_code(tenant, name, metadata=texts) for name in ("ONE", "TWO")]
    await add_promo_codes(resources, tenant, *codes, now=NOW)
    content = "name,METADATA.order,metadata. note \none,2,\ntwo,1,x\n"
    assert (await edit(client, tenant, content)).json()["changed"] == 1
    assert [code["metadata"] for code in await codes_of(client, tenant)] == [{"order": "2", "channel": "web"}, texts]
    listed = await client.get(f"{CODES}?metadata=order=2", headers=tenant.bearer)
    assert [code["name"] for code in listed.json()["data"]] == ["ONE"]
    await edit(client, tenant, 'name,metadata\none,"{""a"": ""b""}"\ntwo,\n')
    assert [code["metadata"] for code in await codes_of(client, tenant)] == [{"a": "b"}, {}]
    many = ",".join(f"metadata.k{number}" for number in range(101))
    for header, code in (("name,metadata.a,metadata.a ", "Repeated"), (f"name,{many}", "TooManyColumns")):
        assert (await edit(client, tenant, f"{header}\n")).json()["errors"][0]["code"] == code
    one_key = ",".join(f"metadata.k{number}" for number in range(21))
    content = f"name,discountPercent,metadata.long_text,{one_key}\nBAD,5,{'v' * 501}{',' * 21}\nBAD2,5{',x' * 22}\n"
    assert status_and_body(await send(client, tenant, content)) == import_failed(
        (2, "metadata/long_text", "ValueTooLong", "must have at most 500 characters"),
        (3, "metadata", "TooManyKeys", "must have at most 20 keys"),
    )
    values = ("[]", "{", '"{""a"":1}"', '"{""a"":""\\ud800""}"')
    lines = "".join(f"BAD{number},5,{value}\n" for number, value in enumerate(values))
    assert status_and_body(await send(client, tenant, f"name,discountPercent,metadata\n{lines}")) == import_failed(
        (2, "metadata", "NotObject", "must be an object"),
        (3, "metadata", "NotObject", "must be a JSON object"),
        (4, "metadata", "NotText", "must have strings as values"),
        (5, "metadata", "NotObject", "must be a JSON object"),
    )


async def test_more_keys_than_columns_are_exported_as_json(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, other_tenant: Tenant
) -> None:
    codes = [
        percent_code(tenant, f"CODE{number}", metadata={f"k{number}-{key}": "\u00e9 1" for key in range(17)})
        for number in range(6)
    ]
    await add_promo_codes(resources, tenant, *codes, now=NOW)
    exported = (await client.get(f"{ROOT}/exports/promo-codes", headers=tenant.bearer)).content
    assert [title for title in exported.decode().partition("\r\n")[0].split(",") if "metadata" in title] == ["metadata"]
    assert (await send(client, other_tenant, exported)).status_code == 201
    texts = {code["name"]: code["metadata"] for code in await codes_of(client, other_tenant)}
    assert texts == {code.name: code.metadata for code in codes}


async def test_every_line_that_cannot_change_its_code_is_named_and_nothing_is_changed(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant
) -> None:
    codes = [percent_code(tenant, name, redemption_count=9) for name in ("GOOD", "USED", "TWICE", "SHORT", "PAST")]
    await add_promo_codes(resources, tenant, *codes, now=NOW)
    await add_promo_codes(resources, tenant, percent_code(tenant, "RETIRED", status=Status.ARCHIVED), now=NOW)
    before = await codes_of(client, tenant)
    content = (
        "name,maxRedemptions,expiresAt\nGOOD,50,\nUSED,8,\nNEW,5,\nTWICE,50,\nTWICE,60,\nSHORT,x,\nPAST,,2026-01-01\n"
        "RETIRED,7,\n"
    )
    expected = import_failed(
        (3, "maxRedemptions", "LimitBelowUses", "must be at least 9, the number of redeemed and held uses"),
        (4, "discountPercent", "OneDiscount", "or a flat discount must be given, and not both of them"),
        (6, "name", "Repeated", "must be unique, but an earlier line has it"),
        (7, "maxRedemptions", "NotInteger", "must be a whole number"),
        (8, "expiresAt", "ExpiryInPast", "must not be in the past"),
        (9, "name", "Archived", "names an archived promo code, which cannot change"),
    )
    for dry_run in (True, False):
        assert status_and_body(await edit(client, tenant, content, dry_run=dry_run)) == expected
    assert await codes_of(client, tenant) == before


async def test_a_file_changes_a_limited_number_of_codes(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_CHANGES", 1)
    await add_promo_codes(resources, tenant, percent_code(tenant, "ONE"), percent_code(tenant, "TWO"), now=NOW)
    answer = await edit(client, tenant, "name,notes\nONE,a\nTWO,b\n")
    words = "is one too many: a file changes at most 1 promo codes"
    assert status_and_body(answer) == import_failed((3, "name", "TooManyChanges", words))


async def test_the_addresses_of_changed_codes_are_read_in_portions_and_limited_in_all(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "ADDRESSES_AT_ONCE", 2)
    monkeypatch.setattr(service, "MAX_CHANGED_ADDRESSES", 4)
    addresses = ("ada@example.com", "bob@example.com")
    codes = [percent_code(tenant, name, email_addresses=addresses) for name in ("ONE", "TWO", "SAME", "THREE")]
    await add_promo_codes(resources, tenant, *codes, percent_code(tenant, "NONE"), now=NOW)
    with record_statements(resources.database) as sent:
        answer = await edit(client, tenant, "name,notes\nONE,a\nNONE,a\nTWO,b\nSAME,\n")
    assert (answer.status_code, answer.json()["changed"]) == (201, 3)
    looks = [each.parameters.values() for each in sent if "name_key = ANY" in each.text and "position" in each.text]
    assert [len(value) for values in looks for value in values if isinstance(value, list)] == [2, 1, 1]
    words = "is one too many: the codes that a file changes have at most 4 addresses"
    refused = await edit(client, tenant, "name,notes\nONE,b\nNONE,b\nTWO,c\nTHREE,d\n")
    assert status_and_body(refused) == import_failed((5, "name", "TooManyChanges", words))


async def test_a_file_of_several_steps_changes_codes_in_the_order_of_locks(
    client: httpx.AsyncClient,
    resources: Resources,
    tenant: Tenant,
    superuser: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "LINES_PER_BATCH", 1)
    limits = {"ONE": 9, "TWO": 9, "THREE": None}
    codes = [percent_code(tenant, name, max_redemptions=limit) for name, limit in limits.items()]
    await add_promo_codes(resources, tenant, *codes, now=NOW)
    answer = await edit(client, tenant, "name,notes,maxRedemptions\nTWO,second,9\nONE,first,9\nTHREE,recounted,9\n")
    assert (answer.status_code, answer.json()["changed"]) == (201, 3)
    notes = [entry[4]["notes"] for entry in audit_entries_of(superuser, tenant, "PromoCode")]
    assert notes == ["recounted", "first", "second"]


async def test_whole_numbers_may_have_decimals_and_a_date_is_its_first_moment(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    answer = await send(client, tenant, "name,discountPercent,maxRedemptions,expiresAt\nTEN,10.0,5.00,2031-01-01\n")
    assert answer.status_code == 201, answer.text
    code = (await client.get("/management/v1/promo-codes?name=TEN", headers=tenant.bearer)).json()["data"][0]
    terms = [code[name] for name in ("discountPercent", "maxRedemptions", "expiresAt")]
    assert terms == [10, 5, "2031-01-01T00:00:00Z"]
