"""Reading ClientId and secret from a request."""

import base64
import binascii

from fastapi import Request

from tessera.api.serving.callers import resources_of
from tessera.identity.authentication import credentials
from tessera.identity.authentication import service as authentication
from tessera.kit.errors import NotAuthenticated


def basic_credentials(request: Request) -> tuple[str, str] | None:
    """ClientId and secret of an `Authorization: Basic` header, None without one; raises NotAuthenticated."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise NotAuthenticated("The Basic credentials are malformed.") from error
    if not colon:
        raise NotAuthenticated("The Basic credentials are malformed.")
    return client_id, secret


async def issue_token(request: Request, given: tuple[str, str] | None) -> str:
    """A Bearer token for these credentials; raises NotAuthenticated."""
    if given is None:
        raise NotAuthenticated("ClientId and ClientSecret are required.")
    resources = resources_of(request)
    now = resources.clock()
    name = credentials.parse_client_id(given[0])
    async with resources.database.unit_of_work(name.organization_id) as work:
        principal = await authentication.authenticate_client(work, name=name, secret=given[1], now=now)
    request.state.organization_id = str(principal.organization_id)
    return authentication.token_of_client(resources.signer, principal, now=now, lifetime=resources.token_lifetime)
