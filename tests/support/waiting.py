"""Seeing who waits for whom in the database."""

import asyncio

import psycopg


async def until_someone_waits(superuser: psycopg.Connection, *, count: int = 1) -> None:
    """Return once so many statements on this database wait for locks of others."""
    query = (
        "select count(distinct pid) from pg_locks join pg_stat_activity using (pid)"
        " where not granted and datname = current_database()"
    )
    async with asyncio.timeout(60):
        while superuser.execute(query).fetchone() < (count,):  # type: ignore[operator]  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # the database has no event for it
