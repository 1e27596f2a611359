"""The job that rolls up closed days."""

from collections.abc import Sequence
from uuid import UUID

import structlog
from procrastinate import Blueprint, JobContext

from tessera.identity.rules import PLATFORM_ID
from tessera.kit.db.passes import Progress, run_pass
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.jobs import by_the_clock, worker_of
from tessera.reports import service

log = structlog.get_logger(__name__)

blueprint = Blueprint()


@blueprint.periodic(cron="*/10 * * * *")
@blueprint.task(name="roll_up_redemptions", queueing_lock="roll_up_redemptions", pass_context=True)
@by_the_clock
async def roll_up_redemptions(context: JobContext, timestamp: int) -> None:
    """Roll up the redemptions of every closed day; a repeated run changes nothing."""
    database, clock = worker_of(context)
    now = clock()
    async with database.unit_of_work(PLATFORM_ID) as work:
        organizations = await service.list_unrolled(work, now=now)

    async def roll_up(work: UnitOfWork, group: Sequence[UUID]) -> dict[UUID, Progress]:
        # One day of each in a transaction, because the first run may have years to roll up.
        return dict.fromkeys(await service.roll_up(work, group, now=now), Progress(1, has_more=True))

    days = await run_pass(database, organizations, roll_up, task="roll_up_redemptions")
    if days:
        log.info("redemptions rolled up", organizations=len(days), days=days.total())
