"""The retention of organizations, applied as the job does."""

from datetime import datetime
from uuid import UUID

from tests.conftest import NOW
from tests.support.factories import Tenant

from tessera.api.serving.resources import Resources
from tessera.kit.db.database import Database
from tessera.kit.db.passes import PLATFORM_ID
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

    return (await service.apply(database, {organization_id: settings[organization_id]}, now=now))[organization_id]
