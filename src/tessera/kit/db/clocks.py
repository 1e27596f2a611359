"""The clock of this process, compared with that of the database."""

from tessera.kit import clock
from tessera.kit.db.database import Database

# Beyond this difference, a process neither expires nor closes anything.
MAX_SECONDS = 5.0


async def seconds_ahead(database: Database) -> float:
    """The seconds by which the clock of this process is ahead of that of the database; raises DatabaseUnavailable."""
    before = clock.clock()
    ((there,),) = await (await database.execute("select clock_timestamp()", {})).fetchall()
    # The database has read its clock between the two readings of ours.
    seconds: float = (before - there + (clock.clock() - before) / 2).total_seconds()
    return seconds
