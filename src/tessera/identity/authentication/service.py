"""Authentication: the only module that compares secrets and identifies callers."""

import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tessera.identity.authentication import repository
from tessera.identity.authentication.credentials import Credential, CredentialKind, WrongSecret
from tessera.identity.authentication.repository import CallerRow
from tessera.identity.rules import Principal, Standing, in_good_standing, rights_of
from tessera.kit.actors import Actor, ActorKind
from tessera.kit.db.unit_of_work import Reader
from tessera.kit.errors import NotAuthenticated

if TYPE_CHECKING:
    from tessera.kit.tokens import TokenSigner

_ACTOR_KINDS = {
    CredentialKind.KEY: ActorKind.API_KEY,
    CredentialKind.CLIENT: ActorKind.API_CLIENT,
    CredentialKind.TOKEN: ActorKind.USER,
}
_WRONG_SECRET = {
    CredentialKind.KEY: "The API key is not valid.",
    CredentialKind.CLIENT: "The client or its secret is not valid.",
}


async def identify_all(
    reader: Reader, credentials: Sequence[Credential], *, now: datetime
) -> list[Principal | NotAuthenticated]:
    """The current caller of each credential; the credentials may belong to different organizations.

    One statement, outside the transactions of the organizations, reads all callers and changes nothing.
    """
    rows = await repository.find_callers(reader, list(dict.fromkeys(credentials)))
    return [_principal(credential, rows.get(credential), now=now) for credential in credentials]


def is_valid_key(digest: bytes, standing: Standing, *, key: Credential, now: datetime) -> bool:
    """Whether `key` has this digest and may be used at `now`, for callers that have read the key themselves."""
    return hmac.compare_digest(digest, key.digest or b"") and in_good_standing(standing, now=now)


def token_for_client(signer: "TokenSigner", principal: Principal, *, now: datetime, lifetime: timedelta) -> str:
    """A short-lived Bearer token for an authenticated client."""
    claims = {
        "org": str(principal.organization_id),
        "kind": "client",
        "sub": str(principal.id),
        "gen": principal.token_generation,
    }
    return signer.issue(claims, now=now, lifetime=lifetime)


def _principal(credential: Credential, row: CallerRow | None, *, now: datetime) -> Principal | NotAuthenticated:
    if credential.digest is not None:
        # An unknown name costs the same comparison as a known one.
        digest = row.digest if row is not None and row.digest is not None else bytes(32)
        is_outside = row is not None and row.is_active is None
        if not hmac.compare_digest(digest, credential.digest) or is_outside:
            return WrongSecret(_WRONG_SECRET[credential.kind], row.digest if row is not None else None)
    if row is None or not in_good_standing(Standing(row.revoked_at, row.expires_at, bool(row.is_active)), now=now):
        return NotAuthenticated("The credential is unknown, revoked or expired.")
    if credential.generation is not None and credential.generation != row.token_generation:
        return NotAuthenticated("The token was ended when the secret of its client was rotated.")
    return Principal(
        credential.organization_id,
        _actor(credential, row),
        rights_of(row.function_points, row.token_function_points, partner_id=row.partner_id),
        row.partner_id,
        first_key_id=row.first_key_id,
        token_generation=row.token_generation,
    )


def _actor(credential: Credential, row: CallerRow) -> Actor:
    is_token = credential.kind is CredentialKind.TOKEN
    token_id = credential.name.id if is_token else None
    return Actor(_ACTOR_KINDS[credential.kind], row.id, row.name, token_id, row.token_issuer)
