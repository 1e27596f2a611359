"""The credentials of `Authorization: Basic`, which only the authentication endpoints accept."""

import base64
import binascii

from fastapi import Request

from tessera.identity.authentication.credentials import Credential, parse_client
from tessera.kit.errors import NotAuthenticated


def read_basic(request: Request) -> Credential | None:
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
