"""What waits for workers, in all organizations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row, dict_row

from tessera.kit.db import clocks
from tessera.kit.heartbeats import STALLED_AFTER_SECONDS

# The functions that run with the owner's rights return rows only to the platform.
_PIN = f"set local app.organization_id = '{UUID(int=0)}'"
# The count of each state stops here, because a larger number makes no difference.
MAX_COUNTED = 10_000
STUCK_AFTER_MINUTES = 10

_JOBS = f"""
select state, task, count(*) as count,
  coalesce(extract(epoch from max(now() - since)), 0)::float as oldest_seconds
from (
  (select case when scheduled_at > now() then 'scheduled' else 'waiting' end as state, task_name as task,
     case when scheduled_at > now() then null else greatest(
       scheduled_at, (select max(at) from procrastinate_events where job_id = jobs.id)) end as since
   from procrastinate_jobs as jobs where status = 'todo' order by id limit {MAX_COUNTED})
  union all
  (select 'running', task_name, (select max(at) from procrastinate_events where job_id = jobs.id)
   from procrastinate_jobs as jobs where status = 'doing' limit {MAX_COUNTED})
  union all
  (select 'failed', task_name, (select max(at) from procrastinate_events where job_id = jobs.id)
   from procrastinate_jobs as jobs where status = 'failed' order by id limit {MAX_COUNTED})
) as unfinished
group by state, task order by state, task
"""  # noqa: S608 - a number of our own
_OTHERS = """
select
  (select count(*) from procrastinate_workers where last_heartbeat > now() - make_interval(secs => %(stalled)s))
    as live_workers,
  coalesce(unsealed.entries, 0)::bigint as unsealed_entries,
  coalesce(extract(epoch from now() - unsealed.oldest_at), 0)::float as unsealed_seconds,
  purchases.count as stuck_purchases,
  coalesce(extract(epoch from now() - purchases.oldest_at), 0)::float as stuck_seconds
from
  (select sum(entries) as entries, min(oldest_at) as oldest_at from list_unsealed_entries()) as unsealed,
  (select count(*) as count, min(purchased_at) as oldest_at
   from list_unfinished_purchases(now() - make_interval(mins => %(stuck)s))) as purchases
"""


@dataclass(frozen=True, slots=True)
class Jobs:
    """Jobs of one task in one state: scheduled for later, waiting, running or failed."""

    state: str
    task: str
    count: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for workers; each age is that of the oldest in seconds, or 0 if there is none.

    A purchase is stuck if its vouchers are missing ten minutes after it was paid. `clock_seconds` is the time by which
    the clock of this process is ahead of that of the database.
    """

    jobs: Sequence[Jobs]
    live_workers: int
    unsealed_entries: int
    unsealed_seconds: float
    stuck_purchases: int
    stuck_seconds: float
    clock_seconds: float


def read(connection: psycopg.Connection[Any]) -> Backlog:
    """The present backlog; raises psycopg.Error."""
    with connection.transaction():
        connection.execute(_PIN)
        with connection.cursor(row_factory=class_row(Jobs)) as cursor:
            jobs = cursor.execute(_JOBS).fetchall()
        limits = {"stalled": STALLED_AFTER_SECONDS, "stuck": STUCK_AFTER_MINUTES}
        with connection.cursor(row_factory=dict_row) as cursor:
            (others,) = cursor.execute(_OTHERS, limits).fetchall()
    return Backlog(jobs=jobs, **others, clock_seconds=clocks.seconds_ahead_of(connection))
