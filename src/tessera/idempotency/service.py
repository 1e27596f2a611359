"""Idempotency: a request that comes again under its key gets the first one's answer, and has no second effect."""

import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

from tessera.idempotency import repository
from tessera.idempotency.repository import Given, IdempotencyRepository
from tessera.kit.database import Connection, UnitOfWork
from tessera.kit.errors import Fact

LIFETIME = timedelta(hours=24)
_KEY = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?")


class KeyMalformed(Fact):
    """The key is not 1 to 255 printable ASCII characters."""

    def __init__(self) -> None:
        super().__init__("The Idempotency-Key must have 1 to 255 printable ASCII characters.")


class KeyReused(Fact):
    """The key was used with another request."""

    def __init__(self) -> None:
        super().__init__("The Idempotency-Key was used with another request.")


class KeyInUse(Fact):
    """The first request under this key is still running."""

    def __init__(self) -> None:
        super().__init__("A request with this Idempotency-Key is still running.")


async def once(
    work: UnitOfWork,
    *,
    caller_id: UUID,
    key: str,
    request_digest: bytes,
    now: datetime,
    effect: Callable[[], Awaitable[tuple[int, bytes]]],
) -> tuple[int, bytes]:
    """Status and body of `effect`, which runs once for this key within 24 hours.

    The answer is kept in the transaction of the effect: both are there, or neither. What `effect` raises is not kept.
    Raises KeyMalformed, KeyReused, KeyInUse.
    """
    if not _KEY.fullmatch(key):
        raise KeyMalformed
    keys = IdempotencyRepository(work, caller_id)
    if not await keys.try_lock(key):
        raise KeyInUse
    given = await keys.find(key, since=now - LIFETIME)
    if given is None:
        status, body = await effect()
        await keys.put(key, Given(request_digest, status, body), now=now)
        return status, body
    if given.request_digest != request_digest:
        raise KeyReused
    return given.status, given.body


async def forget_old(connection: Connection, *, now: datetime) -> int:
    """Delete every organization's keys whose time is over, and say how many."""
    return await repository.delete_before(connection, now - LIFETIME)
