"""Jobs of voucher purchases."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import structlog
from procrastinate import Blueprint, JobContext

from tessera.identity.rules import PLATFORM_ID
from tessera.kit.actors import Actor, ActorKind
from tessera.kit.db.passes import Progress, run_pass
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.jobs import ExponentialBackoff, by_the_clock, worker_of
from tessera.vouchers.purchases import service as purchases
from tessera.vouchers.purchases.checkout import service as checkouts

log = structlog.get_logger(__name__)

blueprint = Blueprint()

ACTOR = Actor(ActorKind.JOB, None, purchases.ISSUE_VOUCHERS)
EXPIRE_CHECKOUTS = "expire_checkouts"
# Small enough that other transactions wait for the locked purchases only briefly.
BATCH_SIZE = 200


@blueprint.task(name=purchases.ISSUE_VOUCHERS, retry=ExponentialBackoff(), pass_context=True)
async def issue_vouchers(context: JobContext, *, organization_id: str, purchase_id: str) -> None:
    """Issue the vouchers of a purchase; a repeated run changes nothing."""
    database, clock = worker_of(context)
    async with database.unit_of_work(UUID(organization_id), actor=ACTOR) as work:
        count = await purchases.issue(work, purchase_id=UUID(purchase_id), now=clock())
    log.info("vouchers issued", organization=organization_id, purchase=purchase_id, vouchers=count)


@blueprint.periodic(cron="*/5 * * * *")
@blueprint.task(name=EXPIRE_CHECKOUTS, queueing_lock=EXPIRE_CHECKOUTS, pass_context=True)
@by_the_clock
async def expire_checkouts(context: JobContext, timestamp: int) -> None:
    """Store the status of checkouts past their deadline, which readers already treat as expired."""
    database, clock = worker_of(context)
    now = clock()
    async with database.unit_of_work(PLATFORM_ID) as work:
        organizations = await checkouts.list_overdue_organizations(work, now=now)

    async def expire(work: UnitOfWork, group: Sequence[UUID]) -> dict[UUID, Progress]:
        work = replace(work, actor=Actor(ActorKind.JOB, None, EXPIRE_CHECKOUTS))
        return await checkouts.expire(work, group, limit=BATCH_SIZE, now=now)

    counts = await run_pass(database, organizations, expire, task=EXPIRE_CHECKOUTS)
    if counts:
        log.info("checkouts expired", organizations=len(counts), purchases=counts.total())
