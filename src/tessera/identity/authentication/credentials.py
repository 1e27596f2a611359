"""Credentials and their secrets; each credential names its organization, which can thus be pinned before a look-up."""

import hashlib
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from tessera.kit import ip_addresses
from tessera.kit.errors import NotAuthenticated

SECRET_BYTES = 32
MAX_KNOWN_NAMES = 4096  # parsed and kept in memory
_NAME_LENGTH = 43  # 32 bytes (organization, then own id) in unpadded base64
CLIENT_PREFIX = "tsc_"
KEY_PREFIX = "tsk_"


class CredentialName(NamedTuple):
    """The public part of a credential: an organization, and a client, key or token in it."""

    organization_id: UUID
    id: UUID

    def text(self, prefix: str) -> str:
        """The name as text: the prefix, and 43 characters."""
        return prefix + urlsafe_b64encode(self.organization_id.bytes + self.id.bytes).decode().rstrip("=")


class CredentialKind(StrEnum):
    """The kind of a credential; a Bearer token names a client, or a token that was issued to a user."""

    KEY = "key"
    CLIENT = "client"
    TOKEN = "token"  # noqa: S105 - a kind, not a secret


class Credential(NamedTuple):
    """A credential of a request: its public name, and the SHA-256 digest of its secret.

    `digest` is None for a Bearer token, whose signature was verified when it was read. `generation` is that of a
    client's token, and `address` the IP address of a key's client, if it has one.
    """

    kind: CredentialKind
    name: CredentialName
    digest: bytes | None
    generation: int | None = None
    address: str | None = None

    @property
    def organization_id(self) -> UUID:
        """The organization that the credential names."""
        return self.name.organization_id

    @property
    def public_text(self) -> str:
        """The kind and the id of the credential, for logs."""
        return f"{self.kind} {self.name.id}"


class WrongSecret(NotAuthenticated):
    """The secret is wrong; `valid_digest` is that of the right one, or None if the named credential does not exist."""

    def __init__(self, message: str, valid_digest: bytes | None) -> None:
        super().__init__(message)
        self.valid_digest = valid_digest


def new_secret() -> str:
    """A secret of 256 random bits as text, which is shown once."""
    return secrets.token_urlsafe(SECRET_BYTES)


def digest_of(secret: str) -> bytes:
    """The SHA-256 digest of a secret; the database stores only this digest."""
    return hashlib.sha256(secret.encode()).digest()


def new_key_text(name: CredentialName) -> str:
    """A whole API key: prefix, name and secret."""
    return f"{name.text(KEY_PREFIX)}_{new_secret()}"


def parse_client(client_id: str, secret: str) -> Credential:
    """The credential of a ClientId and its secret; raises NotAuthenticated."""
    return Credential(CredentialKind.CLIENT, _parse_name(client_id, CLIENT_PREFIX), digest_of(secret))


def parse_key(text: str, *, host: str | None = None) -> Credential:
    """The credential of a `cv-api-key` from this host, with the digest of the whole text; raises NotAuthenticated."""
    end = len(KEY_PREFIX) + _NAME_LENGTH
    if text[end : end + 1] != "_":
        raise NotAuthenticated("The API key is not valid.")
    name = _parse_name(text[:end], KEY_PREFIX)
    # A Unix socket has no address.
    return Credential(CredentialKind.KEY, name, digest_of(text), address=ip_addresses.canonical(host or ""))


def parse_claims(claims: Mapping[str, Any]) -> Credential:
    """The credential of a verified Bearer token; raises NotAuthenticated."""
    try:
        kind = CredentialKind(claims["kind"])
        if kind is CredentialKind.KEY:
            raise ValueError
        generation = claims.get("gen", 0) if kind is CredentialKind.CLIENT else None
        return Credential(kind, CredentialName(UUID(claims["org"]), UUID(claims["sub"])), None, generation)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotAuthenticated("The token is not valid.") from error


def parse_forged_claims(claims: Mapping[str, Any]) -> CredentialName | None:
    """The name in the claims of a token that was not verified; None if they name nothing."""
    try:
        return parse_claims(claims).name
    except NotAuthenticated:
        return None


@lru_cache(MAX_KNOWN_NAMES)
def _parse_name(text: str, prefix: str) -> CredentialName:
    encoded = text.removeprefix(prefix)
    try:
        if not text.startswith(prefix) or len(encoded) != _NAME_LENGTH:
            raise ValueError
        raw = urlsafe_b64decode(encoded + "=")
        return CredentialName(UUID(bytes=raw[:16]), UUID(bytes=raw[16:]))
    except ValueError as error:
        raise NotAuthenticated("The credential is not valid.") from error
