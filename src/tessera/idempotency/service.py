"""Idempotency: a request that comes again under its key gets the first one's answer, and has no second effect."""

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
    """The key is not 1 to 255 printable ASCII characters."""

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
    """A request under a key: who sends it, and what tells it from others."""

    caller_id: UUID
    key: str
    digest: bytes

    @property
    def name(self) -> CallersKey:
        """The key as this caller uses it."""
        return CallersKey(self.caller_id, self.key)


async def once(
    work: UnitOfWork, request: KeyedRequest, *, now: datetime, effect: Callable[[], Awaitable[tuple[int, bytes]]]
) -> tuple[int, bytes]:
    """Status and body of `effect`, which runs once for this key within 24 hours.

    The answer is kept in the transaction of the effect: both are there, or neither. What `effect` raises is not kept.
    Raises KeyMalformed, KeyReused, KeyInUse.
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
    """The answer to each of many requests, by position; None is one without a key.

    `effect` gives the answers of those that it is told, which are all that have none yet. Its facts are not kept.
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
    """What is told to requests, by position, in place of an effect: the answer that was given before, or a fact.

    Those that are absent are the first under their keys, which are theirs until the end of the transaction.
    Facts are KeyMalformed, KeyReused, KeyInUse.
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
    """Keep the answers to requests whose keys were taken in this transaction."""
    given = {request.name: StoredResponse(request.digest, *answer) for request, answer in answers.items()}
    await IdempotencyRepository(work).put(given, now=now)


async def forget_old(connection: Connection, *, now: datetime) -> int:
    """Delete every organization's keys whose time is over, and say how many."""
    return await repository.delete_before(connection, now - LIFETIME)
