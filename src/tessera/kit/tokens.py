"""Signed Bearer tokens: JWT with HS256 only, and keys that can be rotated."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from jose import JWTError, jwt
from jose.utils import base64url_decode, base64url_encode

from tessera.kit.errors import NotAuthenticated

ALGORITHM = "HS256"
MAX_LENGTH = 4096
MAX_CACHED = 10_000


class TokenExpired(NotAuthenticated):
    """The token was valid until it expired."""


class TokenKeyUnknown(NotAuthenticated):
    """The token names a signing key that is not among the keys of this server."""

    def __init__(self) -> None:
        super().__init__("The token was signed with a key that this server does not know.")


@dataclass(frozen=True, slots=True)
class TokenSigner:
    """Signs tokens with the first key and accepts tokens signed with any key; `keys` maps `kid` to secret."""

    keys: Mapping[str, str] = field(repr=False)
    issuer: str = "tessera"
    audience: str = "tessera-api"
    # The claims of verified tokens by digest; a valid signature remains valid.
    _verified_claims: dict[bytes, dict[str, Any]] = field(default_factory=dict, repr=False, compare=False)

    def issue(self, claims: Mapping[str, Any], *, now: datetime, lifetime: timedelta) -> str:
        """A token with `claims`, valid from `now` for `lifetime`."""
        kid, secret = next(iter(self.keys.items()))
        issued_at = int(now.timestamp())
        registered = {
            "iss": self.issuer,
            "aud": self.audience,
            "iat": issued_at,
            "exp": issued_at + int(lifetime.total_seconds()),
        }
        return jwt.encode({**claims, **registered}, secret, algorithm=ALGORITHM, headers={"kid": kid})

    def read(self, token: str, *, now: datetime) -> dict[str, Any]:
        """The claims of a token that was signed with one of the keys and has not expired.

        Raises NotAuthenticated: TokenExpired if only the expiry is wrong, TokenKeyUnknown if the key has no known name.
        """
        digest = hashlib.sha256(token.encode()).digest()
        claims = self._verified_claims.get(digest)
        if claims is None:
            claims = self._verify(token)
            if len(self._verified_claims) >= MAX_CACHED:
                del self._verified_claims[next(iter(self._verified_claims))]
            self._verified_claims[digest] = claims
        if now.timestamp() >= claims["exp"]:
            raise TokenExpired("The token has expired.")
        return claims

    def read_unverified(self, token: str) -> Mapping[str, Any]:
        """The claims of a token that anybody may have written; empty if it has none."""
        try:
            claims: Mapping[str, Any] = jwt.get_unverified_claims(token) if len(token) <= MAX_LENGTH else {}
        except (JWTError, RecursionError):  # the library does not expect JSON that is nested deeply
            return {}
        return claims

    def _verify(self, token: str) -> dict[str, Any]:
        if len(token) > MAX_LENGTH:
            raise NotAuthenticated("The token is too long.")
        try:
            _ensure_canonical_signature(token)
            kid = jwt.get_unverified_header(token)["kid"]
            if isinstance(kid, str) and kid not in self.keys:
                raise TokenKeyUnknown
            claims = jwt.decode(
                token,
                self.keys[kid],
                algorithms=[ALGORITHM],
                issuer=self.issuer,
                audience=self.audience,
                # Expiry is checked against the caller's clock; `require_exp` would turn the library's own check on.
                options={"verify_exp": False, "require_iss": True, "require_aud": True},
            )
        except (JWTError, KeyError, TypeError, ValueError) as error:
            raise NotAuthenticated("The token is not valid.") from error
        if not isinstance(claims.get("exp"), int):
            raise NotAuthenticated("The token is not valid.")
        return claims


def _ensure_canonical_signature(token: str) -> None:
    # The library decodes "/" as "_", and ignores unused bits and characters outside Base64. A signature does not cover
    # itself, so one token would have many spellings.
    signature = token.rpartition(".")[2].encode()
    if base64url_encode(base64url_decode(signature)) != signature:
        raise ValueError("the signature is not canonical")
