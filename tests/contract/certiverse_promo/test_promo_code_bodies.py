"""POST /promo-codes with bodies that no client should send: 400, 413 or 415 in the Certiverse dialect, never a 500."""

import gzip
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from tests.support.factories import Tenant
from tests.support.promo_code_requests import PROMO_CODE, request, send
from tests.support.responses import status_and_body

NOT_JSON = (400, {"errorCode": "MalformedRequest", "errorMessages": ["The request body is not valid JSON."]})
NO_OBJECT = (400, {"errorCode": "MalformedRequest", "errorMessages": ["The request body must be a JSON object."]})
TOO_LARGE = (
    413,
    {"errorCode": "RequestTooLarge", "errorMessages": ["The request body must not be larger than 1,048,576 bytes."]},
)
NOT_DECLARED = (
    415,
    {"errorCode": "UnsupportedMediaType", "errorMessages": ["The request body must be application/json."]},
)
MIB = 1024 * 1024


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" ",
        b"{",
        b"{'a': 1}",
        b"promoCodeName=SPRING25",
        b'{"notes": "\xff"}',
        b'{"notes": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"discountPercent": NaN}',
        b'{"discountPercent": Infinity}',
        b'{"discountPercent": -Infinity}',
        b'{"discountPercent": 010}',
        b'{"notes": "a\x00b"}',
        b"[" * 10_000,
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b"\xef\xbb\xbf{}",
        json.dumps(request()).encode("utf-16"),
        json.dumps(request()).encode() + b"{}",
    ],
    ids=lambda content: repr(content[:30]),
)
async def test_a_body_that_is_not_json_is_malformed(client: httpx.AsyncClient, tenant: Tenant, content: bytes) -> None:
    assert status_and_body(await send(client, tenant, content)) == NOT_JSON


@pytest.mark.parametrize("content", [b"null", b"true", b"1", b'"{}"', b"[]", b'[{"promoCodeName": "X"}]'])
async def test_a_body_that_is_not_an_object_is_malformed(
    client: httpx.AsyncClient, tenant: Tenant, content: bytes
) -> None:
    assert status_and_body(await send(client, tenant, content)) == NO_OBJECT


async def test_the_last_of_two_properties_of_one_name_counts(client: httpx.AsyncClient, tenant: Tenant) -> None:
    content = json.dumps(request()).replace("{", '{"promoCodeName": 1, ', 1).encode()
    assert status_and_body(await send(client, tenant, content)) == (201, PROMO_CODE)


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp", "json"],
)
async def test_another_content_type_is_415(client: httpx.AsyncClient, tenant: Tenant, media_type: str) -> None:
    answer = await send(client, tenant, json.dumps(request()).encode(), content_type=media_type)
    assert status_and_body(answer) == NOT_DECLARED


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "application/json"},
        {"Content-Type": "application/json; charset=utf-8"},
        {"Content-Type": "Application/JSON;charset=UTF-8"},
    ],
    ids=str,
)
async def test_json_may_be_declared_or_not(client: httpx.AsyncClient, tenant: Tenant, headers: dict[str, str]) -> None:
    content = json.dumps(request()).encode()
    answer = await client.post("/promo-codes", headers=tenant.bearer | headers, content=content)
    assert status_and_body(answer) == (201, PROMO_CODE)


async def test_a_compressed_body_is_415(client: httpx.AsyncClient, tenant: Tenant) -> None:
    content = gzip.compress(json.dumps(request()).encode())
    message = "The request body must be application/json without a Content-Encoding."
    expected = (415, {"errorCode": "UnsupportedMediaType", "errorMessages": [message]})
    assert status_and_body(await send(client, tenant, content, content_encoding="gzip")) == expected


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    """The content in chunks, so that the request has no Content-Length."""
    for start in range(0, len(content), 65_536):
        yield content[start : start + 65_536]


async def test_a_body_in_pieces_is_read_whole(client: httpx.AsyncClient, tenant: Tenant) -> None:
    content = json.dumps(request(padding="x" * 200_000)).encode()
    answer = await client.post("/promo-codes", headers=tenant.bearer, content=pieces(content))
    assert status_and_body(answer) == (201, PROMO_CODE)


@pytest.mark.parametrize("size", [MIB + 1, 2 * MIB])
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "in pieces"])
async def test_a_body_over_one_mebibyte_is_413(
    client: httpx.AsyncClient, tenant: Tenant, *, size: int, declared: bool
) -> None:
    content = b" " * size
    answer = await client.post("/promo-codes", headers=tenant.bearer, content=content if declared else pieces(content))
    assert status_and_body(answer) == TOO_LARGE


async def test_a_body_of_exactly_one_mebibyte_is_read(client: httpx.AsyncClient, tenant: Tenant) -> None:
    content = json.dumps(request()).encode()
    assert status_and_body(await send(client, tenant, content.ljust(MIB))) == (201, PROMO_CODE)


async def test_a_body_is_not_looked_at_without_a_credential(client: httpx.AsyncClient) -> None:
    answer = await client.post("/promo-codes", content=b" " * 2 * MIB)
    assert answer.status_code == 401
