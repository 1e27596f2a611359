"""Strangers on raw sockets: heads, bodies and readers that are too large, too slow, or too many."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import httpx
import psycopg
import pytest
from tests.conftest import NOW, serving_at_now
from tests.support.factories import Tenant
from tests.support.waiting import wait_until

from tessera.api.http.parsing import IMPORTS
from tessera.api.serving.connection_limits import ConnectionLimits
from tessera.api.serving.connections import MAX_PIPELINED
from tessera.provision import Addresses
from tessera.settings import Settings

LIMITS = ConnectionLimits(
    head_seconds=1, body_window_seconds=0.8, write_seconds=0.5, keep_alive_seconds=1, max_connections=20
)
KIBIBYTE = 1024
MEBIBYTE = 1024 * KIBIBYTE


@pytest.fixture(scope="module")
def address(settings: Settings, addresses: Addresses) -> Iterator[tuple[str, int]]:
    """The application behind a real socket, with short limits."""
    with serving_at_now(settings, addresses, limits=LIMITS) as url:
        yield "127.0.0.1", httpx.URL(url).port or 0


def answer_to(address: tuple[str, int], *parts: bytes, pause: float = 0.0) -> tuple[int, str, bytes]:
    """The answer to these parts; asked again if this process was too busy to send and to read within the limits."""
    for _ in range(4):
        started = time.monotonic()
        answer = one_answer_to(address, *parts, pause=pause)
        if answer[0] or time.monotonic() - started < LIMITS.head_seconds:
            break
    return answer


def one_answer_to(address: tuple[str, int], *parts: bytes, pause: float = 0.0) -> tuple[int, str, bytes]:
    """Send the parts, and read until the server closes: the status, the media type and the body of the response."""
    with socket.create_connection(address, timeout=20) as connection:
        received = b""
        with suppress(BrokenPipeError, ConnectionResetError):
            for part in parts:
                connection.sendall(part)
                time.sleep(pause)
            while data := connection.recv(65536):
                received += data
    head, _, body = received.partition(b"\r\n\r\n")
    if not head:
        return 0, "", b""
    fields = httpx.Headers([tuple(line.split(": ", 1)) for line in head.decode().split("\r\n")[1:]])  # type: ignore[arg-type]
    assert fields["connection"] == "close"
    return int(head.split()[1]), fields["content-type"], body


CERTIVERSE, PROBLEM = "application/json", "application/problem+json"
HEAD_TOO_LARGE = "The request line and the headers must not be larger than 32,768 bytes."
HEAD_TOO_SLOW = "The request line and the headers must arrive within 1 seconds."


@pytest.mark.parametrize("line", ["GET /promo-codes HTTP/1.1", "GET /promo-codes?status=" + 40 * KIBIBYTE * "A"])
def test_a_large_head_is_431_before_it_is_complete(address: tuple[str, int], line: str) -> None:
    endless = f"{line}\r\nX-Filler: {40 * KIBIBYTE * 'a'}".encode()
    status, media_type, body = answer_to(address, endless)
    assert (status, media_type) == (431, CERTIVERSE)
    assert json.loads(body) == {"errorCode": "RequestHeaderFieldsTooLarge", "errorMessages": [HEAD_TOO_LARGE]}


@pytest.mark.parametrize(("size", "status"), [(32 * KIBIBYTE, 401), (32 * KIBIBYTE + 1, 431)])
def test_the_limit_of_a_complete_head_is_exact(address: tuple[str, int], size: int, status: int) -> None:
    path, headers = "/management/v1/users", "Host: x\r\nConnection: close\r\nX-Filler: "
    # The path and the headers count, with the separators of the headers.
    filler = (size - len(path) - len(headers) - len("\r\n")) * "a"
    head = f"GET {path} HTTP/1.1\r\n{headers}{filler}\r\n\r\n".encode()
    assert answer_to(address, head)[:2] == (status, PROBLEM)


def test_an_endless_trailer_ends_the_connection(address: tuple[str, int], tenant: Tenant) -> None:
    head = b"POST /promo-codes HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nAuthorization: "
    head += tenant.bearer["Authorization"].encode() + b"\r\n\r\n2\r\n{}\r\n0\r\nX-Trailer: "
    assert one_answer_to(address, head, 40 * KIBIBYTE * b"a", 40 * KIBIBYTE * b"a", pause=0.05)[0] in (0, 400, 431)


@pytest.mark.parametrize(
    ("path", "media_type", "expected"),
    [
        ("/promo-codes", CERTIVERSE, {"errorCode": "RequestTimeout", "errorMessages": [HEAD_TOO_SLOW]}),
        ("/api/v1/promo-codes?code=X", CERTIVERSE, {"success": False, "message": HEAD_TOO_SLOW}),
    ],
)
def test_a_head_that_never_ends_is_408_in_the_format_of_the_api(
    address: tuple[str, int], path: str, media_type: str, expected: object
) -> None:
    status, found, body = answer_to(address, f"GET {path} HTTP/1.1\r\nHost: x\r\nX-A: b".encode())
    assert (status, found, json.loads(body)) == (408, media_type, expected)


INVALID_HTTP = "The request is not valid HTTP/1.1."
REPEATED = "The request must not have more than one {} header."
POSTED = b"POST /promo-codes HTTP/1.1\r\nHost: x\r\nAuthorization: %b\r\n"
LISTED = b"GET /management/v1/users HTTP/1.1\r\n"


@pytest.mark.parametrize(
    ("request_start", "media_type", "expected"),
    [
        (b"GET /promo-codes HTTP/1.1\r\nX-A: a\x00b\r\n", CERTIVERSE, [INVALID_HTTP]),
        (b"GET /promo-codes?page=\xe9 HTTP/1.1\r\n", CERTIVERSE, [INVALID_HTTP]),
        (b"GET /management/v1/users/\xe9 HTTP/1.1\r\n", PROBLEM, INVALID_HTTP),
        (POSTED + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x", CERTIVERSE, [INVALID_HTTP]),
        (POSTED + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}", CERTIVERSE, [INVALID_HTTP]),
        (POSTED + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n", CERTIVERSE, [INVALID_HTTP]),
        (LISTED, PROBLEM, INVALID_HTTP),
        (LISTED + b"Host: a b\r\n", PROBLEM, INVALID_HTTP),
        (LISTED + b"Host: x:y@z\r\n", PROBLEM, INVALID_HTTP),
        (LISTED + b"Host: x\r\nHost: x\r\n", PROBLEM, INVALID_HTTP),
        (POSTED + b"authorization: Bearer x\r\n", CERTIVERSE, [REPEATED.format("Authorization")]),
        (LISTED + b"Host: x\r\ncv-api-key: a\r\ncv-api-key: a\r\n", PROBLEM, REPEATED.format("cv-api-key")),
        (
            LISTED + b"Host: x\r\nTessera-Client: a\r\n" + 2 * b"Idempotency-Key: b\r\n",
            PROBLEM,
            REPEATED.format("Idempotency-Key"),
        ),
        (LISTED + b"Host: x\r\nContent-Type: a/b\r\ncontent-type: c/d\r\n", PROBLEM, REPEATED.format("Content-Type")),
        (
            LISTED + b"Host: x\r\n" + 2 * b"Tessera-Client: a\r\nIdempotency-Key: b\r\n",
            PROBLEM,
            REPEATED.format("Idempotency-Key or Tessera-Client"),
        ),
        (b"GET http://x/promo-codes HTTP/1.1\r\nHost: y\r\n", CERTIVERSE, [INVALID_HTTP]),
        (b"GET http://x HTTP/1.1\r\nHost: x\r\n", CERTIVERSE, [INVALID_HTTP]),
        (b"GET http://x:65536/management/v1/users HTTP/1.1\r\nHost: x:65536\r\n", CERTIVERSE, [INVALID_HTTP]),
        (b"GET /management/v1/users HTTP/2.0\r\n", PROBLEM, INVALID_HTTP),
        (b"GET /management/v1/users\r\n", PROBLEM, INVALID_HTTP),
        (b"GET /management/v1/users HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", PROBLEM, INVALID_HTTP),
        (b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n", CERTIVERSE, [INVALID_HTTP]),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", PROBLEM, INVALID_HTTP),
    ],
)
def test_a_request_that_is_not_http_is_400_in_the_format_of_the_api(
    address: tuple[str, int], tenant: Tenant, request_start: bytes, media_type: str, expected: object
) -> None:
    content = request_start.replace(b"%b", tenant.bearer["Authorization"].encode()) + b"\r\n"
    status, answered_type, body = answer_to(address, content)
    error = json.loads(body)
    assert (status, answered_type) == (400, media_type)
    assert (error.get("errorMessages") or error["detail"]) == expected


@pytest.mark.parametrize("host", [b"", b"Host:\r\n", b"Host: [::1]:8000\r\n", b"Host: a-b.example.com:80\r\n"])
def test_a_valid_host_is_accepted_and_http_1_0_needs_none(address: tuple[str, int], host: bytes) -> None:
    version, close = (b"1.1", b"Connection: close\r\n") if host else (b"1.0", b"")
    status, _, _ = answer_to(address, b"GET /promo-codes HTTP/%b\r\n%b%b\r\n" % (version, host, close))
    assert status == 401


def test_the_target_may_have_the_host(address: tuple[str, int]) -> None:
    head = b"GET HTTP://X:80/management/v1/users HTTP/1.1\r\nHost: x:80\r\nConnection: close\r\n\r\n"
    assert answer_to(address, head)[:2] == (401, PROBLEM)


@pytest.mark.parametrize("method", [b"BREW", b"get", b"GETS", b"PROPFIND", b"M_1" * 9])
def test_an_unknown_method_is_405_in_the_format_of_the_api(address: tuple[str, int], method: bytes) -> None:
    end = b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    status, media_type, body = answer_to(address, method + b" /promo-codes?page=1" + end)
    message = "This path allows GET, HEAD, POST only."
    assert (status, media_type) == (405, CERTIVERSE)
    assert json.loads(body) == {"errorCode": "MethodNotAllowed", "errorMessages": [message]}
    assert answer_to(address, method + b" /management/v1/users" + end)[:2] == (405, PROBLEM)
    assert answer_to(address, method + b" /nothing" + end)[0] == 404


def test_a_head_without_a_path_is_a_plain_problem(address: tuple[str, int]) -> None:
    status, media_type, body = answer_to(address, b"GE")
    assert (status, media_type, json.loads(body)["detail"]) == (408, PROBLEM, HEAD_TOO_SLOW)


@pytest.mark.parametrize("parts", [[], [b"\r\n"] * 8])
def test_a_connection_without_a_request_is_closed(address: tuple[str, int], parts: list[bytes]) -> None:
    assert one_answer_to(address, *parts, pause=0.1) == (0, "", b"")


@pytest.mark.parametrize("credential", ["api_key", "bearer"])
def test_a_slow_body_is_408_in_the_format_of_the_api(address: tuple[str, int], tenant: Tenant, credential: str) -> None:
    path = "/storefront/v1/redemptions" if credential == "api_key" else "/promo-codes"
    ((name, value),) = getattr(tenant, credential).items()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{name}: {value}\r\nContent-Length: 999999\r\n\r\n"
    status, media_type, body = answer_to(address, head.encode(), *[b" " * 20] * 4, pause=0.1)
    assert status == 408
    assert b"The request body must arrive at 1,024 bytes per second or more." in body
    assert media_type == (PROBLEM if credential == "api_key" else CERTIVERSE)


def post(tenant: Tenant, *, length: int, more: str = "") -> bytes:
    """The head of a request to create a promo code."""
    fields = f"Host: x\r\nAuthorization: {tenant.bearer['Authorization']}\r\nContent-Length: {length}\r\n{more}"
    return f"POST /promo-codes HTTP/1.1\r\n{fields}\r\n".encode()


def test_a_body_that_keeps_the_pace_is_read_to_its_end(address: tuple[str, int], tenant: Tenant) -> None:
    head = post(tenant, length=8000, more="Connection: close\r\n")
    status, _, body = answer_to(address, head, *[b" " * 1000] * 8, pause=0.1)
    assert (status, b"not valid JSON" in body) == (400, True)


def test_a_reader_that_stops_is_disconnected(address: tuple[str, int]) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(20)
        connection.connect(address)
        request = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        with suppress(ConnectionError):
            while True:  # until the server has given up, which it can only tell by closing
                connection.sendall(request)
                time.sleep(0.02)


LARGE_CODES = """
insert into promo_codes (organization_id, id, name, status, discount_percent, redemption_count, held_count,
    restrict_to_email_addresses, has_store_exams, has_product_bundles, created_at, version, metadata)
select %(tenant)s, gen_random_uuid(), 'LARGE' || n, 'Active', 10, 0, 0, false, false, false, %(now)s, 1,
       jsonb_build_object('text', repeat('x', 8000))
from generate_series(1, 1000) n
"""


async def test_an_organization_that_leaves_its_responses_unread_is_429_until_it_reads_or_leaves(
    settings: Settings, addresses: Addresses, tenant: Tenant, other_tenant: Tenant, superuser: psycopg.Connection
) -> None:
    superuser.execute(LARGE_CODES, {"tenant": tenant.id, "now": NOW})
    head = "GET /management/v1/promo-codes?limit=1000 HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {}\r\n\r\n"
    with (
        serving_at_now(settings, addresses, limits=ConnectionLimits(unread_bytes_of_one=1)) as url,
        httpx.Client(base_url=url) as client,
        socket.socket() as reader,
    ):

        def status(of: Tenant) -> int:
            return client.get("/management/v1/me", headers=of.bearer).status_code

        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", httpx.URL(url).port or 0))
        assert status(tenant) == 200
        reader.sendall(head.format(tenant.bearer["Authorization"]).encode())
        wait_until("the refusal of another request", lambda: status(tenant) == 429)
        assert status(other_tenant) == 200
        reader.close()
        wait_until("the end of the connection", lambda: status(tenant) == 200)


def test_an_idle_connection_is_closed(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        received = b""
        while data := connection.recv(65536):
            received += data
    assert received.startswith(b"HTTP/1.1 200 ")


def test_only_a_few_requests_may_be_sent_ahead(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
        received = b""
        with suppress(ConnectionResetError):
            while data := connection.recv(65536):
                received += data
    assert 1 <= received.count(b"HTTP/1.1 200 ") <= MAX_PIPELINED + 1


async def test_many_idle_connections_leave_room_for_a_request(address: tuple[str, int]) -> None:
    strangers = [await asyncio.open_connection(*address) for _ in range(LIMITS.max_connections * 2)]
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{address[1]}") as client:
            for _ in range(3):
                assert (await client.get("/health/live")).status_code == 200
    finally:
        for _, writer in strangers:
            writer.close()


async def test_a_connection_above_the_limit_is_503_while_all_others_are_busy(
    address: tuple[str, int], tenant: Tenant
) -> None:
    head = post(tenant, length=999_999)
    busy = [await asyncio.open_connection(*address) for _ in range(LIMITS.max_connections)]
    try:
        for _, writer in busy:
            writer.write(head)
        await asyncio.sleep(0.1)
        status, media_type, _ = await asyncio.to_thread(answer_to, address)
        assert (status, media_type) == (503, PROBLEM)
    finally:
        for _, writer in busy:
            writer.close()


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
def test_a_client_that_writes_its_whole_body_before_it_reads_sees_the_refusal(
    address: tuple[str, int], connection: str
) -> None:
    fields = f"Host: x\r\nConnection: {connection}\r\nContent-Length: {4 * MEBIBYTE}\r\n"
    head = f"POST {IMPORTS} HTTP/1.1\r\n{fields}\r\n".encode()
    with socket.create_connection(address, timeout=20) as client:
        client.sendall(head)
        for _ in range(64):
            client.sendall(4 * MEBIBYTE // 64 * b"a")
            time.sleep(0.005)
        assert client.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_a_client_that_never_stops_writing_is_disconnected(address: tuple[str, int]) -> None:
    head = (
        f"POST {IMPORTS} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {64 * MEBIBYTE}\r\n\r\n".encode()
    )
    with socket.create_connection(address, timeout=20) as client:
        client.sendall(head)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            client.sendall(64 * MEBIBYTE * b"a")


def test_a_trailer_does_not_change_the_head(address: tuple[str, int], tenant: Tenant) -> None:
    with closing(socket.create_connection(address, timeout=20)) as connection:
        connection.sendall(
            b"POST /promo-codes HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2\r\n{}\r\n0\r\nAuthorization: " + tenant.bearer["Authorization"].encode() + b"\r\n\r\n"
        )
        assert connection.recv(65536).startswith(b"HTTP/1.1 401 ")
