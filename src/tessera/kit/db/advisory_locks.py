"""Advisory locks, for what has no row to lock; they last until the transaction ends."""

import hashlib
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from tessera.kit.db.unit_of_work import UnitOfWork, execute_text

_TRY = """
select pg_try_advisory_xact_lock(n) from unnest(%(numbers)s::bigint[]) with ordinality as locks (n, place)
order by place
"""


def lock_number(name: str) -> int:
    """The number of the lock with this name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


async def lock(connection: AsyncConnection, name: str) -> None:
    """Wait for the lock with this name."""
    await execute_text(connection, "select pg_advisory_xact_lock(%(number)s::bigint)", {"number": lock_number(name)})


async def try_locks(work: UnitOfWork, numbers: Sequence[int]) -> list[bool]:
    """Take the locks with these numbers; False for each that another transaction has."""
    rows = await execute_text(work.connection, _TRY, {"numbers": list(numbers)})
    return [bool(is_locked) for (is_locked,) in await rows.fetchall()]
