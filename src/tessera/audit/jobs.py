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

# The platform's own id, of which only slices above this one know what it means.
PLATFORM_ID = UUID(int=0)


@blueprint.periodic(cron="* * * * * */10")  # seconds come last
@blueprint.task(name="seal_audit", queueing_lock="seal_audit", pass_context=True)
async def seal_audit(context: JobContext, timestamp: int) -> None:
    """Seal what every organization's log has had since, a transaction for each thousand entries."""
    database: Database = context.additional_context["database"]
    clock: Callable[[], datetime] = context.additional_context["clock"]
    async with database.unit_of_work(PLATFORM_ID) as work:
        organizations = await service.list_unsealed_organizations(work)
    sealed = 0
    for organization_id in organizations:
        count = service.AT_ONCE
        while count == service.AT_ONCE:
            async with database.unit_of_work(organization_id) as work:
                count = await service.seal(work, now=clock())
            sealed += count
    if sealed:
        log.info("audit logs sealed", organizations=len(organizations), entries=sealed)
