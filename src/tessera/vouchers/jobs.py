"""Jobs of voucher purchases."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import structlog
from procrastinate import Blueprint, JobContext

from tessera.kit.actors import Actor, ActorKind
from tessera.kit.database import Database
from tessera.kit.jobs import GrowingPauses
from tessera.vouchers.purchases import service as purchases

log = structlog.get_logger(__name__)

blueprint = Blueprint()

ACTOR = Actor(ActorKind.JOB, None, purchases.ISSUE_VOUCHERS)


@blueprint.task(name=purchases.ISSUE_VOUCHERS, retry=GrowingPauses(), pass_context=True)
async def issue_vouchers(context: JobContext, *, organization_id: str, purchase_id: str) -> None:
    """Make the vouchers of a purchase; a second run of it changes nothing."""
    database: Database = context.additional_context["database"]
    clock: Callable[[], datetime] = context.additional_context["clock"]
    async with database.unit_of_work(UUID(organization_id), actor=ACTOR) as work:
        made = await purchases.issue(work, purchase_id=UUID(purchase_id), now=clock())
    log.info("vouchers issued", organization=organization_id, purchase=purchase_id, vouchers=made)
