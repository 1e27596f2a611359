"""GET /authenticate: ClientId and secret for a Bearer token."""

import base64
from collections.abc import Callable

import httpx
import pytest
from jose import jwt
from tests.conftest import NOW, Clock
from tests.support.authentication_requests import basic, bearer, fetch_token, not_authenticated
from tests.support.factories import Tenant
from tests.support.responses import status_and_body

UNKNOWN = "The client or its secret is not valid."


@pytest.fixture
def credentials(tenant: Tenant) -> dict[str, str]:
    """Headers of the tenant's client."""
    return basic(tenant.client.name, tenant.client.secret)


@pytest.mark.parametrize("path", ["/authenticate", "/api/authenticate"])
@pytest.mark.parametrize(
    ("query", "code"),
    [("", None), ("?Code=", None), ("?Code=abc", "abc"), ("?Code=a%20%C3%A9%22%3C", 'a é"<'), ("?code=abc", None)],
)
async def test_good_credentials_get_a_token_and_their_code_back(
    client: httpx.AsyncClient, credentials: dict[str, str], path: str, query: str, code: str | None
) -> None:
    answer = await client.get(path + query, headers=credentials | {"x-functions-key": "anything"})
    token = answer.json()["authToken"]
    assert status_and_body(answer) == (200, {"authToken": token, "code": code})
    assert answer.headers["Cache-Control"] == "no-store"
    assert (await client.get("/promo-codes", headers=bearer(token))).status_code == 200


async def test_a_token_names_its_subject_and_no_rights(
    client: httpx.AsyncClient, tenant: Tenant, credentials: dict[str, str]
) -> None:
    token = await fetch_token(client, credentials)
    began = int(NOW.timestamp())
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT", "kid": "test"}
    assert jwt.get_unverified_claims(token) == {
        "org": str(tenant.id),
        "kind": "client",
        "sub": str(tenant.client.id),
        "gen": 0,
        "iss": "tessera",
        "aud": "tessera-api",
        "iat": began,
        "exp": began + 3600,
    }


async def test_a_token_is_good_for_an_hour(
    client: httpx.AsyncClient, credentials: dict[str, str], clock: Clock
) -> None:
    token = bearer(await fetch_token(client, credentials))
    clock.advance(seconds=3599)
    assert (await client.get("/promo-codes", headers=token)).status_code == 200
    clock.advance(seconds=1)
    answer = await client.get("/promo-codes", headers=token)
    assert status_and_body(answer) == (401, {"errorCode": "TokenExpired", "errorMessages": ["The token has expired."]})
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def basic_header(raw: bytes) -> str:
    return "Basic " + base64.b64encode(raw).decode()


MALFORMED = "The Basic credentials are malformed."
REQUIRED = "ClientId and ClientSecret are required."
NO_NAME = "The credential is not valid."
UNKNOWN_CLIENT = "tsc_" + "A" * 43
BAD_BASIC = pytest.mark.parametrize(
    ("authorization", "message"),
    [
        (None, REQUIRED),
        ("", REQUIRED),
        ("Bearer abc", REQUIRED),
        ("Basic", MALFORMED),
        ("Basic !!!", MALFORMED),
        ("Basic abc", MALFORMED),
        (basic_header(b"no colon"), MALFORMED),
        (basic_header(b"\xff\xfe:x"), MALFORMED),
        (basic_header(b":"), NO_NAME),
        (basic_header(b"me:secret"), NO_NAME),
        (basic_header(b"tsc_:x"), NO_NAME),
        (basic_header(b"\0:\0"), NO_NAME),
        (basic_header(b"tsk_" + b"A" * 43 + b":x"), NO_NAME),
        (basic_header(b"tsc_" + b"!" * 43 + b":x"), NO_NAME),
        (basic_header(b"tsc_" + "é".encode() * 43 + b":x"), NO_NAME),
        (basic_header(f"{UNKNOWN_CLIENT}:".encode()), UNKNOWN),
        (basic_header(f"{UNKNOWN_CLIENT}:x\0y".encode()), UNKNOWN),
        (basic_header(f"{UNKNOWN_CLIENT}:{'x' * 5000}".encode()), UNKNOWN),
    ],
    ids=lambda value: repr(value)[:40],
)


@BAD_BASIC
async def test_bad_credentials_get_401_and_are_asked_for_basic(
    client: httpx.AsyncClient, authorization: str | None, message: str
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = await client.get("/authenticate?Code=%00", headers=headers)
    assert status_and_body(answer) == not_authenticated(message)
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
async def test_the_scheme_is_read_in_any_case(
    client: httpx.AsyncClient, credentials: dict[str, str], scheme: str
) -> None:
    headers = {"Authorization": credentials["Authorization"].replace("Basic", scheme)}
    assert (await client.get("/authenticate", headers=headers)).status_code == 200


@pytest.mark.parametrize("wrong", [str.upper, lambda secret: secret[:-1], lambda _: "", lambda secret: secret + "\0"])
async def test_a_wrong_secret_is_401(client: httpx.AsyncClient, tenant: Tenant, wrong: Callable[[str], str]) -> None:
    answer = await client.get("/authenticate", headers=basic(tenant.client.name, wrong(tenant.client.secret)))
    assert status_and_body(answer) == not_authenticated(UNKNOWN)


async def test_another_organizations_client_has_another_secret(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    answer = await client.get("/authenticate", headers=basic(tenant.client.name, other_tenant.client.secret))
    assert status_and_body(answer) == not_authenticated(UNKNOWN)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Code=%00", ("ValidationFailed", "Code must not contain a NUL character.")),
        ("Code=a&Code=b", ("ValidationFailed", "Code must be given once.")),
        ("Code=%FF", ("MalformedRequest", "The query string is not valid UTF-8.")),
    ],
)
async def test_a_wrong_code_is_400(
    client: httpx.AsyncClient, credentials: dict[str, str], query: str, expected: tuple[str, str]
) -> None:
    answer = await client.get(f"/authenticate?{query}", headers=credentials)
    assert status_and_body(answer) == (400, {"errorCode": expected[0], "errorMessages": [expected[1]]})
