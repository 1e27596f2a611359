"""The clock of this process, compared with that of the database."""

from typing import TYPE_CHECKING, Any

import psycopg

from tessera.kit import clock

if TYPE_CHECKING:
    from tessera.kit.db.database import Database

# Beyond this difference, a process neither expires nor closes anything.
MAX_SECONDS = 5.0
_QUERY = "select extract(epoch from clock_timestamp())::float"


async def seconds_ahead(database: "Database") -> float:
    """The seconds by which the clock of this process is ahead of that of the database; raises DatabaseUnavailable."""
    before = _now()
    ((there,),) = await database.fetch(_QUERY, {})
    return _difference(before, there)


def seconds_ahead_of(connection: psycopg.Connection[Any]) -> float:
    """The same over a single connection; raises psycopg.Error."""
    before = _now()
    ((there,),) = connection.execute(_QUERY).fetchall()
    return _difference(before, there)


def _difference(before: float, there: float) -> float:
    # The database has read its clock between the two readings of ours. If it was slow to answer, they are far apart.
    if there < before:
        return before - there
    return min(_now() - there, 0)


def _now() -> float:
    return clock.clock().timestamp()
