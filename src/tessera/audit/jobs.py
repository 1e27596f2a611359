"""The job that seals the audit log."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import structlog
from procrastinate import Blueprint, JobContext

from tessera.audit.seals import service
from tessera.kit.db.database import Database

log = structlog.get_logger(__name__)

blueprint = Blueprint()

# Equal to `identity.rules.PLATFORM_ID`, which this lower layer cannot import.
PLATFORM_ID = UUID(int=0)


@blueprint.periodic(cron="* * * * * */10")  # seconds come last
@blueprint.task(name="seal_audit", queueing_lock="seal_audit", pass_context=True)
async def seal_audit(context: JobContext, timestamp: int) -> None:
    """Seal the unsealed entries of every organization, in transactions of up to 1,000 entries."""
    database: Database = context.additional_context["database"]
    clock: Callable[[], datetime] = context.additional_context["clock"]
    async with database.unit_of_work(PLATFORM_ID) as work:
        organizations = await service.list_unsealed_organizations(work)
    sealed = 0
    for organization_id in organizations:
        count = service.BATCH_SIZE
        while count == service.BATCH_SIZE:
            async with database.unit_of_work(organization_id) as work:
                count = await service.seal(work, now=clock())
            sealed += count
    if sealed:
        log.info("audit logs sealed", organizations=len(organizations), entries=sealed)
