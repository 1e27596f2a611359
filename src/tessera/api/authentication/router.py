"""The exchange of ClientId and secret for a Bearer token."""

import base64
import binascii
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request

from tessera.api.authentication import documentation
from tessera.api.authentication.errors import NO_STORE, UnsupportedGrantType
from tessera.api.authentication.schemas import AuthenticateQuery
from tessera.api.http import openapi
from tessera.api.http.errors import Malformed
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import ensure_readable, read_query
from tessera.api.serving.resources import resources_of
from tessera.identity.authentication.credentials import Credential, parse_client
from tessera.identity.authentication.service import token_for_client
from tessera.kit.errors import NotAuthenticated

pattern_a = APIRouter(tags=["Authentication"])
oauth = APIRouter(tags=["Authentication"])

FORM = "application/x-www-form-urlencoded"
# Anybody may send a form, and to decode one of a megabyte would block all other requests for a second.
MAX_FORM_BYTES = 16 * 1024


@pattern_a.get(
    "/authenticate",
    operation_id="authenticate",
    summary="Exchange ClientId and ClientSecret for a Bearer token",
    responses=documentation.AUTHENTICATE,
    openapi_extra={"security": openapi.BASIC, "parameters": openapi.parameters(AuthenticateQuery)},
)
async def authenticate(request: Request) -> JsonResponse:
    """Pattern A of the Certiverse APIs: send the credentials as `Authorization: Basic base64(ClientId:ClientSecret)`.

    The token is valid for one hour, unless the installation sets another lifetime. The header `x-functions-key` is
    ignored.
    """
    token = await _issue_token(request, _read_basic(request))
    values = read_query(request, AuthenticateQuery).valid_values()
    return JsonResponse({"authToken": token, "code": values.get("code")})


@oauth.post(
    "/oauth/token",
    operation_id="createAccessToken",
    summary="Exchange client credentials for an access token (OAuth 2)",
    responses=documentation.TOKEN,
    openapi_extra={"security": [*openapi.BASIC, {}], "requestBody": documentation.TOKEN_FORM},
)
async def create_access_token(request: Request) -> JsonResponse:
    """RFC 6749, section 4.4: `grant_type=client_credentials`, with the client in Basic or in form fields.

    It issues the same tokens as `GET /authenticate`, for standard clients and the Authorize button of the docs page.
    """
    form = await _form(request)
    if form.get("grant_type") is None:
        raise Malformed("The parameter grant_type is required.")
    if form["grant_type"] != "client_credentials":
        raise UnsupportedGrantType
    credential = _read_basic(request)
    if credential is None and "client_id" in form:
        credential = parse_client(form["client_id"], form.get("client_secret", ""))
    token = await _issue_token(request, credential)
    lifetime = int(resources_of(request).token_lifetime.total_seconds())
    body: dict[str, Any] = {"access_token": token, "token_type": "Bearer", "expires_in": lifetime}
    return JsonResponse(body, headers=NO_STORE)


async def _issue_token(request: Request, credential: Credential | None) -> str:
    if credential is None:
        raise NotAuthenticated("ClientId and ClientSecret are required.")
    resources = resources_of(request)
    request.state.credential = credential.public_text
    principal = await resources.pipeline.identify(credential)
    request.state.organization_id = principal.organization_id
    return token_for_client(resources.signer, principal, now=resources.clock(), lifetime=resources.token_lifetime)


async def _form(request: Request) -> dict[str, str]:
    ensure_readable(request, FORM)
    try:
        with resources_of(request).pipeline.body_of_stranger(request):
            body = await request.body()
        if len(body) > MAX_FORM_BYTES:
            raise Malformed(f"The form must not be larger than {MAX_FORM_BYTES:,} bytes.")
        items = parse_qsl(body.decode("ascii"), errors="strict", max_num_fields=50)
    except ValueError as error:
        raise Malformed("The form is not valid.") from error
    form = dict(items)
    if len(form) < len(items):
        raise Malformed("A parameter is given more than once.")
    return form


def _read_basic(request: Request) -> Credential | None:
    """ClientId and secret of an `Authorization: Basic` header, or None; raises NotAuthenticated."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise NotAuthenticated("The Basic credentials are malformed.") from error
    if not colon:
        raise NotAuthenticated("The Basic credentials are malformed.")
    return parse_client(client_id, secret)
