"""The job that expires holds."""

from collections.abc import Callable
from datetime import datetime

import structlog
from procrastinate import Blueprint, JobContext

from tessera.identity.rules import PLATFORM_ID
from tessera.kit.db.database import Database
from tessera.kit.db.engine import STATEMENT_ERRORS
from tessera.kit.jobs import by_the_clock
from tessera.redemptions import lifecycle

log = structlog.get_logger(__name__)

blueprint = Blueprint()


@blueprint.periodic(cron="* * * * * */30")  # seconds come last
@blueprint.task(name="expire_holds", queueing_lock="expire_holds", pass_context=True)
@by_the_clock
async def expire_holds(context: JobContext, timestamp: int) -> None:
    """Store the status of expired holds; a repeated run changes nothing."""
    database: Database = context.additional_context["database"]
    clock: Callable[[], datetime] = context.additional_context["clock"]
    expired, has_more = 0, True
    while has_more:
        now, before = clock(), expired
        async with database.unit_of_work(PLATFORM_ID) as work:
            lapsed_holds = await lifecycle.list_lapsed(work, now=now)
        for organization_id, ids in lapsed_holds.items():
            try:
                async with database.unit_of_work(organization_id) as work:
                    expired += await lifecycle.expire(work, ids, now=now)
            except STATEMENT_ERRORS:
                # Corrupted counts violate a constraint; the other organizations must not be blocked by them.
                log.exception("holds not expired", organization=str(organization_id))
        has_more = expired > before
    if expired:
        log.info("holds expired", redemptions=expired)
