"""The job that applies the retention of organizations."""

import structlog
from procrastinate import Blueprint, JobContext

from tessera.kit.db.passes import PLATFORM_ID
from tessera.kit.jobs import by_the_clock, worker_of
from tessera.retention import service

log = structlog.get_logger(__name__)

blueprint = Blueprint()


@blueprint.periodic(cron="27 * * * *")
@blueprint.task(name="apply_retention", queueing_lock="apply_retention", pass_context=True)
@by_the_clock
async def apply_retention(context: JobContext, timestamp: int) -> None:
    """Remove what organizations no longer keep; a repeated run changes nothing."""
    database, clock = worker_of(context)
    now = clock()
    async with database.unit_of_work(PLATFORM_ID) as work:
        settings = await service.list_all(work)

    counts = await service.apply(database, settings, now=now)
    if counts:
        log.info("retention applied", organizations=len(counts), records=counts.total())
