"""The job that seals the audit log."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

import structlog
from procrastinate import Blueprint, JobContext

from tessera.audit.seals import service
from tessera.kit.db.database import Database
from tessera.kit.db.engine import STATEMENT_ERRORS

log = structlog.get_logger(__name__)

blueprint = Blueprint()

# Equal to `identity.rules.PLATFORM_ID`, which this lower layer cannot import.
PLATFORM_ID = UUID(int=0)


# Commits of single organizations would take most of the time. Nothing waits for a seal, so a group may be large.
ORGANIZATIONS_AT_ONCE = 100


@blueprint.periodic(cron="* * * * * */10")  # seconds come last
@blueprint.task(name="seal_audit", queueing_lock="seal_audit", pass_context=True)
async def seal_audit(context: JobContext, timestamp: int) -> None:
    """Seal the unsealed entries of every organization, up to 1,000 of each of 100 organizations in a transaction."""
    database: Database = context.additional_context["database"]
    clock: Callable[[], datetime] = context.additional_context["clock"]
    async with database.unit_of_work(PLATFORM_ID) as work:
        organizations = await service.list_unsealed_organizations(work)
    unfinished, sealed = organizations, 0
    while unfinished:
        group, unfinished = unfinished[:ORGANIZATIONS_AT_ONCE], unfinished[ORGANIZATIONS_AT_ONCE:]
        counts = await _seal(database, group, now=clock())
        sealed += sum(counts.values())
        unfinished = [*unfinished, *(each for each, count in counts.items() if count == service.BATCH_SIZE)]
    if sealed:
        log.info("audit logs sealed", organizations=len(organizations), entries=sealed)


async def _seal(database: Database, organizations: Sequence[UUID], *, now: datetime) -> dict[UUID, int]:
    """The number of entries that were sealed for each organization, in one transaction unless one of them fails."""
    counts: dict[UUID, int] = {}
    try:
        async with database.unit_of_work(PLATFORM_ID) as work:
            for organization_id in organizations:
                async with work.pinned_to(organization_id) as pinned:
                    counts[organization_id] = await service.seal(pinned, now=now)
    except STATEMENT_ERRORS:
        if len(organizations) > 1:
            # A damaged chain violates a constraint; the other organizations must not be blocked by it.
            return {key: n for each in organizations for key, n in (await _seal(database, [each], now=now)).items()}
        log.exception("audit log not sealed", organization=str(organizations[0]))
        return {}
    return counts
