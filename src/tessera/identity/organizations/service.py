"""Organizations and their whole life: made, renamed, switched off and on, by the platform."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.service import Action, Change
from tessera.identity import rules
from tessera.identity.errors import NameTaken
from tessera.identity.organizations.repository import ManagedOrganization, OrganizationRepository
from tessera.identity.rules import PLATFORM_ID
from tessera.kit import editing
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid, NotAllowed, NotFound, WrongState
from tessera.kit.identifiers import new_id

__all__ = ["ManagedOrganization"]

KIND = "Organization"


async def create(work: UnitOfWork, *, name: str, now: datetime) -> ManagedOrganization:
    """Create the organization to whose (new) id the unit of work is pinned; raises Invalid, NameTaken."""
    _check(name)
    organization = ManagedOrganization(
        id=work.organization_id, name=name, is_active=True, created_at=now, version=editing.FIRST
    )
    if not await OrganizationRepository(work).add(organization):
        raise NameTaken("name", name)
    change = Change(action=Action.CREATED, kind=KIND, id=organization.id, after=asdict(organization))
    await audit.record(work, change, now=now)
    return organization


async def create_another(work: UnitOfWork, *, name: str, now: datetime) -> ManagedOrganization:
    """Create an organization from within the platform; raises Invalid, NameTaken."""
    async with work.pinned_to(new_id()) as inside:
        return await create(inside, name=name, now=now)


async def get(work: UnitOfWork, organization_id: UUID) -> ManagedOrganization:
    """Any organization, for a unit of work pinned to the platform; raises NotFound."""
    organization = await OrganizationRepository(work).find_any(organization_id)
    if organization is None:
        raise NotFound("There is no such organization.")
    return organization


async def find(work: UnitOfWork, name_or_id: str) -> ManagedOrganization | None:
    """The organization with this name or id, not case-sensitive, for a unit of work pinned to the platform."""
    return await OrganizationRepository(work).find_by_name_or_id(name_or_id)


async def list_all(work: UnitOfWork) -> Sequence[Any]:
    """Every organization, for a unit of work pinned to the platform."""
    return await OrganizationRepository(work).list_all()


async def list_by_cursor(work: UnitOfWork, *, after: str | None, size: int) -> CursorPage[ManagedOrganization]:
    """A part of all organizations, oldest first, for a unit of work pinned to the platform."""
    return await OrganizationRepository(work).list_by_cursor(after=after, size=size)


async def rename(work: UnitOfWork, target: Target, *, name: str, now: datetime) -> ManagedOrganization:
    """Give an organization another name; raises Invalid, NameTaken, NotFound, VersionStale."""
    _check(name)
    async with work.pinned_to(target.id) as inside:
        organization = await _lock(inside, target)
        return await _change(inside, organization, replace(organization, name=name), Action.UPDATED, now=now)


async def deactivate(work: UnitOfWork, target: Target, *, now: datetime) -> ManagedOrganization:
    """Switch an organization off, and with it everyone who calls.

    The platform stays on: nobody could switch it on again. Raises NotAllowed, NotFound, VersionStale, WrongState.
    """
    if target.id == PLATFORM_ID:
        raise NotAllowed("The platform itself stays active.")
    async with work.pinned_to(target.id) as inside:
        organization = await _lock(inside, target)
        if not organization.is_active:
            raise WrongState("organization", "Inactive")
        return await _change(inside, organization, replace(organization, is_active=False), Action.DEACTIVATED, now=now)


async def activate(work: UnitOfWork, target: Target, *, now: datetime) -> ManagedOrganization:
    """Switch an organization on again; raises NotFound, VersionStale, WrongState."""
    async with work.pinned_to(target.id) as inside:
        organization = await _lock(inside, target)
        if organization.is_active:
            raise WrongState("organization", "Active")
        return await _change(inside, organization, replace(organization, is_active=True), Action.ACTIVATED, now=now)


def _check(name: str) -> None:
    violations = list(rules.name_violations("name", name))
    if violations:
        raise Invalid(violations)


async def _lock(work: UnitOfWork, target: Target) -> ManagedOrganization:
    organization = await OrganizationRepository(work).lock()
    if organization is None:
        raise NotFound("There is no such organization.")
    target.ensure(organization.version)
    return organization


async def _change(
    work: UnitOfWork, before: ManagedOrganization, after: ManagedOrganization, action: Action, *, now: datetime
) -> ManagedOrganization:
    after = replace(after, version=before.version + 1)
    await OrganizationRepository(work).change(after)
    # In the log of the organization itself, which keeps its own history whoever made it.
    change = Change(action=action, kind=KIND, id=after.id, before=asdict(before), after=asdict(after))
    await audit.record(work, change, now=now)
    return after
