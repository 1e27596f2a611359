"""Organizations, which the platform creates, renames, deactivates, reactivates and freezes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from tessera.audit.editing import Editable
from tessera.audit.rules import Action
from tessera.identity import rules
from tessera.identity.errors import NameTaken
from tessera.identity.organizations.repository import ManagedOrganization, OrganizationRepository
from tessera.identity.rules import ACTIVE, INACTIVE, PLATFORM_ID
from tessera.kit import editing
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid, NotAllowed, WrongState
from tessera.kit.identifiers import new_id
from tessera.kit.normalization import stored_name

__all__ = ["ManagedOrganization"]

_ORGANIZATIONS: Editable[ManagedOrganization] = Editable(kind="Organization", noun="organization", moves=rules.MOVES)


async def create(work: UnitOfWork, *, name: str, now: datetime) -> ManagedOrganization:
    """Create an organization under the new id that the unit of work is pinned to; raises Invalid, NameTaken."""
    organization = ManagedOrganization(
        id=work.organization_id, name=_valid_name(name), is_active=True, created_at=now, version=editing.FIRST
    )
    if not await OrganizationRepository(work).add(organization):
        raise NameTaken("name", organization.name)
    await _ORGANIZATIONS.record_created(work, organization, now=now)
    return organization


async def create_another(work: UnitOfWork, *, name: str, now: datetime) -> ManagedOrganization:
    """Create an organization, for a unit of work pinned to the platform; raises Invalid, NameTaken."""
    async with work.pinned_to(new_id()) as tenant_work:
        return await create(tenant_work, name=name, now=now)


async def get(work: UnitOfWork, organization_id: UUID) -> ManagedOrganization:
    """The organization with this id, for a unit of work pinned to the platform; raises NotFound."""
    return _ORGANIZATIONS.require(await OrganizationRepository(work).find_any(organization_id))


async def get_name(work: UnitOfWork) -> str:
    """The name of the organization of the unit of work."""
    return await OrganizationRepository(work).get_name()


async def find(work: UnitOfWork, name_or_id: str) -> ManagedOrganization | None:
    """The organization with this name or id, ignoring case, for a unit of work pinned to the platform."""
    return await OrganizationRepository(work).find_by_name_or_id(name_or_id)


async def list_all(work: UnitOfWork) -> Sequence[Any]:
    """Every organization, for a unit of work pinned to the platform."""
    return await OrganizationRepository(work).list_all()


async def list_by_cursor(work: UnitOfWork, *, after: str | None, size: int) -> CursorPage[ManagedOrganization]:
    """A page of all organizations, oldest first, for a unit of work pinned to the platform."""
    return await OrganizationRepository(work).list_by_cursor(after=after, size=size)


async def rename(work: UnitOfWork, target: Target, *, name: str, now: datetime) -> ManagedOrganization:
    """Rename an organization; raises Invalid, NameTaken, NotFound, VersionStale."""
    name = _valid_name(name)
    async with work.pinned_to(target.id) as tenant_work:
        repository = OrganizationRepository(tenant_work)
        organization = await _ORGANIZATIONS.lock(repository, target)
        after = replace(organization, name=name)
        return await _ORGANIZATIONS.save(tenant_work, repository, organization, after, Action.UPDATED, now=now)


async def deactivate(work: UnitOfWork, target: Target, *, now: datetime) -> ManagedOrganization:
    """Deactivate an organization and thereby all of its callers.

    The platform must stay active, because nobody could reactivate it. Raises NotAllowed, NotFound, VersionStale,
    WrongState.
    """
    if target.id == PLATFORM_ID:
        raise NotAllowed("The platform itself cannot be deactivated.")
    return await _move(work, target, INACTIVE, now=now)


async def activate(work: UnitOfWork, target: Target, *, now: datetime) -> ManagedOrganization:
    """Reactivate an organization; raises NotFound, VersionStale, WrongState."""
    return await _move(work, target, ACTIVE, now=now)


async def freeze(work: UnitOfWork, target: Target, *, now: datetime) -> ManagedOrganization:
    """Reject changes of an organization by new transactions; `has_running_changes` tells of earlier ones.

    Raises NotAllowed, NotFound, VersionStale.
    """
    if target.id == PLATFORM_ID:
        raise NotAllowed("The platform itself cannot be frozen.")
    return await _set_frozen(work, target, Action.FROZEN, now, now=now)


async def unfreeze(work: UnitOfWork, target: Target, *, now: datetime) -> ManagedOrganization:
    """Let an organization be changed again, for a unit of work that may change it while it is frozen.

    Raises NotFound, VersionStale, WrongState.
    """
    repository = OrganizationRepository(work)
    await repository.lock(target.id)  # before the check, because a request for the deletion takes this lock too
    if (state := await repository.find_transition()) is not None:
        raise WrongState("organization", state)
    return await _set_frozen(work, target, Action.UNFROZEN, None, now=now)


async def has_running_changes(work: UnitOfWork) -> bool:
    """Whether a transaction may still change the frozen organization that the unit of work is pinned to.

    The unit of work must be one that may change it while it is frozen.
    """
    return await OrganizationRepository(work).has_running_changes()


async def _set_frozen(
    work: UnitOfWork, target: Target, action: Action, frozen_at: datetime | None, *, now: datetime
) -> ManagedOrganization:
    repository = OrganizationRepository(work)
    organization = await _ORGANIZATIONS.lock(repository, target)
    if (organization.frozen_at is None) == (frozen_at is None):
        return organization
    after = replace(organization, frozen_at=frozen_at)
    return await _ORGANIZATIONS.save(work, repository, organization, after, action, now=now)


def _valid_name(text: str) -> str:
    name = stored_name(text)
    violations = list(rules.name_violations("name", name))
    if violations:
        raise Invalid(violations)
    return name


async def _move(work: UnitOfWork, target: Target, status: str, *, now: datetime) -> ManagedOrganization:
    # Pinned to the organization, because its own audit log must record the change, even one made by the platform.
    async with work.pinned_to(target.id) as tenant_work:
        repository = OrganizationRepository(tenant_work)
        organization = await _ORGANIZATIONS.lock(repository, target)
        move = _ORGANIZATIONS.require_move(ACTIVE if organization.is_active else INACTIVE, status)
        after = replace(organization, is_active=status == ACTIVE)
        return await _ORGANIZATIONS.save(tenant_work, repository, organization, after, move.action, now=now)
