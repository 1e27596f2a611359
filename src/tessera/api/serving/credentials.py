"""Reading the credential of a request from its headers, without looking it up."""

import base64
import binascii
from datetime import datetime

from fastapi import Request

from tessera.identity.authentication.credentials import Credential, parse_claims, parse_client, parse_key
from tessera.kit.errors import NotAuthenticated
from tessera.kit.tokens import TokenSigner


def read_credential(request: Request, signer: TokenSigner, *, now: datetime, accepts_keys: bool) -> Credential:
    """The `cv-api-key` of a request if keys are accepted, else its Bearer token; raises NotAuthenticated."""
    key = request.headers.get("cv-api-key") if accepts_keys else None
    if key is not None:
        return parse_key(key)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticated("A Bearer token is required.")
    return parse_claims(signer.read(token.strip(), now=now))


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
