"""Freezing: after it, no change of the organization can still be acknowledged."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime

from tessera.identity.organizations import service as organizations
from tessera.identity.organizations.service import ManagedOrganization
from tessera.kit.db.database import Access
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Conflict

# Longer than any request may take.
MAX_SECONDS = 910.0
POLL_SECONDS = 0.05

OpenWork = Callable[[Access], AbstractAsyncContextManager[UnitOfWork]]


class ChangesRunning(Conflict):
    """The organization is frozen, but a change that began before has not ended."""

    def __init__(self) -> None:
        super().__init__("The organization is frozen, but a change that began before is still running. Try again.")


async def freeze(open_work: OpenWork, *, now: datetime, seconds: float = MAX_SECONDS) -> ManagedOrganization:
    """Freeze an organization, and wait for the changes that are still running; a frozen one stays as it is.

    `open_work` opens a unit of work in the organization. Raises ChangesRunning, NotAllowed, NotFound.
    """
    async with open_work(Access.MOVE) as work:
        organization = await organizations.freeze(work, Target(work.organization_id), now=now)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        async with open_work(Access.MOVE) as work:
            if not await organizations.has_running_changes(work):
                return organization
        if loop.time() >= deadline:
            raise ChangesRunning
        # A lock that waits would make all others wait behind it, such as the changes that are refused.
        await asyncio.sleep(POLL_SECONDS)
