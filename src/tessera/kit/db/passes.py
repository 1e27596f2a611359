"""Passes over many organizations: the work of a group in one transaction, each statement pinned to its organization."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import Uuid, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from tessera.kit.db.arrays import Uuids
from tessera.kit.db.compiled_queries import CompiledQuery, Query, parameter
from tessera.kit.db.database import Access, Database
from tessera.kit.db.engine import IS_DISTRIBUTED, STATEMENT_ERRORS
from tessera.kit.db.unit_of_work import UnitOfWork, execute_text, pin_to
from tessera.kit.errors import NodeUnavailable, TransactionAborted

# Equal to `identity.rules.PLATFORM_ID`, which this lower layer cannot import.
PLATFORM_ID = UUID(int=0)
# Commits of single organizations would take most of the time. The locks of a group are held for some 100 ms.
GROUP_SIZE = 100
# While the database works on one group, this process works on another.
GROUPS_AT_ONCE = 2
# An organization that needs longer is left for the next pass, because the others of its group wait meanwhile.
LOCK_TIMEOUT = "50ms"
# Each statement finds few rows by an index; planning it for each organization would take longer than its execution.
SETTINGS = {"lock_timeout": LOCK_TIMEOUT, "plan_cache_mode": "force_generic_plan"}

# The ids of the organizations that are not frozen; they cannot be frozen before the transaction ends.
_HOLD = CompiledQuery(select(func.hold_organizations(parameter("ids", ARRAY(Uuid()))).label("id")))
# The nodes of Citus, each with those of the organizations that it has.
_NODES = """
select array_agg(id) from unnest(%(ids)s::uuid[]) as id
left join pg_dist_placement p on p.shardid = (
  select get_shard_id_for_distribution_column(d.logicalrelid, id) from pg_dist_partition d
  where d.logicalrelid = 'redemptions'::regclass
) group by p.groupid
"""

log = structlog.get_logger(__name__)


class Part(NamedTuple):
    """A statement for one organization; its values include those of the organization."""

    organization_id: UUID
    query: Query
    values: Mapping[str, Any]


async def execute_parts(work: UnitOfWork, parts: Sequence[Part]) -> list[Sequence[Any]]:
    """The rows of each part; each is executed with the transaction pinned to its organization, in one round trip."""
    driver = await work.driver_connection()
    cursors, pinned = [], work.organization_id
    async with driver.pipeline():
        for part in parts:
            if part.organization_id != pinned:
                pinned = part.organization_id
                await driver.execute(pin_to(pinned), prepare=False)
            cursors.append(await part.query.send(driver, part.values))
        if pinned != work.organization_id:
            await driver.execute(pin_to(work.organization_id), prepare=False)
        return [await cursor.fetchall() for cursor in cursors]


class Progress(NamedTuple):
    """The number of records of one organization that a transaction has dealt with, and whether others may remain."""

    done: int
    has_more: bool = False


async def run_pass(
    database: Database,
    organization_ids: Sequence[UUID],
    execute: Callable[[UnitOfWork, Sequence[UUID]], Awaitable[Mapping[UUID, Progress]]],
    *,
    task: str,
    group_size: int = GROUP_SIZE,
) -> Counter[UUID]:
    """Execute the work of all organizations, up to `group_size` in one transaction; returns their numbers of records.

    `execute` gets a unit of work that is pinned to the platform, and works for each organization by `execute_parts`.
    Organizations that have more work take another turn after all others. One whose work fails, or waits for a lock, is
    left out and affects no other: its group is executed again in halves. While a node is away, its organizations are
    left out together. Raises DatabaseUnavailable, DeadlineExceeded.
    """
    waiting, counts = list(organization_ids), Counter[UUID]()

    async def work_on() -> None:
        while waiting:
            group = waiting[:group_size]
            del waiting[:group_size]
            async for progress in _run(database, group, execute, task=task):
                counts.update({each: done for each, (done, _) in progress.items()})
                waiting.extend(each for each, (done, has_more) in progress.items() if done and has_more)

    try:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(GROUPS_AT_ONCE):
                tasks.create_task(work_on())
    except ExceptionGroup as errors:
        # Callers handle a database that is unavailable; the other groups fail for the same reason, or are cancelled.
        raise errors.exceptions[0] from errors
    return counts


async def _run(
    database: Database,
    group: Sequence[UUID],
    execute: Callable[[UnitOfWork, Sequence[UUID]], Awaitable[Mapping[UUID, Progress]]],
    *,
    task: str,
) -> AsyncIterator[Mapping[UUID, Progress]]:
    try:
        async with database.unit_of_work(PLATFORM_ID, settings=SETTINGS) as work:
            held = [row.id for row in await _HOLD.all(work.connection, {"ids": Uuids(group)})]
            progress = await execute(work, held) if held else {}
    except NodeUnavailable:
        # Each attempt may wait for the node for long, so its organizations are not tried one by one.
        parts = await _by_node(database, group)
        if len(parts) == 1:
            log.warning("a node of the database cannot be reached", task=task, organizations=len(group))
            return
    except (TransactionAborted, *STATEMENT_ERRORS) as error:
        parts = _halves(group)
        if not parts and not isinstance(error, TransactionAborted):
            # Damaged rows violate a constraint.
            log.exception("work for an organization failed", task=task, organization=str(group[0]))
    else:
        yield progress
        return
    for part in parts:
        async for progress in _run(database, part, execute, task=task):
            yield progress


def _halves(group: Sequence[UUID]) -> Sequence[Sequence[UUID]]:
    middle = len(group) // 2
    return [group[:middle], group[middle:]] if middle else []


async def _by_node(database: Database, group: Sequence[UUID]) -> Sequence[Sequence[UUID]]:
    async with database.unit_of_work(PLATFORM_ID, access=Access.READ) as work:
        if not work.connection.info.get(IS_DISTRIBUTED):
            return [group]
        rows = await (await execute_text(work.connection, _NODES, {"ids": Uuids(group)})).fetchall()
    return [ids for (ids,) in rows]
