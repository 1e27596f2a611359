"""Retention: an organization's periods, after which its candidates become anonymous and old records go."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from tessera.audit import service as audit
from tessera.audit.rules import Action, Change
from tessera.audit.seals import service as seals
from tessera.kit.db.passes import Progress
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Invalid
from tessera.retention import repository, rules
from tessera.retention.repository import STATEMENTS, RetentionRepository
from tessera.retention.rules import Retention

__all__ = ["Retention"]

KIND = "Retention"
# The records of each kind that one transaction removes, because others may wait for its locks.
RECORDS_AT_ONCE = 200
# These take longer than others, because their foreign keys are checked.
REDEMPTIONS_AT_ONCE = 100
# Each piece that is dropped adds an entry to the log, so that small pieces would not make it shorter.
ENTRIES_AT_ONCE = 200


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


async def apply(work: UnitOfWork, settings: Mapping[UUID, Retention], *, now: datetime) -> dict[UUID, Progress]:
    """Remove some of the records of these organizations that are too old, for a unit of work pinned to the platform.

    Records that others have locked are left for the next pass.
    """
    size, redemptions_size = (max(each // len(settings), 1) for each in (RECORDS_AT_ONCE, REDEMPTIONS_AT_ONCE))
    progress = {}
    for organization_id, retention in settings.items():
        async with work.pinned_to(organization_id) as tenant_work:
            numbers = await _apply(tenant_work, retention, size=size, now=now)
            redemptions = await _drop_redemptions(tenant_work, retention, size=redemptions_size, now=now)
            entries = await _drop_entries(tenant_work, retention, now=now)
        is_full = (max(numbers, default=0) >= size, redemptions >= redemptions_size, entries >= ENTRIES_AT_ONCE)
        progress[organization_id] = Progress(sum(numbers) + redemptions + entries, any(is_full))
    return progress


async def _apply(work: UnitOfWork, retention: Retention, *, size: int, now: datetime) -> list[int]:
    numbers: list[int] = []
    for name in STATEMENTS:
        if (before := retention.before(name, now=now)) is not None:
            numbers += await RetentionRepository(work).remove(name, before=before, size=size, now=now)
    return numbers


async def _drop_redemptions(work: UnitOfWork, retention: Retention, *, size: int, now: datetime) -> int:
    if retention.redemptions_after_months is None:
        return 0
    return await RetentionRepository(work).drop_redemptions(size=size, now=now)


async def _drop_entries(work: UnitOfWork, retention: Retention, *, now: datetime) -> int:
    before = retention.before("audit_after_months", now=now)
    return 0 if before is None else await seals.drop(work, before=before, size=ENTRIES_AT_ONCE, now=now)
