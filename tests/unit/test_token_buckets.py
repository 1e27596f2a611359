"""Token buckets: a burst, an average, debts, and a bounded memory."""

import pytest

from tessera.kit.token_buckets import Rate, TokenBuckets


class Time:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_spent_at_once_and_then_one_at_each_interval() -> None:
    time = Time()
    buckets = TokenBuckets[str](Rate(per_minute=60, burst=3), max_keys=10, clock=time)
    for _ in range(3):
        assert buckets.seconds_until_room("a") == 0
        buckets.spend("a")
    assert buckets.seconds_until_room("a") == pytest.approx(1)
    assert buckets.seconds_until_room("b") == 0
    time.now += 1
    assert buckets.seconds_until_room("a") == 0
    buckets.spend("a")
    assert buckets.seconds_until_room("a") == pytest.approx(1)
    time.now += 1000
    for _ in range(3):
        assert buckets.seconds_until_room("a") == 0
        buckets.spend("a")
    assert buckets.seconds_until_room("a") == pytest.approx(1)


def test_a_cost_above_the_rest_is_a_debt_that_takes_its_time() -> None:
    time = Time()
    buckets = TokenBuckets[str](Rate(per_minute=600, burst=1000), max_keys=10, clock=time)
    buckets.spend("a", 999)
    assert buckets.seconds_until_room("a") == 0
    buckets.spend("a", 1000)
    assert buckets.seconds_until_room("a") == pytest.approx(100)
    time.now += 99.9
    assert buckets.seconds_until_room("a") == pytest.approx(0.1)


def test_only_the_keys_that_spent_last_take_memory() -> None:
    buckets = TokenBuckets[int](Rate(per_minute=1, burst=1), max_keys=100, clock=Time())
    for key in range(1000):
        buckets.spend(key)
    assert len(buckets) == 100
    assert buckets.seconds_until_room(999) > 0
    assert buckets.seconds_until_room(899) == 0


def test_processes_together_allow_what_one_does() -> None:
    assert Rate(per_minute=600, burst=1000).divided_by(4) == Rate(per_minute=150, burst=250)
    assert Rate(per_minute=20, burst=2).divided_by(4) == Rate(per_minute=5, burst=1)
