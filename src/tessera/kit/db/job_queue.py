"""The job queue: jobs are queued in the transaction of the change that causes them."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg
from sqlalchemy.ext.asyncio import AsyncConnection

from tessera.kit import tracing
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.heartbeats import STALLED_AFTER_SECONDS

if TYPE_CHECKING:
    from procrastinate import App

NAMESPACE = "tessera"
# Counting stops here, because more waiting jobs make no difference.
MAX_COUNTED = 10_000
COUNT = """
select count(*) from (
    select from procrastinate_jobs
    where status = 'todo' and args ->> 'organization_id' = %s and task_name = %s limit %s
) as waiting
"""
_HAS_LIVE = """
select exists (
  select from procrastinate_workers where last_heartbeat > now() - make_interval(secs => %s)
)
"""


async def defer(work: UnitOfWork, task: str, *arguments: Mapping[str, str], priority: int = 0) -> None:
    """Queue one job of this organization for each mapping of arguments; the jobs run if this transaction commits.

    Jobs of a higher priority run first. Each waiting job of the organization lowers the priority of its next job by
    one, so that organizations take turns.
    """
    from procrastinate.exceptions import ConnectorException  # noqa: PLC0415 - see _deferring

    name = f"{NAMESPACE}:{task}"
    waiting = await _count_waiting(work.connection, work.organization_id, name)
    configured = _deferring().configure_task(name)
    common = {"organization_id": str(work.organization_id), **tracing.parent_of_job()}
    jobs = [
        configured.make_new_job(**common, **values).evolve(priority=priority - waiting - number)
        for number, values in enumerate(arguments)
    ]
    try:
        await configured.job_manager.batch_defer_jobs_async(jobs, connection=await work.driver_connection())
    except ConnectorException as error:
        # The queue hides the error of the driver, which says that the database is unavailable, such as a full disk.
        if isinstance(error.__cause__, psycopg.Error):
            raise error.__cause__ from error
        raise


async def has_live_worker(work: UnitOfWork) -> bool:
    """Whether a worker runs, which means that queued jobs start within seconds."""
    return bool((await work.connection.exec_driver_sql(_HAS_LIVE, (STALLED_AFTER_SECONDS,))).scalar_one())


@cache
def _deferring() -> "App":
    """An application that queues jobs on the connections of units of work, and never opens a connection."""
    # Few commands queue jobs, and the others would wait a tenth of their start. Servers import it for the worker.
    from procrastinate import App, PsycopgConnector  # noqa: PLC0415

    return App(connector=PsycopgConnector())


async def _count_waiting(connection: AsyncConnection, organization_id: UUID, task_name: str) -> int:
    parameters = (str(organization_id), task_name, MAX_COUNTED)
    return int((await connection.exec_driver_sql(COUNT, parameters)).scalar_one())
