"""Authentication: who calls, and what they may do."""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tessera.identity import rules
from tessera.identity.authentication import credentials
from tessera.identity.authentication.credentials import ApiKeyText, CredentialName
from tessera.identity.authentication.repository import Holder, IdentityRepository
from tessera.identity.rules import FunctionPoint, Principal
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import NotAuthenticated
from tessera.kit.tokens import TokenSigner


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a token is for: enough to pin the tenant and look up the rest, never a right."""

    organization_id: UUID
    kind: str
    id: UUID


Credential = ApiKeyText | Subject


def parse_subject(claims: dict[str, Any]) -> Subject:
    """The subject of a token's claims; raises NotAuthenticated."""
    try:
        if claims["kind"] not in ("client", "token"):
            raise ValueError
        return Subject(UUID(claims["org"]), claims["kind"], UUID(claims["sub"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotAuthenticated("The token is not valid.") from error


async def recognize(work: UnitOfWork, *, subject: Subject, now: datetime) -> Principal:
    """The caller whom a verified token names, as the database knows it now; raises NotAuthenticated."""
    repository = IdentityRepository(work)
    if subject.kind == "client":
        found = await repository.find_client(subject.id)
        holder = found[0] if found else None
    else:
        holder = await repository.find_token_holder(subject.id)
    return _principal(work, holder, now=now)


async def authenticate_client(work: UnitOfWork, *, name: CredentialName, secret: str, now: datetime) -> Principal:
    """The client with this ClientId and secret; raises NotAuthenticated."""
    found = await IdentityRepository(work).find_client(name.id)
    # An unknown client costs the same comparison as a known one.
    holder, digest = found or (None, bytes(32))
    if not credentials.matches(secret, digest):
        raise NotAuthenticated("The client or its secret is not valid.")
    return _principal(work, holder, now=now)


async def authenticate_key(work: UnitOfWork, *, key: ApiKeyText, now: datetime) -> Principal:
    """The storefront with this API key; raises NotAuthenticated."""
    found = await IdentityRepository(work).find_key(key.name.id)
    if found is None or not hmac.compare_digest(found[2], key.digest):
        raise NotAuthenticated("The API key is not valid.")
    return _principal(work, found[0], now=now)


async def identify(work: UnitOfWork, *, credential: Credential, now: datetime) -> Principal:
    """The caller with this credential, a key or a verified token's subject; raises NotAuthenticated."""
    if isinstance(credential, ApiKeyText):
        return await authenticate_key(work, key=credential, now=now)
    return await recognize(work, subject=credential, now=now)


async def admit(work: UnitOfWork, principal: Principal, function_point: FunctionPoint) -> UnitOfWork:
    """The rest of this transaction as the caller's own, for what this right is needed; raises LacksFunctionPoint."""
    principal.require(function_point)
    work = work.acting_as(principal.actor)
    return work if principal.partner_id is None else await work.narrowed_to(principal.partner_id)


def token_of_client(signer: TokenSigner, principal: Principal, *, now: datetime, lifetime: timedelta) -> str:
    """A short-lived Bearer token for an authenticated client."""
    claims = {"org": str(principal.organization_id), "kind": "client", "sub": str(principal.id)}
    return signer.issue(claims, now=now, lifetime=lifetime)


def _principal(work: UnitOfWork, holder: Holder | None, *, now: datetime) -> Principal:
    if holder is None or not rules.in_good_standing(holder.standing, now=now):
        raise NotAuthenticated("The credential is unknown, revoked or expired.")
    return Principal(work.organization_id, holder.actor, frozenset(holder.function_points), holder.partner_id)
