"""Fair slots and space: shares of each key, turns of those that wait, and nothing lost when one leaves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tessera.kit.errors import DatabaseUnavailable, TooManyRequests
from tessera.kit.shares import FairSlots, SlotTimeouts, Space

QUICK = SlotTimeouts(own_share=0.01, all_slots=0.02)
LONG = SlotTimeouts(own_share=60, all_slots=60)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """Holds slots until the end of the test."""
    async with AsyncExitStack() as held:
        yield held


async def turns() -> None:
    """Let all other tasks run until they wait."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_key_beyond_its_share_is_rejected_and_the_others_are_served(stack: AsyncExitStack) -> None:
    slots = FairSlots[str](4, per_key=2, timeouts=QUICK, name="slots")
    await stack.enter_async_context(slots.slot("a"))
    await stack.enter_async_context(slots.slot("a"))
    with pytest.raises(TooManyRequests):
        await stack.enter_async_context(slots.slot("a"))
    await stack.enter_async_context(slots.slot("b"))
    await stack.enter_async_context(slots.slot("c"))
    with pytest.raises(DatabaseUnavailable):
        await stack.enter_async_context(slots.slot("d"))


async def test_those_that_wait_take_turns_by_key() -> None:
    slots = FairSlots[str](1, per_key=1, timeouts=LONG, name="slots")
    order: list[str] = []

    async def use(key: str) -> None:
        async with slots.slot(key):
            order.append(key)
            await asyncio.sleep(0)

    await asyncio.gather(*(use(key) for key in "aaaaabbc"))
    assert "".join(order) == "aabcabaa"


async def test_a_free_slot_is_not_handed_to_a_key_beyond_its_share(stack: AsyncExitStack) -> None:
    slots = FairSlots[str](2, per_key=1, timeouts=LONG, name="slots")
    await stack.enter_async_context(slots.slot("a"))
    waiting = asyncio.create_task(stack.enter_async_context(slots.slot("a")))
    await turns()
    async with slots.slot("b"):
        await turns()
    await turns()
    assert not waiting.done()
    waiting.cancel()


async def test_a_slot_is_handed_on_when_its_heir_leaves() -> None:
    slots = FairSlots[str](1, per_key=1, timeouts=LONG, name="slots")
    entered = asyncio.Event()

    async def use(key: str) -> None:
        async with slots.slot(key):
            entered.set()

    async with slots.slot("a"):
        heir, next_one = asyncio.create_task(use("b")), asyncio.create_task(use("c"))
        await turns()
    heir.cancel()  # it has been given the slot, and does not know yet
    await asyncio.wait_for(next_one, 5)
    assert entered.is_set()
    async with slots.slot("a"):
        pass


async def test_a_block_that_fails_gives_its_slot_back() -> None:
    slots = FairSlots[str](1, per_key=1, timeouts=QUICK, name="slots")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            async with slots.slot("a"):
                raise ZeroDivisionError


def test_space_is_given_back_and_limited_for_each_key_and_in_all() -> None:
    space = Space[str](100, per_key=60, name="space")
    with space.account("a") as first, space.account("a") as second:
        first.take(40)
        second.take(20)
        with pytest.raises(TooManyRequests):
            second.take(1)
        with space.account("b") as other:
            other.take(40)
            with pytest.raises(TooManyRequests):
                other.take(1)
    with space.account("a") as again:
        again.take(60)
