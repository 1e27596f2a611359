"""Waiting for conditions by polling, always with a time limit."""

import asyncio
import time
from collections.abc import Callable

import psycopg
from tests.support import citus

SECONDS = 90  # long enough for a busy machine, and less than the time limit of a test


def wait_until(event: str, has_happened: Callable[[], bool], *, seconds: float = SECONDS, pause: float = 0.02) -> None:
    """Wait until the condition holds; fails with the name of the event if it does not hold in time."""
    end = time.monotonic() + seconds
    while not has_happened():
        assert time.monotonic() < end, f"not within {seconds:g} s: {event}"
        time.sleep(pause)


async def until(
    event: str,
    has_happened: Callable[[], bool],
    *,
    seconds: float = SECONDS,
    details: Callable[[], object] = lambda: "",
) -> None:
    """Like `wait_until`, without blocking the event loop; a failure contains `details`."""
    end = time.monotonic() + seconds
    while not has_happened():
        assert time.monotonic() < end, f"not within {seconds:g} s: {event} {details()}"
        await asyncio.sleep(0.02)


async def until_blocked(superuser: psycopg.Connection, *, count: int = 1, lock_type: str = "%") -> None:
    """Wait until at least `count` sessions of this database wait for a lock of this type (a LIKE pattern)."""
    query = citus.on_all_nodes(
        "select count(distinct pid) from pg_locks join pg_stat_activity using (pid)"
        f" where not granted and locktype like '{lock_type}' and datname = current_database()"
    )

    def are_blocked() -> bool:
        # Without this, a transaction does not see sessions that came later.
        superuser.execute("select pg_stat_clear_snapshot()")
        ((sessions,),) = superuser.execute(query.encode()).fetchall()
        return bool(sessions >= count)

    await until(f"{count} session(s) waiting for a lock", are_blocked)
