"""Housekeeping of idempotency keys."""

from datetime import datetime

import structlog
from procrastinate import Blueprint, JobContext

from tessera.idempotency import service
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.jobs import by_the_clock, worker_of

log = structlog.get_logger(__name__)

blueprint = Blueprint()


@blueprint.periodic(cron="42 * * * *")
@blueprint.task(name="delete_idempotency_keys", queueing_lock="delete_idempotency_keys", pass_context=True)
@by_the_clock
async def delete_idempotency_keys(context: JobContext, timestamp: int) -> None:
    """Delete expired keys of all organizations, in pieces."""
    database, clock = worker_of(context)
    now, count = clock(), 0  # later, others will have expired
    start: datetime | None = service.BEGINNING
    while start is not None:
        async with database.unit_of_work(PLATFORM_ID) as work:
            some, start = await service.delete_some_expired(work, start, now=now)
        count += some
    log.info("idempotency keys deleted", keys=count)
