"""Database connections and units of work of a command, attributed to the person at the terminal."""

import asyncio
import getpass
import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from tessera import provision, schema
from tessera.cli.startup import require_existing_database
from tessera.identity.organizations import service as organizations
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.actors import Actor, ActorKind
from tessera.kit.db.database import Access, Database
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import NotFound
from tessera.settings import Settings

Result = TypeVar("Result")
Action = Callable[[UnitOfWork], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class Installation:
    """The database, for commands that change several organizations."""

    database: Database

    def open_work(self, organization_id: UUID, access: Access) -> AbstractAsyncContextManager[UnitOfWork]:
        """A transaction pinned to this organization."""
        return self.database.unit_of_work(organization_id, actor=_actor(), access=access)


@dataclass(frozen=True, slots=True)
class OrganizationDatabase:
    """The database and one of its organizations, for commands that run several units of work."""

    database: Database
    organization_id: UUID

    def unit_of_work(self, access: Access = Access.CHANGE) -> AbstractAsyncContextManager[UnitOfWork]:
        """A transaction pinned to the organization."""
        return self.installation.open_work(self.organization_id, access)

    @property
    def installation(self) -> Installation:
        """The database of all organizations."""
        return Installation(self.database)


def in_organization(
    settings: Settings, name_or_id: str | None, action: Action[Result], *, access: Access = Access.CHANGE
) -> Result:
    """Run one unit of work in an organization; see `with_organization`. Raises NotFound."""

    async def act(session: OrganizationDatabase) -> Result:
        async with session.unit_of_work(access) as work:
            return await action(work)

    return with_organization(settings, name_or_id, act)


def with_organization(
    settings: Settings, name_or_id: str | None, job: Callable[[OrganizationDatabase], Awaitable[Result]]
) -> Result:
    """Run several units of work in the organization with this name (in any case) or id.

    The default is the organization of the settings, or the only one besides the platform. Raises NotFound.
    """

    async def find_and_run(database: Database) -> Result:
        organization_id = await _find_organization(database, name_or_id or settings.organization)
        return await job(OrganizationDatabase(database, organization_id))

    return with_database(settings, find_and_run)


def with_installation(settings: Settings, job: Callable[[Installation], Awaitable[Result]]) -> Result:
    """Run several units of work in several organizations."""
    return with_database(settings, lambda database: job(Installation(database)))


def pinned_to(settings: Settings, organization_id: UUID, action: Action[Result]) -> Result:
    """Run one unit of work in the organization with this id, which need not exist yet."""

    async def act(database: Database) -> Result:
        async with OrganizationDatabase(database, organization_id).unit_of_work() as work:
            return await action(work)

    return with_database(settings, act)


def _actor() -> Actor:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user id without a name
        name = str(os.getuid())
    return Actor(ActorKind.COMMAND_LINE, None, name)


async def _find_organization(database: Database, name_or_id: str | None) -> UUID:
    async with database.unit_of_work(PLATFORM_ID) as work:
        if name_or_id is None:
            return await _find_only_organization(work)
        organization = await organizations.find(work, name_or_id)
    if organization is None:
        raise NotFound(f"There is no organization {name_or_id}.")
    return organization.id


async def _find_only_organization(work: UnitOfWork) -> UUID:
    page = await organizations.list_by_cursor(work, after=None, size=3)
    others = [organization for organization in page.items if organization.id != PLATFORM_ID]
    if not others:
        raise NotFound("There is no organization: create one with `tessera organization create`.")
    if len(others) > 1:
        raise NotFound("There are several organizations: choose one with --organization or TESSERA_ORGANIZATION.")
    return others[0].id


def with_database(settings: Settings, job: Callable[[Database], Awaitable[Result]]) -> Result:
    """Run a job on the database, pinned to no organization."""

    async def connect_and_run(url: str) -> Result:
        database = Database(url, pool_size=1)
        try:
            return await job(database)
        finally:
            await database.close()

    require_existing_database(settings)
    with provision.database(settings) as addresses:
        schema.check(addresses.application)
        return asyncio.run(connect_and_run(addresses.application))
