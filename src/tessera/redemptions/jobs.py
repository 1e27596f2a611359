"""The job that expires holds."""

from collections.abc import Sequence
from uuid import UUID

import structlog
from procrastinate import Blueprint, JobContext

from tessera.identity.rules import PLATFORM_ID
from tessera.kit.db.passes import Progress, run_pass
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.jobs import by_the_clock, worker_of
from tessera.redemptions.expiry import service as expiry

log = structlog.get_logger(__name__)

blueprint = Blueprint()

# Small enough that other transactions wait for the locked codes only briefly.
HOLDS_AT_ONCE = 200


@blueprint.periodic(cron="* * * * * */30")  # seconds come last
@blueprint.task(name="expire_holds", queueing_lock="expire_holds", pass_context=True)
@by_the_clock
async def expire_holds(context: JobContext, timestamp: int) -> None:
    """Store the status of expired holds; a repeated run changes nothing."""
    database, clock = worker_of(context)
    expired, has_more = 0, True
    while has_more:
        now = clock()
        async with database.unit_of_work(PLATFORM_ID) as work:
            lapsed = await expiry.list_lapsed(work, now=now)

        async def expire(work: UnitOfWork, group: Sequence[UUID]) -> dict[UUID, Progress]:
            size = max(HOLDS_AT_ONCE // len(group), 1)
            return await expiry.expire(work, {each: lapsed[each][:size] for each in group}, now=now)  # noqa: B023

        counts = await run_pass(database, list(lapsed), expire, task="expire_holds")
        expired += counts.total()
        has_more = counts.total() > 0
    if expired:
        log.info("holds expired", redemptions=expired)
