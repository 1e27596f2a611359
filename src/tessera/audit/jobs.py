"""The job that seals the audit log."""

from functools import partial

import structlog
from procrastinate import Blueprint, JobContext

from tessera.audit.seals import service
from tessera.kit.db.passes import PLATFORM_ID, run_pass
from tessera.kit.jobs import worker_of

log = structlog.get_logger(__name__)

blueprint = Blueprint()


@blueprint.periodic(cron="* * * * * */10")  # seconds come last
@blueprint.task(name="seal_audit", queueing_lock="seal_audit", pass_context=True)
async def seal_audit(context: JobContext, timestamp: int) -> None:
    """Seal the unsealed entries of every organization."""
    database, clock = worker_of(context)
    async with database.unit_of_work(PLATFORM_ID) as work:
        organizations = await service.list_unsealed_organizations(work)
    counts = await run_pass(database, organizations, partial(service.seal, now=clock()), task="seal_audit")
    if counts:
        log.info("audit logs sealed", organizations=len(counts), entries=counts.total())
