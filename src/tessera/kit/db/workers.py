"""The workers of the job queue, by their heartbeats in the database."""

from tessera.kit.db.unit_of_work import UnitOfWork

_HAS_LIVE = """
select exists (
  select from procrastinate_workers where last_heartbeat > now() - make_interval(secs => %s)
)
"""


async def has_live_worker(work: UnitOfWork, *, silent_for: float) -> bool:
    """Whether the last heartbeat of any worker is at most `silent_for` seconds old."""
    return bool((await work.connection.exec_driver_sql(_HAS_LIVE, (silent_for,))).scalar_one())
