"""Token buckets: a budget for each key, in the memory of this process."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Rate:
    """A budget: `burst` at once, and `per_minute` in the long run."""

    per_minute: float
    burst: float

    def divided_by(self, count: int) -> "Rate":
        """An equal part of this budget, which allows at least one at once."""
        return Rate(self.per_minute / count, max(self.burst / count, 1))


class TokenBuckets(Generic[Key]):
    """A budget for each of the `max_keys` keys that spent most recently; all other keys have their whole burst.

    A key may spend more than it has left, because the cost of a request is known only after it. It then waits longer,
    so that its average stays within the rate.
    """

    def __init__(self, rate: Rate, *, max_keys: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._per_second = rate.per_minute / 60
        self._max_keys = max_keys
        self._clock = clock
        # The times at which the buckets will be full again, which need no update until the next cost.
        self._full_at: OrderedDict[Key, float] = OrderedDict()

    def seconds_until_room(self, key: Key) -> float:
        """The seconds until the key may spend again; 0 if it may spend now."""
        full_at = self._full_at.get(key) if self._full_at else None
        if full_at is None:
            return 0.0
        missing = (full_at - self._clock()) * self._per_second
        # Rounded, because the difference of two times is inexact.
        return max(0.0, round((missing - self._rate.burst + 1) / self._per_second, 6))

    def spend(self, key: Key, cost: float = 1) -> None:
        """Take `cost` out of the bucket of this key."""
        now = self._clock()
        self._full_at[key] = max(self._full_at.get(key, now), now) + cost / self._per_second
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._max_keys:
            self._full_at.popitem(last=False)

    def __len__(self) -> int:
        return len(self._full_at)
