"""POST /oauth/token: the client credentials grant of RFC 6749."""

from collections.abc import AsyncIterator
from urllib.parse import urlencode

import httpx
import pytest
from tests.conftest import NOW
from tests.support.authentication_requests import basic, bearer
from tests.support.factories import Tenant
from tests.support.responses import status_and_body

from tessera.api.serving.resources import Resources
from tessera.identity import provisioning

GRANT = {"grant_type": "client_credentials"}
FORM = "application/x-www-form-urlencoded"
UNKNOWN = "The client or its secret is not valid."
NOBODY = "tsc_" + "A" * 43


def oauth_error(status: int, error: str, description: str) -> tuple[int, dict[str, str]]:
    return status, {"error": error, "error_description": description}


def assert_not_stored(answer: httpx.Response) -> None:
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")


async def ask(client: httpx.AsyncClient, content: bytes | str, headers: dict[str, str] | None = None) -> httpx.Response:
    answer = await client.post("/oauth/token", content=content, headers={"Content-Type": FORM} | (headers or {}))
    assert_not_stored(answer)
    return answer


@pytest.mark.parametrize("by", ["basic", "form", "both"])
async def test_good_credentials_get_a_token(client: httpx.AsyncClient, tenant: Tenant, by: str) -> None:
    in_form = {"client_id": tenant.client.name, "client_secret": tenant.client.secret}
    headers = basic(tenant.client.name, tenant.client.secret) if by != "form" else {}
    answer = await ask(client, urlencode(GRANT | (in_form if by != "basic" else {})), headers)
    token = answer.json()["access_token"]
    assert status_and_body(answer) == (200, {"access_token": token, "token_type": "Bearer", "expires_in": 3600})
    assert (await client.get("/promo-codes", headers=bearer(token))).status_code == 200


@pytest.mark.parametrize("media_type", [None, FORM, f"{FORM}; charset=utf-8", FORM.upper()])
async def test_a_form_may_be_declared_or_not(client: httpx.AsyncClient, tenant: Tenant, media_type: str | None) -> None:
    headers = basic(tenant.client.name, tenant.client.secret)
    headers |= {"Content-Type": media_type} if media_type else {}
    answer = await client.post("/oauth/token", content="grant_type=client_credentials&scope=x&x=", headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("media_type", ["application/json", "multipart/form-data; boundary=x", "text/plain"])
async def test_another_content_type_is_415(client: httpx.AsyncClient, media_type: str) -> None:
    answer = await ask(client, "{}", {"Content-Type": media_type})
    assert status_and_body(answer) == oauth_error(415, "invalid_request", f"The request body must be {FORM}.")


@pytest.mark.parametrize("content", ["", "grant_type=", "grant_type", "Grant_Type=client_credentials"])
async def test_without_a_grant_type_it_is_an_invalid_request(client: httpx.AsyncClient, content: str) -> None:
    answer = await ask(client, content)
    assert status_and_body(answer) == oauth_error(400, "invalid_request", "The parameter grant_type is required.")


@pytest.mark.parametrize("grant", ["password", "authorization_code", "CLIENT_CREDENTIALS", "client_credentials\0"])
async def test_another_grant_type_is_unsupported(client: httpx.AsyncClient, grant: str) -> None:
    answer = await ask(client, urlencode({"grant_type": grant}))
    assert status_and_body(answer) == oauth_error(
        400, "unsupported_grant_type", "The grant type must be client_credentials."
    )


@pytest.mark.parametrize(
    ("content", "description"),
    [
        (b"grant_type=client_credentials&grant_type=client_credentials", "A parameter is given more than once."),
        (b"grant_type=client_credentials&client_id=a&client_id=b", "A parameter is given more than once."),
        (b"grant_type=" + b"%" * 16_384, "The form must not be larger than 16,384 bytes."),
        (b"grant_type=%FF", "The form is not valid."),
        (b"grant_type=\xff", "The form is not valid."),
        (b"grant_type=%ED%A0%80", "The form is not valid."),
        (b"&".join(b"x%d=1" % number for number in range(51)), "The form is not valid."),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_a_form_that_cannot_be_read_is_an_invalid_request(
    client: httpx.AsyncClient, content: bytes, description: str
) -> None:
    assert status_and_body(await ask(client, content)) == oauth_error(400, "invalid_request", description)


@pytest.mark.parametrize(
    ("form", "description"),
    [
        ({}, "ClientId and ClientSecret are required."),
        ({"client_secret": "x"}, "ClientId and ClientSecret are required."),
        ({"client_id": "me"}, "The credential is not valid."),
        ({"client_id": "\0", "client_secret": "\0"}, "The credential is not valid."),
        ({"client_id": "é" * 47, "client_secret": "é"}, "The credential is not valid."),
        ({"client_id": NOBODY}, UNKNOWN),
        ({"client_id": NOBODY, "client_secret": "x\0"}, UNKNOWN),
    ],
    ids=str,
)
async def test_bad_credentials_are_an_invalid_client(
    client: httpx.AsyncClient, form: dict[str, str], description: str
) -> None:
    answer = await ask(client, urlencode(GRANT | form))
    assert status_and_body(answer) == oauth_error(401, "invalid_client", description)
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize("authorization", ["Basic", "Basic !!!", "Basic /w=="])
async def test_malformed_basic_is_an_invalid_client(client: httpx.AsyncClient, authorization: str) -> None:
    answer = await ask(client, urlencode(GRANT), {"Authorization": authorization})
    assert status_and_body(answer) == oauth_error(401, "invalid_client", "The Basic credentials are malformed.")


async def test_a_wrong_or_revoked_clients_secret_is_an_invalid_client(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, other_tenant: Tenant
) -> None:
    wrong = basic(tenant.client.name, other_tenant.client.secret)
    assert status_and_body(await ask(client, urlencode(GRANT), wrong)) == oauth_error(401, "invalid_client", UNKNOWN)
    async with resources.database.unit_of_work(tenant.id) as work:
        await provisioning.revoke_client(work, client_id=tenant.client.id, now=NOW)
    right = basic(tenant.client.name, tenant.client.secret)
    ended = "The credential is unknown, revoked or expired."
    assert status_and_body(await ask(client, urlencode(GRANT), right)) == oauth_error(401, "invalid_client", ended)


async def pieces() -> AsyncIterator[bytes]:
    """Two mebibytes, sent without a Content-Length."""
    for _ in range(32):
        yield b"x" * 65_536


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "in pieces"])
async def test_a_body_over_one_mebibyte_is_413(client: httpx.AsyncClient, *, declared: bool) -> None:
    content = b"x" * 2 * 1024 * 1024 if declared else pieces()
    answer = await client.post("/oauth/token", content=content)
    assert status_and_body(answer) == oauth_error(
        413, "invalid_request", "The request body must not be larger than 1,048,576 bytes."
    )
    assert_not_stored(answer)
