"""Idempotency: a repeated request with the same key returns the first response and has no second effect."""

import math
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from tessera.idempotency import repository
from tessera.idempotency.repository import CallersKey, IdempotencyRepository, StoredResponse
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import DomainError, TooManyRequests
from tessera.kit.token_buckets import Rate, TokenBuckets

LIFETIME = timedelta(hours=24)
# One statement for all keys of an hour would hold their locks, and old versions of all other rows, for minutes.
KEYS_AT_ONCE = 500
# Of a row besides its body: the key, the digest, and the entries of three indexes.
BYTES_OF_ROW = 500
MAX_ORGANIZATIONS = 20_000
BEGINNING = datetime.min.replace(tzinfo=UTC)
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


class Replay(NamedTuple):
    """Status and body of the response to an earlier request with the same key."""

    status: int
    body: bytes


class ResponseSpace:
    """The bytes of responses that this process has stored for each organization: `burst` at once, then the rate.

    Otherwise an organization could fill the disk with new keys.
    """

    def __init__(self, rate: Rate) -> None:
        self._buckets: TokenBuckets[UUID] = TokenBuckets(rate, max_keys=MAX_ORGANIZATIONS)

    def refusal(self, organization_id: UUID) -> TooManyRequests | None:
        """The error of another request with a new key, if the organization has no room for its response."""
        if seconds := self._buckets.seconds_until_room(organization_id):
            message = "Too many responses of your organization are stored under an Idempotency-Key. Try again later."
            return TooManyRequests(message, limit="stored responses", retry_after=math.ceil(seconds))
        return None

    def take(self, organization_id: UUID, body: bytes) -> None:
        """Count a response."""
        self._buckets.spend(organization_id, BYTES_OF_ROW + len(body))


async def once(
    work: UnitOfWork,
    request: KeyedRequest,
    *,
    space: ResponseSpace,
    now: datetime,
    effect: Callable[[], Awaitable[tuple[int, bytes]]],
) -> tuple[int, bytes]:
    """Status and body of `effect`, which runs once for this key within 24 hours.

    The response is stored in the transaction of the effect; an exception of `effect` is not stored. Raises
    KeyMalformed, KeyReused, KeyInUse, TooManyRequests.
    """
    outcome = (await lock_all(work, {0: request}, space=space, now=now)).get(0)
    if outcome is None:
        outcome = await effect()
        await store_all(work, {request: outcome}, space=space, now=now)
    if isinstance(outcome, DomainError):
        raise outcome
    return outcome


async def lock_all(
    work: UnitOfWork, requests: Mapping[int, KeyedRequest], *, space: ResponseSpace, now: datetime
) -> dict[int, Outcome]:
    """The outcomes of requests that must have no effect, by position: a stored response, or an error.

    The other requests are the first with their keys, and hold them until the end of the transaction. Errors are
    KeyMalformed, KeyReused, KeyInUse, and TooManyRequests if there is no space for the response to a new key.
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
            outcomes[firsts[name]] = Replay(response.status, response.body) if is_same else KeyReused()
        elif refusal := space.refusal(work.organization_id):
            outcomes[firsts[name]] = refusal
    return outcomes


async def store_all(
    work: UnitOfWork, outcomes: Mapping[KeyedRequest, Outcome], *, space: ResponseSpace, now: datetime
) -> None:
    """Store the responses to requests that hold their keys in this transaction; errors are not stored."""
    responses = {
        request.name: StoredResponse(request.digest, *outcome)
        for request, outcome in outcomes.items()
        if isinstance(outcome, tuple)
    }
    if responses:
        await IdempotencyRepository(work).put(responses, now=now)
    for response in responses.values():
        space.take(work.organization_id, response.body)


async def delete_some_expired(work: UnitOfWork, start: datetime, *, now: datetime) -> tuple[int, datetime | None]:
    """Delete up to KEYS_AT_ONCE expired keys from this time on, for a unit of work pinned to the platform.

    Returns their number, and the time from which the next transaction goes on; None if none was deleted. They
    may be fewer although more follow, because some keys were used again meanwhile.
    """
    times = await repository.delete_between(work.connection, start, now - LIFETIME, size=KEYS_AT_ONCE)
    return len(times), max(times, default=None)
