"""List, retry and delete jobs of the queue, for operators."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import psycopg
from psycopg.errors import UniqueViolation
from psycopg.rows import class_row


class JobState(StrEnum):
    """The state of a job; a job that has failed is not tried again."""

    WAITING = "Waiting"
    SCHEDULED = "Scheduled"
    RUNNING = "Running"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job that has not succeeded; `attempts` counts the ended ones, and the next begins at `scheduled_at`, if set."""

    id: int
    state: JobState
    task: str
    attempts: int
    since: datetime | None
    scheduled_at: datetime | None
    arguments: dict[str, Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", JobState(self.state))


_LIST = """
select * from (
  select id,
    case when status = 'failed' then 'Failed' when status = 'doing' then 'Running'
      when scheduled_at > now() then 'Scheduled' else 'Waiting' end as state,
    task_name as task, attempts, (select max(at) from procrastinate_events where job_id = jobs.id) as since,
    scheduled_at, args as arguments
  from procrastinate_jobs as jobs where status in ('todo', 'doing', 'failed')
) as unfinished
where (%(state)s::text is null or state = %(state)s) and (%(task)s::text is null or task = %(task)s) and id > %(after)s
order by id limit %(limit)s
"""
_RETRY = """
update procrastinate_jobs set status = 'todo', scheduled_at = null
where id = %s and (status = 'failed' or status = 'todo' and scheduled_at > now()) returning id
"""
_DELETE = "delete from procrastinate_jobs where id = %s and status in ('failed', 'todo') returning id"


def list_jobs(
    connection: psycopg.Connection[Any], *, state: JobState | None, task: str | None, after: int, limit: int
) -> Sequence[QueuedJob]:
    """Jobs that have not succeeded, oldest first, after the job with the id `after`."""
    filters = {"state": state, "task": task, "after": after, "limit": limit}
    with connection.cursor(row_factory=class_row(QueuedJob)) as cursor:
        return cursor.execute(_LIST, filters).fetchall()


def retry(connection: psycopg.Connection[Any], job_id: int) -> bool:
    """Let a job that has failed, or that is scheduled for later, run now; false if there is no such job.

    If only one job of its task may wait, and another one does, the job stays as it is.
    """
    try:
        return connection.execute(_RETRY, [job_id]).fetchone() is not None
    except UniqueViolation:
        return False


def delete(connection: psycopg.Connection[Any], job_id: int) -> bool:
    """Delete a job that does not run; false if there is no such job."""
    return connection.execute(_DELETE, [job_id]).fetchone() is not None
