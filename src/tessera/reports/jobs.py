"""The job that rolls up closed days."""

from collections.abc import Callable
from datetime import datetime

import structlog
from procrastinate import Blueprint, JobContext

from tessera.identity.rules import PLATFORM_ID
from tessera.kit.db.database import Database
from tessera.kit.jobs import by_the_clock
from tessera.reports import service

log = structlog.get_logger(__name__)

blueprint = Blueprint()


@blueprint.periodic(cron="*/10 * * * *")
@blueprint.task(name="roll_up_redemptions", queueing_lock="roll_up_redemptions", pass_context=True)
@by_the_clock
async def roll_up_redemptions(context: JobContext, timestamp: int) -> None:
    """Roll up the redemptions of every closed day; a repeated run changes nothing."""
    database: Database = context.additional_context["database"]
    clock: Callable[[], datetime] = context.additional_context["clock"]
    now = clock()
    async with database.unit_of_work(PLATFORM_ID) as work:
        organizations = await service.list_unrolled(work, now=now)
    for organization_id in organizations:
        days, has_more = 0, True
        while has_more:
            # One transaction for each day, because the first run may have years to roll up.
            async with database.unit_of_work(organization_id) as work:
                has_more = await service.roll_up(work, now=now) is not None
            days += has_more
        log.info("redemptions rolled up", organization=str(organization_id), days=days)
