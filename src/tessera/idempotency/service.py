"""Idempotency: a repeated request under the same key gets the first response, and has no second effect."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar
from uuid import UUID

from tessera.idempotency import repository
from tessera.idempotency.repository import CallersKey, IdempotencyRepository, StoredResponse
from tessera.kit.db.unit_of_work import Connection, UnitOfWork
from tessera.kit.errors import DomainError

LIFETIME = timedelta(hours=24)
Outcome = tuple[int, bytes] | DomainError
Asked = TypeVar("Asked")
Done = TypeVar("Done")
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
    """The first request under this key is still running."""

    def __init__(self) -> None:
        super().__init__("A request with this Idempotency-Key is still running.")


class KeyedRequest(NamedTuple):
    """A request under a key: its caller, and the digest of its method, path and body."""

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
    given = (await begin_all(work, {0: request}, now=now)).get(0)
    if isinstance(given, DomainError):
        raise given
    if given is None:
        given = await effect()
        await keep_all(work, {request: given}, now=now)
    return given


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
    keyed = {position: request for position, request in requests.items() if request is not None}
    answers = await begin_all(work, keyed, now=now) if keyed else {}
    open_ = [position for position in requests if position not in answers]
    if open_:
        answers |= zip(open_, await effect(open_), strict=True)
    kept = {
        keyed[position]: answer
        for position in open_
        if position in keyed and isinstance(answer := answers[position], tuple)
    }
    if kept:
        await keep_all(work, kept, now=now)
    return answers


async def begin_all(work: UnitOfWork, requests: Mapping[int, KeyedRequest], *, now: datetime) -> dict[int, Outcome]:
    """The outcomes of requests that must have no effect, by position: a stored response, or an error.

    The other requests are the first under their keys, and hold them until the end of the transaction. Errors are
    KeyMalformed, KeyReused, KeyInUse.
    """
    told: dict[int, Outcome] = {}
    firsts: dict[CallersKey, int] = {}
    for position, request in requests.items():
        if not _KEY.fullmatch(request.key):
            told[position] = KeyMalformed()
        elif request.name in firsts:
            told[position] = KeyInUse()
        else:
            firsts[request.name] = position
    keys = IdempotencyRepository(work)
    names = list(firsts)
    locked = await keys.try_lock(names)
    given = await keys.find(names, since=now - LIFETIME)
    for name, is_locked in zip(names, locked, strict=True):
        if not is_locked:
            told[firsts[name]] = KeyInUse()
        elif name in given:
            is_same = given[name].request_digest == requests[firsts[name]].digest
            told[firsts[name]] = (given[name].status, given[name].body) if is_same else KeyReused()
    return told


async def keep_all(work: UnitOfWork, answers: Mapping[KeyedRequest, tuple[int, bytes]], *, now: datetime) -> None:
    """Store the responses to requests that hold their keys in this transaction."""
    given = {request.name: StoredResponse(request.digest, *answer) for request, answer in answers.items()}
    await IdempotencyRepository(work).put(given, now=now)


async def forget_old(connection: Connection, *, now: datetime) -> int:
    """Delete the expired keys of all organizations; returns their number."""
    return await repository.delete_before(connection, now - LIFETIME)
