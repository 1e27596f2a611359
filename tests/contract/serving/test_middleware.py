"""The middleware: request ids, log lines, unexpected errors and unknown routes, in each error format."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, cast
from uuid import uuid4

import httpx
import psycopg
import pytest
import structlog
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send
from tests.support.factories import Tenant

from tessera.api.application import ERROR_RENDERERS, create_app
from tessera.api.serving.limits import LARGE_PART_BYTES
from tessera.api.serving.request_log import RequestLog
from tessera.api.serving.resources import Resources
from tessera.kit.errors import DeadlineExceeded
from tessera.kit.metrics import measurements

FAULT = "Internal server error."
NOWHERE = "There is nothing at this path."


def certiverse(code: str, message: str) -> dict[str, Any]:
    return {"errorCode": code, "errorMessages": [message]}


def carevalidate(message: str) -> dict[str, Any]:
    return {"success": False, "message": message}


def oauth(error: str, message: str) -> dict[str, Any]:
    return {"error": error, "error_description": message}


def basic(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


@pytest.fixture(scope="module")
def app(resources: Resources) -> FastAPI:
    """An application of its own: after a thousand refused callers, the log of the shared one counts the others."""
    return create_app(resources, trusted_proxies=["127.0.0.1"])


@pytest.mark.parametrize("given", ["a", "A-b_c.9", "x" * 128, "01a2004f-89ee-75ec-8a63-6b951b07b7cf"])
async def test_a_request_id_comes_back(client: httpx.AsyncClient, given: str) -> None:
    answer = await client.get("/health/live", headers={"X-Request-ID": given})
    assert answer.headers.get_list("X-Request-ID") == [given]


@pytest.mark.parametrize(
    "given", ["", " ", "x" * 129, "a b", "a\r\nSet-Cookie: x=y", "a\0", "é", '"><script>', "a\n", "{}", "\x1b[31m"]
)
async def test_a_hostile_request_id_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    with structlog.testing.capture_logs() as lines:
        answer = await client.get("/health/live", headers={b"X-Request-ID": given.encode("latin-1")})
    (request_id,) = answer.headers.get_list("X-Request-ID")
    assert re.fullmatch("[0-9a-f]{32}", request_id)
    assert [line["request_id"] for line in lines] == [request_id]


async def test_every_request_without_an_id_gets_its_own(client: httpx.AsyncClient) -> None:
    answers = [await client.get(path) for path in ("/health/live", "/promo-codes", "/nowhere", "/health/live")]
    assert len({answer.headers["X-Request-ID"] for answer in answers}) == 4


async def test_a_request_leaves_one_line_without_its_query(client: httpx.AsyncClient, tenant: Tenant) -> None:
    with structlog.testing.capture_logs() as lines:
        await client.get("/api/promo-codes?promoCodeName=PRIVATE", headers=tenant.bearer | {"X-Request-ID": "mine"})
    (line,) = lines
    assert isinstance(line.pop("ms"), float)
    assert line == {
        "event": "request",
        "log_level": "info",
        "method": "GET",
        "route": "/promo-codes",
        "status": 200,
        "organization": str(tenant.id),
        "credential": f"token {tenant.token.id}",
        "address": "127.0.0.1",
        "request_id": "mine",
    }


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/promo-codes", ("/promo-codes", None, 401, "NotAuthenticated", "A Bearer token is required.")),
        ("GET", "/secret-in-a-path", (None, "/*", 404, "NotFound", "UnknownPath")),
        ("GET", "/promo-codes/SPRING25/x", (None, "/promo-codes/*/*", 404, "NotFound", "UnknownPath")),
        (
            "GET",
            "/v1/promo-codes" + "/users" * 6,
            (None, "/v1/promo-codes" + "/users" * 5, 404, "NotFound", "UnknownPath"),
        ),
        (
            "GET",
            "/api/v1/promo-codes",
            ("/api/v1/promo-codes", None, 401, "NotAuthenticated", "The API key is not valid."),
        ),
        ("POST", "/oauth/token", ("/oauth/token", None, 400, "invalid_request", "Malformed")),
        (
            "GET",
            "/storefront/v1/reservations/RSV/1",
            ("/storefront/v1/reservations/{code}", None, 401, "not-authenticated", "A Bearer token is required."),
        ),
        ("PUT", "/management/v1/users", ("/management/v1/users", None, 405, "method-not-allowed", "MethodNotAllowed")),
    ],
)
async def test_a_refused_request_leaves_a_line_with_its_reason_and_without_its_path(
    client: httpx.AsyncClient, method: str, path: str, expected: tuple[object, ...]
) -> None:
    stranger = f"2001:db8::{uuid4().hex[:4]}"
    with structlog.testing.capture_logs() as lines:
        await client.request(method, path, headers={"X-Forwarded-For": stranger})
    (line,) = lines
    assert tuple(line.get(name) for name in ("route", "path", "status", "reason", "cause")) == expected
    assert (line["organization"], line["credential"], line["address"]) == (None, None, stranger)


async def test_a_proxy_is_trusted_on_a_socket_of_both_versions_of_ip(app: FastAPI) -> None:
    stranger = f"2001:db8::{uuid4().hex[:4]}"
    transport = httpx.ASGITransport(app, client=("::ffff:127.0.0.1", 40_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        with structlog.testing.capture_logs() as lines:
            await client.get("/promo-codes", headers={"X-Forwarded-For": stranger})
    assert [line["address"] for line in lines] == [stranger]


@pytest.mark.parametrize("address", ["fe80::1%eth0", "fe80::1"])
async def test_a_client_with_an_address_of_its_own_network_is_served(
    app: FastAPI, tenant: Tenant, address: str
) -> None:
    transport = httpx.ASGITransport(app, client=(address, 40_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        validation = await client.get("/api/v1/promo-codes?code=NONE", headers=tenant.api_key)
        redemption = await client.get("/storefront/v1/redemptions?reservationCode=NONE", headers=tenant.api_key)
    assert (validation.status_code, redemption.status_code) == (404, 200)


async def test_a_refusal_names_its_caller_and_quotes_nothing_of_the_request(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    order = {"partnerName": "ann@acme.example", "programName": "SPRING25", "quantity": 0, "notes": " "}
    purpose = {"name": "SPRING25", "kind": "x", "ann@acme.example": 1}
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            await client.post("/api/vouchers/purchases", json=order, headers=tenant.bearer)
        await client.post("/management/v1/promo-codes", json=purpose, headers=tenant.bearer)
        await client.get("/api/v1/promo-codes?code=SPRING25", headers=tenant.api_key)
        await client.get("/promo-codes", headers=tenant.bearer | {"X-Forwarded-For": "SPRING25"})
    assert [(line["route"], line["credential"]) for line in lines] == [
        ("/api/vouchers/purchases", f"token {tenant.token.id}"),
        ("/management/v1/promo-codes", f"token {tenant.token.id}"),
        ("/api/v1/promo-codes", f"key {tenant.key.id}"),
        ("/promo-codes", f"token {tenant.token.id}"),
    ]
    assert [line.get("reason") for line in lines] == [
        "ValidationFailed",
        "validation-failed",
        "PromoCodeNotFound",
        None,
    ]
    assert "quantity QuantityRange" in lines[0]["cause"]
    assert "UnknownProperty" in lines[1]["cause"]
    logged = json.dumps(lines)
    assert "SPRING25" not in logged
    assert "acme" not in logged


@contextmanager
def fault(superuser: psycopg.Connection, privilege: str) -> Iterator[None]:
    """An unexpected error: the application's role lacks a privilege."""
    superuser.execute(f"revoke {privilege} from tessera_app")
    try:
        yield
    finally:
        superuser.execute(f"grant {privilege} to tessera_app")


VALIDATION = "execute on function validate_promo_codes"
LOGIN = "select on api_clients"


@pytest.mark.parametrize(
    ("privilege", "method", "path", "body"),
    [
        ("select on promo_codes", "GET", "/promo-codes", certiverse("InternalServerError", FAULT)),
        ("select on promo_codes", "GET", "/api/promo-codes", certiverse("InternalServerError", FAULT)),
        (VALIDATION, "GET", "/api/v1/promo-codes?code=X", carevalidate("Internal server error")),
        (LOGIN, "GET", "/authenticate", certiverse("InternalServerError", FAULT)),
        (LOGIN, "POST", "/oauth/token", oauth("server_error", FAULT)),
    ],
)
async def test_an_unexpected_error_is_500_in_each_format_and_only_the_log_has_its_cause(
    client: httpx.AsyncClient,
    tenant: Tenant,
    superuser: psycopg.Connection,
    *,
    privilege: str,
    method: str,
    path: str,
    body: dict[str, Any],
) -> None:
    credential = (
        tenant.bearer if "promo" in path else {"Authorization": basic(tenant.client.name, tenant.client.secret)}
    )
    content = "grant_type=client_credentials" if method == "POST" else None
    with fault(superuser, privilege), structlog.testing.capture_logs() as lines:
        answer = await client.request(method, path, headers=credential | tenant.api_key, content=content)
    assert (answer.status_code, answer.json()) == (500, body)
    assert answer.headers["X-Request-ID"] == lines[-1]["request_id"]
    unexpected, request = lines
    assert (unexpected["event"], unexpected["log_level"], request["status"]) == ("unexpected", "error", 500)
    assert "permission denied" in str(unexpected["exc_info"])
    again = await client.request(method, path, headers=credential | tenant.api_key, content=content)
    assert again.status_code in (200, 404)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/nowhere", certiverse("NotFound", NOWHERE)),
        ("/promo-codes/", certiverse("NotFound", NOWHERE)),
        ("/promo-codes/SPRING25", certiverse("NotFound", NOWHERE)),
        ("/Promo-Codes", certiverse("NotFound", NOWHERE)),
        ("/authenticate/x", certiverse("NotFound", NOWHERE)),
        ("/api", certiverse("NotFound", NOWHERE)),
        ("/api/v11", certiverse("NotFound", NOWHERE)),
        ("/api/v1", carevalidate(NOWHERE)),
        ("/api/v1/nowhere", carevalidate(NOWHERE)),
        ("/oauth", oauth("invalid_request", NOWHERE)),
        ("/oauth/nowhere", oauth("invalid_request", NOWHERE)),
        ("/%00", certiverse("NotFound", NOWHERE)),
        ("/%FF", certiverse("NotFound", NOWHERE)),
    ],
)
async def test_an_unknown_path_is_404_in_each_error_format(
    client: httpx.AsyncClient, path: str, body: dict[str, Any]
) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.json()) == (404, body)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize(
    ("path", "allowed", "dialect"),
    [
        ("/promo-codes", "GET, HEAD, POST", lambda message: certiverse("MethodNotAllowed", message)),
        ("/api/promo-codes", "GET, HEAD, POST", lambda message: certiverse("MethodNotAllowed", message)),
        ("/authenticate", "GET, HEAD", lambda message: certiverse("MethodNotAllowed", message)),
        ("/api/v1/promo-codes", "GET, HEAD", carevalidate),
        ("/oauth/token", "POST", lambda message: oauth("invalid_request", message)),
    ],
    ids=["promo-codes", "promo-codes-under-api", "authenticate", "carevalidate", "token"],
)
async def test_another_method_is_405_and_every_allowed_one_is_named(
    client: httpx.AsyncClient, method: str, path: str, allowed: str, dialect: Any
) -> None:
    answer = await client.request(method, path)
    assert (answer.status_code, answer.json()) == (405, dialect(f"This path allows {allowed} only."))
    assert answer.headers["Allow"] == allowed


async def test_measurements_have_no_label_that_a_caller_can_choose(client: httpx.AsyncClient) -> None:
    for method, path in (("GET", "/promo-codes"), ("PROPFIND", "/promo-codes"), ("GET", "/nowhere")):
        await client.request(method, path)
    labels = measurements.REQUESTS.cells.keys()
    assert {("GET", "/promo-codes", "4xx"), ("", "", "4xx")} <= labels
    assert {method for method, _, _ in labels} <= {"GET", "HEAD", "POST", "PUT", ""}
    assert "/nowhere" not in {path for _, path, _ in labels}


async def test_head_answers_like_get_without_a_body(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for path in ("/health/live", "/docs", "/openapi.json", "/promo-codes", "/api/v1/promo-codes?code=NONE"):
        headers = tenant.bearer | tenant.api_key
        expected = await client.get(path, headers=headers)
        answer = await client.head(path, headers=headers)
        assert (path, answer.status_code, answer.content) == (path, expected.status_code, b"")
        assert answer.headers["Content-Length"] == expected.headers["Content-Length"]
    assert (await client.head("/promo-codes")).status_code == 401


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/promo-codes", "no-store"),
        ("/api/vouchers/partners", "no-store"),
        ("/storefront/v1/redemptions", "no-store"),
        ("/management/v1/users", "no-store"),
        ("/nowhere", "no-store"),
        ("/docs/swagger-ui.css", "public, max-age=3600"),
    ],
)
async def test_no_response_is_stored_unless_it_says_so(
    client: httpx.AsyncClient, tenant: Tenant, path: str, expected: str
) -> None:
    answer = await client.get(path, headers=tenant.bearer)
    assert answer.headers.get_list("Cache-Control") == [expected]


def test_head_leaves_its_connection_usable(live_url: str) -> None:
    with httpx.Client(base_url=live_url, timeout=90) as client:
        for path in ("/health/live", "/promo-codes", "/docs"):
            answer = client.head(path)
            assert (answer.content, answer.headers.get("Connection")) == (b"", None)
            assert client.get("/health/live").json() == {"status": "live"}


async def test_head_is_405_where_there_is_no_get(client: httpx.AsyncClient) -> None:
    answer = await client.head("/oauth/token")
    assert (answer.status_code, answer.headers["Allow"], answer.content) == (405, "POST", b"")


@pytest.mark.parametrize("blanks", [" ", "\t", "  \t "])
async def test_blanks_around_a_header_are_not_part_of_its_value(
    client: httpx.AsyncClient, tenant: Tenant, blanks: str
) -> None:
    for name, value in (tenant.api_key | tenant.bearer).items():
        path = "/api/v1/promo-codes?code=NONE" if name == "cv-api-key" else "/promo-codes"
        expected = await client.get(path, headers={name: value})
        padded = [(name.encode(), f"{blanks}{value}{blanks}".encode())]
        assert (await client.get(path, headers=padded)).status_code == expected.status_code != 401


@pytest.mark.parametrize("encoding", ["gzip", "br", "Deflate"])
async def test_a_compressed_body_is_415(client: httpx.AsyncClient, tenant: Tenant, encoding: str) -> None:
    headers = tenant.bearer | {"Content-Encoding": encoding, "Content-Type": "application/json"}
    for path in ("/promo-codes", "/api/vouchers/purchases", "/management/v1/store-exams"):
        assert (path, (await client.post(path, headers=headers, content=b"{}")).status_code) == (path, 415)
    identity = headers | {"Content-Encoding": "identity"}
    assert (await client.post("/promo-codes", headers=identity, content=b"{}")).status_code == 400


async def test_no_log_line_holds_a_secret(
    client: httpx.AsyncClient, tenant: Tenant, superuser: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    good = basic(tenant.client.name, tenant.client.secret)
    wrong = basic(tenant.client.name, "wrong-" + tenant.client.secret)
    form = {"grant_type": "client_credentials", "client_id": tenant.client.name, "client_secret": tenant.client.secret}
    with structlog.testing.capture_logs() as lines:
        token = (await client.get("/authenticate", headers={"Authorization": good})).json()["authToken"]
        await client.get("/authenticate", headers={"Authorization": wrong})
        access_token = (await client.post("/oauth/token", data=form)).json()["access_token"]
        await client.post("/oauth/token", data=form | {"client_secret": "wrong-" + tenant.client.secret})
        for each in (token, access_token, tenant.token.secret, tenant.token.secret + "x"):
            await client.get("/promo-codes", headers={"Authorization": f"Bearer {each}"})
        for each in (tenant.key.secret, tenant.key.secret + "x"):
            await client.get("/api/v1/promo-codes?code=X", headers={"cv-api-key": each})
        for privilege in (VALIDATION, LOGIN, "select on issued_tokens"):
            with fault(superuser, privilege):
                await client.post("/oauth/token", data=form)
                await client.get("/promo-codes", headers=tenant.bearer)
                await client.get("/api/v1/promo-codes?code=X", headers=tenant.api_key)
    assert [line["status"] for line in lines if line["event"] == "request"].count(500) == 3
    logged = json.dumps([render(line) for line in lines]) + caplog.text
    assert "permission denied" in logged
    secrets = [tenant.client.secret, tenant.key.secret, tenant.token.secret, token, access_token, good, wrong]
    assert [secret for secret in secrets if secret.removeprefix("Basic ") in logged] == []
    assert "Bearer ey" not in logged


async def test_a_client_that_goes_away_is_no_fault_of_ours(
    app: FastAPI, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    messages: list[Message] = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/promo-codes",
        "query_string": b"",
        "headers": [(b"authorization", tenant.bearer["Authorization"].encode())],
    }
    with structlog.testing.capture_logs() as lines:
        await app(scope, receive, send)
    assert sent == []
    assert [(line["event"], line["log_level"], line["status"]) for line in lines] == [("request", "info", 499)]
    rows = superuser.execute(
        "select from pg_stat_activity where state like 'idle in%' and datname = current_database()"
    )
    assert rows.fetchall() == []


async def test_a_file_that_is_interrupted_is_one_line_with_its_cause(resources: Resources) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"code\r\n"
        raise DeadlineExceeded

    async def export() -> StreamingResponse:
        return StreamingResponse(chunks())

    sent: list[Message] = []
    app = create_app(resources)
    app.add_api_route("/export", export, response_class=StreamingResponse)

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/export", "query_string": b"", "headers": []}
    with structlog.testing.capture_logs() as lines:
        await app(scope, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    events = [(line["event"], line.get("status"), line.get("cause")) for line in lines if "request_id" in line]
    assert events == [("request", 200, "DeadlineExceeded")]


def render(line: Any) -> dict[str, str]:
    """A log line with its exception as text."""
    shown = structlog.processors.format_exc_info(None, "", dict(line))
    return {name: str(value) for name, value in shown.items()}


async def test_large_responses_that_are_ready_together_are_sent_one_at_a_time() -> None:
    sent: list[int] = []
    steps = 0

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(LARGE_PART_BYTES + 1)})

    async def send(message: Message) -> None:
        sent.extend([steps] if "body" in message else [])

    app = RequestLog(respond, error_renderers=ERROR_RENDERERS)
    scopes = [{"type": "http", "method": "GET", "path": "/", "headers": [], "app": FastAPI()} for _ in range(5)]
    requests = [asyncio.create_task(app(scope, cast(Receive, None), send)) for scope in scopes]
    while len(sent) < len(requests):
        await asyncio.sleep(0)
        steps += 1
    assert len(set(sent)) == len(requests)
    await asyncio.gather(*requests)
