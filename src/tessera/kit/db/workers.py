"""The workers of the job queue, by their heartbeats in the database."""

from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.heartbeats import STALLED_AFTER_SECONDS

_HAS_LIVE = """
select exists (
  select from procrastinate_workers where last_heartbeat > now() - make_interval(secs => %s)
)
"""


async def has_live_worker(work: UnitOfWork) -> bool:
    """Whether a worker runs, which means that queued jobs start within seconds."""
    return bool((await work.connection.exec_driver_sql(_HAS_LIVE, (STALLED_AFTER_SECONDS,))).scalar_one())
