"""One command, one unit of work: opening the database, and finding the organization that a command names."""

import asyncio
import getpass
import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from tessera import provision, schema
from tessera.identity import provisioning
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.actors import Actor, ActorKind
from tessera.kit.db.database import Database
from tessera.kit.db.pages import CursorPage
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import NotFound
from tessera.settings import Settings

Result = TypeVar("Result")
T = TypeVar("T")
Action = Callable[[UnitOfWork], Awaitable[Result]]


def in_organization(settings: Settings, name_or_id: str, action: Action[Result]) -> Result:
    """Do one thing in the organization with this name (in any case) or id; raises NotFound."""

    async def find_and_act(database: Database) -> Result:
        return await _act(database, await _find_organization(database, name_or_id), action)

    return _run(settings, find_and_act)


@dataclass(frozen=True, slots=True)
class Place:
    """An organization, for commands that take more than one unit of work."""

    database: Database
    organization_id: UUID

    def unit_of_work(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """A transaction there, attributed to whoever types."""
        return self.database.unit_of_work(self.organization_id, actor=_whoever_types())


def at_organization(settings: Settings, name_or_id: str, job: Callable[[Place], Awaitable[Result]]) -> Result:
    """Do many things in the organization with this name (in any case) or id; raises NotFound."""

    async def find_and_do(database: Database) -> Result:
        return await job(Place(database, await _find_organization(database, name_or_id)))

    return _run(settings, find_and_do)


def pinned_to(settings: Settings, organization_id: UUID, action: Action[Result]) -> Result:
    """Do one thing in the organization with this id, which need not exist yet."""
    return _run(settings, lambda database: _act(database, organization_id, action))


async def everything(part_after: Callable[[str | None], Awaitable[CursorPage[T]]]) -> list[T]:
    """All of a list by cursor."""
    part = await part_after(None)
    found = [*part.items]
    while part.cursor is not None:
        part = await part_after(part.cursor)
        found += part.items
    return found


async def _act(database: Database, organization_id: UUID, action: Action[Result]) -> Result:
    async with database.unit_of_work(organization_id, actor=_whoever_types()) as work:
        return await action(work)


def _whoever_types() -> Actor:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number that has no name
        name = str(os.getuid())
    return Actor(ActorKind.COMMAND_LINE, None, name)


async def _find_organization(database: Database, name_or_id: str) -> UUID:
    async with database.unit_of_work(PLATFORM_ID) as work:
        known = await provisioning.list_organizations(work)
    by_text: dict[str, UUID] = {organization.name.lower(): organization.id for organization in known}
    by_text |= {str(organization.id): organization.id for organization in known}
    try:
        return by_text[name_or_id.lower()]
    except KeyError:
        raise NotFound(f"There is no organization {name_or_id}.") from None


def _run(settings: Settings, job: Callable[[Database], Awaitable[Result]]) -> Result:
    with provision.database(settings) as addresses:
        schema.check(addresses.application)
        return asyncio.run(_with_connections(addresses.application, job))


async def _with_connections(url: str, job: Callable[[Database], Awaitable[Result]]) -> Result:
    database = Database(url, pool_size=1)
    try:
        return await job(database)
    finally:
        await database.close()
