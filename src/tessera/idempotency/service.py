"""Idempotency: a repeated request with the same key returns the first response and has no second effect."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from tessera.idempotency import repository
from tessera.idempotency.repository import CallersKey, IdempotencyRepository, StoredResponse
from tessera.kit.db.unit_of_work import Connection, UnitOfWork
from tessera.kit.errors import DomainError

LIFETIME = timedelta(hours=24)
Outcome = tuple[int, bytes] | DomainError
_KEY = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?")


class KeyMalformed(DomainError):
    """The key does not have 1 to 255 printable ASCII characters."""

    def __init__(self) -> None:
        super().__init__("The Idempotency-Key must have 1 to 255 printable ASCII characters.")


class KeyReused(DomainError):
    """The key was used with another request."""

    def __init__(self) -> None:
        super().__init__("The Idempotency-Key was used with another request.")


class KeyInUse(DomainError):
    """The first request with this key is still running."""

    def __init__(self) -> None:
        super().__init__("A request with this Idempotency-Key is still running.")


class KeyedRequest(NamedTuple):
    """A request with a key: its caller, and the digest of its method, path and body."""

    caller_id: UUID
    key: str
    digest: bytes

    @property
    def name(self) -> CallersKey:
        """The key together with its caller."""
        return CallersKey(self.caller_id, self.key)


async def once(
    work: UnitOfWork, request: KeyedRequest, *, now: datetime, effect: Callable[[], Awaitable[tuple[int, bytes]]]
) -> tuple[int, bytes]:
    """Status and body of `effect`, which runs once for this key within 24 hours.

    The response is stored in the transaction of the effect; an exception of `effect` is not stored. Raises
    KeyMalformed, KeyReused, KeyInUse.
    """

    async def execute(_: Sequence[int]) -> Sequence[Outcome]:
        return [await effect()]

    outcome = (await once_all(work, {0: request}, now=now, effect=execute))[0]
    if isinstance(outcome, DomainError):
        raise outcome
    return outcome


async def once_all(
    work: UnitOfWork,
    requests: Mapping[int, KeyedRequest | None],
    *,
    now: datetime,
    effect: Callable[[Sequence[int]], Awaitable[Sequence[Outcome]]],
) -> dict[int, Outcome]:
    """The outcome of each request, by position; the value None stands for a request without a key.

    `effect` is called with the positions of the requests without a stored response. Its errors are not stored.
    """
    keyed_requests = {position: request for position, request in requests.items() if request is not None}
    outcomes = await _lock_all(work, keyed_requests, now=now) if keyed_requests else {}
    first_positions = [position for position in requests if position not in outcomes]
    if first_positions:
        outcomes |= zip(first_positions, await effect(first_positions), strict=True)
    responses = {
        keyed_requests[position].name: StoredResponse(keyed_requests[position].digest, *outcome)
        for position in first_positions
        if position in keyed_requests and isinstance(outcome := outcomes[position], tuple)
    }
    if responses:
        await IdempotencyRepository(work).put(responses, now=now)
    return outcomes


async def _lock_all(work: UnitOfWork, requests: Mapping[int, KeyedRequest], *, now: datetime) -> dict[int, Outcome]:
    """The outcomes of requests that must not be executed, by position: a stored response, or an error.

    The other requests are the first with their keys, and hold them until the end of the transaction. Errors are
    KeyMalformed, KeyReused, KeyInUse.
    """
    outcomes: dict[int, Outcome] = {}
    firsts: dict[CallersKey, int] = {}
    for position, request in requests.items():
        if not _KEY.fullmatch(request.key):
            outcomes[position] = KeyMalformed()
        elif request.name in firsts:
            outcomes[position] = KeyInUse()
        else:
            firsts[request.name] = position
    keys = IdempotencyRepository(work)
    names = list(firsts)
    locks = await keys.try_lock(names)
    responses = await keys.find(names, since=now - LIFETIME)
    for name, is_locked in zip(names, locks, strict=True):
        if not is_locked:
            outcomes[firsts[name]] = KeyInUse()
        elif name in responses:
            response = responses[name]
            is_same = response.request_digest == requests[firsts[name]].digest
            outcomes[firsts[name]] = (response.status, response.body) if is_same else KeyReused()
    return outcomes


async def delete_expired(connection: Connection, *, now: datetime) -> int:
    """Delete the expired keys of all organizations; returns their number."""
    return await repository.delete_before(connection, now - LIFETIME)
