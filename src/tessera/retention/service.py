"""Retention: an organization's periods, after which its candidates become anonymous and old records go."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import NamedTuple
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.rules import Action, Change
from tessera.audit.seals import service as seals
from tessera.kit.db.compiled_queries import TextQuery
from tessera.kit.db.database import Database
from tessera.kit.db.passes import Progress, run_pass
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Invalid
from tessera.retention import repository, rules
from tessera.retention.repository import RetentionRepository
from tessera.retention.rules import Retention

__all__ = ["Retention"]

KIND = "Retention"
# The statements of each organization are a round trip, during which the rows of the others stay locked.
GROUP_SIZE = 10


class Step(NamedTuple):
    """A part of retention: up to `size` records in each transaction, because others may wait for its locks.

    The organizations of a transaction, up to `group_size`, share the records.
    """

    setting: str
    size: int
    remove: Callable[..., Awaitable[int]]
    group_size: int = GROUP_SIZE


async def get(work: UnitOfWork) -> Retention:
    """The periods of the organization."""
    return await RetentionRepository(work).find()


async def replace(work: UnitOfWork, retention: Retention, *, now: datetime) -> Retention:
    """Replace the periods of the organization; raises Invalid."""
    if violations := list(rules.violations(retention)):
        raise Invalid(violations)
    settings = RetentionRepository(work)
    before = await settings.find()
    await settings.put(retention)
    change = Change(
        action=Action.UPDATED, kind=KIND, id=work.organization_id, before=asdict(before), after=asdict(retention)
    )
    await audit.record(work, change, now=now)
    return retention


async def list_all(work: UnitOfWork) -> dict[UUID, Retention]:
    """The periods of all organizations that have any, for a unit of work pinned to the platform."""
    return await repository.list_all(work)


async def apply(database: Database, settings: Mapping[UUID, Retention], *, now: datetime) -> Counter[UUID]:
    """Remove the records of these organizations that are too old; returns their numbers.

    Each transaction has one step only. Records that others have locked are left for the next time.
    """
    counts = Counter[UUID]()
    for step in STEPS:
        before = {each: retention.before(step.setting, now=now) for each, retention in settings.items()}
        due = {each: moment for each, moment in before.items() if moment is not None}
        remove = partial(_remove, step, due, now=now)
        counts += await run_pass(database, list(due), remove, task="apply_retention", group_size=step.group_size)
    return counts


async def _remove(
    step: Step, before: Mapping[UUID, datetime], work: UnitOfWork, group: Sequence[UUID], *, now: datetime
) -> dict[UUID, Progress]:
    size, progress = max(step.size // len(group), 1), {}
    for organization_id in group:
        async with work.pinned_to(organization_id) as tenant_work:
            done = await step.remove(tenant_work, before=before[organization_id], size=size, now=now)
        progress[organization_id] = Progress(done, done >= size)
    return progress


def _by(statement: TextQuery) -> Callable[..., Awaitable[int]]:
    async def remove(work: UnitOfWork, *, before: datetime, size: int, now: datetime) -> int:
        return await RetentionRepository(work).remove(statement, before=before, size=size, now=now)

    return remove


async def _drop_redemptions(work: UnitOfWork, *, before: datetime, size: int, now: datetime) -> int:
    # The function reads the period itself.
    return await RetentionRepository(work).drop_redemptions(size=size, now=now)


# A reservation may have had many holds, which go first, so that a transaction that ends reservations changes few rows.
# The redemptions of a reservation are dropped after it has ended here, because its voucher has the candidate, and
# fewer at once, because foreign keys are checked. Each piece of the log that is dropped adds an entry to it, so that
# organizations do not share a piece.
STEPS: tuple[Step, ...] = (
    Step("candidates_after_days", 50, _by(repository.END_REDEMPTIONS)),
    Step("candidates_after_days", 25, _by(repository.END_RESERVATIONS)),
    Step("redemptions_after_months", 30, _drop_redemptions),
    Step("redemptions_after_months", 25, _by(repository.END_RESERVATIONS)),
    Step("redemptions_after_months", 30, _drop_redemptions),
    Step("tokens_after_days", 100, _by(repository.END_TOKENS)),
    Step("failed_jobs_after_days", 100, _by(repository.END_JOBS)),
    Step("audit_after_months", 40, seals.drop, group_size=1),
)
