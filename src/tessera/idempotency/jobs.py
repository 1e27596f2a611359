"""Housekeeping of idempotency keys."""

from collections.abc import Callable
from datetime import datetime

import structlog
from procrastinate import Blueprint, JobContext

from tessera.idempotency import service
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.db.database import Database
from tessera.kit.jobs import by_the_clock

log = structlog.get_logger(__name__)

blueprint = Blueprint()


@blueprint.periodic(cron="42 * * * *")
@blueprint.task(name="delete_idempotency_keys", queueing_lock="delete_idempotency_keys", pass_context=True)
@by_the_clock
async def delete_idempotency_keys(context: JobContext, timestamp: int) -> None:
    """Delete expired keys of all organizations."""
    database: Database = context.additional_context["database"]
    clock: Callable[[], datetime] = context.additional_context["clock"]
    async with database.unit_of_work(PLATFORM_ID) as work:
        count = await service.delete_expired(work.connection, now=clock())
    log.info("idempotency keys deleted", keys=count)
