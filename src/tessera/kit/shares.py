"""Shares of a resource of this process, so that no organization can take it from the others."""

import asyncio
import math
import time
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from tessera.kit.errors import DatabaseUnavailable, TooManyRequests

Key = TypeVar("Key", bound=Hashable)

POLL_SECONDS = 0.25
TOO_MANY_BODIES = "Too many bodies of your organization arrive at once. Try again shortly."
MESSAGE = "Too many requests of your organization are running. Try again shortly."


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotTimeouts:
    """The seconds to wait for a slot while the own share is used up, and while others use all slots."""

    own_share: float = 2.0
    all_slots: float = 10.0


class FairSlots(Generic[Key]):
    """A number of slots, of which each key has at most `per_key` at once; keys that wait for a slot take turns."""

    def __init__(self, slots: int, *, per_key: int, timeouts: SlotTimeouts, name: str, message: str = MESSAGE) -> None:
        self.name = name
        self._message = message
        self.size = self._free = slots
        self._per_key = per_key
        self._timeouts = timeouts
        self._used: Counter[Key] = Counter()
        self._waiting: OrderedDict[Key, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def in_use(self) -> int:
        """The number of slots in use."""
        return self.size - self._free

    @property
    def waiting(self) -> int:
        """The number of requests that wait for a slot."""
        return sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def slot(self, key: Key) -> AsyncIterator[None]:
        """Hold a slot while the block runs; raises what `acquire` raises."""
        await self.acquire(key)
        try:
            yield
        finally:
            self.release(key)

    async def acquire(self, key: Key) -> None:
        """Take a slot.

        Raises TooManyRequests if the share of the key stays in use, and DatabaseUnavailable if all slots do.
        """
        if self._free and self._used[key] < self._per_key:
            self._take(key)
        else:
            await self._wait(key)

    def _take(self, key: Key) -> None:
        self._free -= 1
        self._used[key] += 1

    def release(self, key: Key) -> None:
        """Return a slot that was taken."""
        self._free += 1
        self._used[key] -= 1
        if not self._used[key]:
            del self._used[key]
        self._hand_out()

    async def _wait(self, key: Key) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(turn)
        began = time.monotonic()
        try:
            while not turn.done():
                waited = time.monotonic() - began
                if waited >= self._timeouts.own_share and self._used[key] >= self._per_key:
                    raise TooManyRequests(
                        self._message, limit=self.name, retry_after=math.ceil(self._timeouts.own_share)
                    )
                if waited >= self._timeouts.all_slots:
                    raise DatabaseUnavailable
                await asyncio.wait([turn], timeout=max(self._timeouts.own_share - waited, POLL_SECONDS))
        except BaseException:
            if turn.done():  # the slot was handed over at the same moment
                self.release(key)
            turn.cancel()
            self._hand_out()
            raise

    def _hand_out(self) -> None:
        for key in list(self._waiting):
            if not self._free:
                break
            turns = self._waiting[key]
            while turns and turns[0].done():
                turns.popleft()
            if turns and self._used[key] < self._per_key:
                self._take(key)
                turns.popleft().set_result(None)
                self._waiting.move_to_end(key)  # its next turn comes after those of the others
            if not turns:
                del self._waiting[key]


class Space(Generic[Key]):
    """A number of bytes or of other units, of which each key has at most `per_key` at once."""

    def __init__(self, size: int, *, per_key: int, name: str) -> None:
        self.name = name
        self._free = size
        self._per_key = per_key
        self._used: Counter[Key] = Counter()

    @contextmanager
    def account(self, key: Key) -> Iterator["Account[Key]"]:
        """The bytes that one request takes, which are returned at the end of the block."""
        account = Account(self, key)
        try:
            yield account
        finally:
            self._add(key, -account.size)

    def has_room(self, key: Key, size: int) -> bool:
        """Whether the key may take this many units."""
        return size <= self._free and self._used[key] + size <= self._per_key

    def _add(self, key: Key, size: int) -> None:
        self._free -= size
        self._used[key] += size
        if not self._used[key]:
            del self._used[key]


class Account(Generic[Key]):
    """The units that one request has taken of a space."""

    def __init__(self, space: Space[Key], key: Key) -> None:
        self.size = 0
        self._space = space
        self._key = key

    def take(self, size: int, *, message: str = TOO_MANY_BODIES) -> None:
        """Take more units; raises TooManyRequests if they exceed the share of the key or the whole space."""
        if not self._space.has_room(self._key, size):
            raise TooManyRequests(message, limit=self._space.name)
        self._space._add(self._key, size)
        self.size += size
