"""Jobs of batches of promo codes."""

from uuid import UUID

import structlog
from procrastinate import Blueprint, JobContext

from tessera.kit.actors import Actor, ActorKind
from tessera.kit.jobs import ExponentialBackoff, worker_of
from tessera.promo_codes.batches import service as batches
from tessera.promo_codes.batches.rules import BatchStatus

log = structlog.get_logger(__name__)

blueprint = Blueprint()

ACTOR = Actor(ActorKind.JOB, None, batches.MAKE_PROMO_CODES)


@blueprint.task(name=batches.MAKE_PROMO_CODES, retry=ExponentialBackoff(), pass_context=True)
async def make_promo_codes(context: JobContext, *, organization_id: str, batch_id: str) -> None:
    """Create the next codes of a batch, and queue a job for the rest.

    Each job creates at most 2,500 codes, so that a worker can stop soon and other jobs get their turn. A job that runs
    twice creates the next codes, or none if the batch has ended.
    """
    database, clock = worker_of(context)
    async with database.unit_of_work(UUID(organization_id), actor=ACTOR) as work:
        batch = await batches.create_next_codes(work, UUID(batch_id), now=clock())
        if batch.status == BatchStatus.IN_PROGRESS:
            await batches.queue(work, batch.id)
    log.info("promo codes made", organization=organization_id, batch=batch_id, made=batch.made, status=batch.status)
