"""Profiles: the data of a caller, which the caller can read with any rights."""

from dataclasses import dataclass
from uuid import UUID

from tessera.identity.clients.repository import ClientRepository
from tessera.identity.keys.repository import KeyRepository
from tessera.identity.organizations.repository import OrganizationRepository
from tessera.identity.rules import Principal
from tessera.identity.users.repository import UserRepository
from tessera.kit.actors import ActorKind
from tessera.kit.db.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The caller with its organization and its rights; only users have an e-mail address, and some have a partner."""

    kind: ActorKind
    id: UUID
    name: str
    email: str | None
    organization_id: UUID
    organization_name: str
    function_points: tuple[str, ...]
    partner_id: UUID | None


async def get(work: UnitOfWork, principal: Principal) -> Profile:
    """The profile of the caller of this unit of work."""
    is_user = principal.actor.kind is ActorKind.USER
    user = await UserRepository(work).find(principal.id) if is_user else None
    return Profile(
        kind=principal.actor.kind,
        id=principal.id,
        name=f"{user.first_name} {user.last_name}" if user else principal.actor.name,
        email=user.email if user else None,
        organization_id=principal.organization_id,
        organization_name=await OrganizationRepository(work).get_name(),
        function_points=tuple(sorted(principal.function_points)),
        partner_id=principal.partner_id,
    )


async def find_name(work: UnitOfWork, caller_id: UUID) -> str | None:
    """The name of a key or a client, or the e-mail address of a user; None for an unknown id."""
    if (key := await KeyRepository(work).find(caller_id)) is not None:
        return key.name
    if (client := await ClientRepository(work).find(caller_id)) is not None:
        return client.name
    user = await UserRepository(work).find(caller_id)
    return user.email if user else None
