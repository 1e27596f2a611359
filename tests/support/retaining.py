"""The retention of organizations, applied as the job does."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from tests.conftest import NOW
from tests.support.factories import Tenant

from tessera.api.serving.resources import Resources
from tessera.kit.db.database import Database
from tessera.kit.db.passes import PLATFORM_ID, Progress, run_pass
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.retention import service
from tessera.retention.service import Retention


async def keep(resources: Resources, tenant: Tenant, **periods: int) -> None:
    async with resources.database.unit_of_work(tenant.id) as work:
        await service.replace(work, Retention(**periods), now=NOW)


async def apply(resources: Resources, tenant: Tenant, *, now: datetime) -> int:
    """Apply the retention of an organization, as the job does; returns the number of records."""
    return await apply_to(resources.database, tenant.id, now=now)


async def apply_to(database: Database, organization_id: UUID, *, now: datetime) -> int:
    """The same, by the id of the organization."""
    async with database.unit_of_work(PLATFORM_ID) as work:
        settings = await service.list_all(work)

    async def execute(work: UnitOfWork, group: Sequence[UUID]) -> dict[UUID, Progress]:
        return await service.apply(work, {each: settings[each] for each in group}, now=now)

    organizations = [each for each in settings if each == organization_id]
    return (await run_pass(database, organizations, execute, task="test"))[organization_id]
