"""Secrets and the credentials that carry them; each names its organization, so that a tenant can be pinned first."""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from uuid import UUID

from tessera.kit.errors import NotAuthenticated

SECRET_BYTES = 32
_NAME_LENGTH = 43  # 32 bytes (organization, then own id) in unpadded base64
CLIENT_PREFIX = "tsc_"
KEY_PREFIX = "tsk_"


@dataclass(frozen=True, slots=True)
class CredentialName:
    """Which organization, and which client or key in it: the public part of a credential."""

    organization_id: UUID
    id: UUID

    def text(self, prefix: str) -> str:
        """The name as its holder sees it, 47 characters with the prefix."""
        return prefix + urlsafe_b64encode(self.organization_id.bytes + self.id.bytes).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class ApiKeyText:
    """A `cv-api-key`: its name, and the SHA-256 digest of the whole text."""

    name: CredentialName
    digest: bytes

    @property
    def organization_id(self) -> UUID:
        """The organization that the key names."""
        return self.name.organization_id


def new_secret() -> str:
    """256 random bits as text, to be shown once."""
    return secrets.token_urlsafe(SECRET_BYTES)


def digest_of(secret: str) -> bytes:
    """What the database keeps of a secret: enough to recognize it, nothing to use it."""
    return hashlib.sha256(secret.encode()).digest()


def matches(secret: str, digest: bytes) -> bool:
    """Whether the digest is the secret's, in constant time."""
    return hmac.compare_digest(digest_of(secret), digest)


def new_key_text(name: CredentialName) -> str:
    """A whole API key: prefix, name and secret."""
    return f"{name.text(KEY_PREFIX)}_{new_secret()}"


def parse_client_id(text: str) -> CredentialName:
    """The name in a ClientId; raises NotAuthenticated."""
    return _parse_name(text, CLIENT_PREFIX)


def parse_key(text: str) -> ApiKeyText:
    """The parts of a `cv-api-key`; raises NotAuthenticated."""
    end = len(KEY_PREFIX) + _NAME_LENGTH
    if text[end : end + 1] != "_":
        raise NotAuthenticated("The API key is not valid.")
    return ApiKeyText(_parse_name(text[:end], KEY_PREFIX), digest_of(text))


def _parse_name(text: str, prefix: str) -> CredentialName:
    encoded = text.removeprefix(prefix)
    try:
        if not text.startswith(prefix) or len(encoded) != _NAME_LENGTH:
            raise ValueError
        raw = urlsafe_b64decode(encoded + "=")
        return CredentialName(UUID(bytes=raw[:16]), UUID(bytes=raw[16:]))
    except ValueError as error:
        raise NotAuthenticated("The credential is not valid.") from error
