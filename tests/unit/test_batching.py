"""Batching of concurrent requests."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from tessera.kit import batching
from tessera.kit.batching import Batcher, KeyedBatcher
from tessera.kit.errors import NotFound, TransactionAborted


class Oracle:
    """Answers when its gate is set, and records the questions."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.is_free = False  # request 409 aborts until this is set

    async def __call__(self, questions: Sequence[int]) -> list[str]:
        self.batches.append(list(questions))
        await self.gate.wait()
        if 13 in questions:
            raise LookupError("13")
        if 404 in questions:
            raise NotFound("404")
        if 409 in questions and not self.is_free:
            raise TransactionAborted
        return [f"answer {question}" for question in questions]


def for_any_key(oracle: Oracle) -> Callable[[str, Sequence[int]], Awaitable[list[str]]]:
    """The oracle for a KeyedBatcher: it answers for every key alike."""
    return lambda _, questions: oracle(questions)


async def start_asking(batcher: Batcher[int, str], *questions: int) -> list[asyncio.Task[str]]:
    """Tasks that ask one question each, all of which have begun."""
    tasks = [asyncio.create_task(batcher.submit(question)) for question in questions]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_a_request_to_an_idle_batcher_starts_at_once() -> None:
    oracle = Oracle()
    batcher = Batcher(oracle, max_concurrency=1)
    (task,) = await start_asking(batcher, 1)
    assert oracle.batches == [[1]]
    oracle.gate.set()
    assert await task == "answer 1"


async def test_requests_that_arrive_meanwhile_form_one_batch_and_each_gets_its_own_response() -> None:
    oracle = Oracle()
    batcher = Batcher(oracle, max_concurrency=1)
    tasks = [*await start_asking(batcher, 1), *await start_asking(batcher, 2, 3, 4)]
    assert oracle.batches == [[1]]
    oracle.gate.set()
    assert await asyncio.gather(*tasks) == ["answer 1", "answer 2", "answer 3", "answer 4"]
    assert oracle.batches == [[1], [2, 3, 4]]


async def test_a_batch_has_at_most_the_limit_of_requests() -> None:
    oracle = Oracle()
    batcher = Batcher(oracle, max_concurrency=1, limit=2)
    tasks = [*await start_asking(batcher, 0), *await start_asking(batcher, 1, 2, 3, 4, 5)]
    oracle.gate.set()
    assert await asyncio.gather(*tasks) == [f"answer {number}" for number in range(6)]
    assert oracle.batches == [[0], [1, 2], [3, 4], [5]]


async def test_at_most_max_concurrency_batches_run() -> None:
    oracle = Oracle()
    batcher = Batcher(oracle, max_concurrency=2)
    tasks = [task for number in range(4) for task in await start_asking(batcher, number)]
    assert oracle.batches == [[0], [1]]
    oracle.gate.set()
    assert await asyncio.gather(*tasks) == [f"answer {number}" for number in range(4)]
    assert oracle.batches == [[0], [1], [2, 3]]


async def test_a_domain_error_reaches_every_request_of_its_batch_and_no_other() -> None:
    oracle = Oracle()
    batcher = Batcher(oracle, max_concurrency=1)
    tasks = [*await start_asking(batcher, 1), *await start_asking(batcher, 404, 14)]
    oracle.gate.set()
    first, *others = await asyncio.gather(*tasks, return_exceptions=True)
    assert first == "answer 1"
    assert [repr(other) for other in others] == ["NotFound('404')"] * 2
    assert oracle.batches == [[1], [404, 14]]


async def test_only_the_request_that_breaks_its_batch_fails() -> None:
    oracle = Oracle()
    batcher = Batcher(oracle, max_concurrency=1)
    tasks = [*await start_asking(batcher, 1), *await start_asking(batcher, 12, 13, 14)]
    oracle.gate.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(answer) for answer in answers] == ["answer 1", "answer 12", "13", "answer 14"]
    assert oracle.batches == [[1], [12, 13, 14], [12], [13], [14]]


async def test_a_domain_error_may_be_a_response() -> None:
    answer = NotFound("404")

    async def execute(questions: Sequence[int]) -> list[NotFound]:
        return [answer] * len(questions)

    assert await asyncio.wait_for(Batcher(execute).submit(1), timeout=60) is answer


async def test_an_aborted_request_is_retried_separately_and_blocks_no_other() -> None:
    oracle = Oracle()
    batcher = Batcher(oracle, max_concurrency=1)
    tasks = [*await start_asking(batcher, 1), *await start_asking(batcher, 409, 12, 14)]
    oracle.gate.set()
    first, waiting, *others = tasks
    assert await asyncio.wait_for(asyncio.gather(first, *others), timeout=60) == ["answer 1", "answer 12", "answer 14"]
    assert await asyncio.wait_for(batcher.submit(15), timeout=60) == "answer 15"
    assert not waiting.done()
    oracle.is_free = True
    assert await asyncio.wait_for(waiting, timeout=60) == "answer 409"


async def test_a_transaction_that_aborts_for_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "RETRY_DEADLINE", 0.2)
    oracle = Oracle()
    oracle.gate.set()
    for submit in (Batcher(oracle).submit(409), KeyedBatcher(for_any_key(oracle)).submit_heavy("a", 409)):
        with pytest.raises(TransactionAborted):
            await asyncio.wait_for(submit, timeout=60)
    assert len(oracle.batches) > 4


async def test_a_key_is_forgotten_when_all_its_callers_have_left() -> None:
    oracle = Oracle()
    batchers = KeyedBatcher(for_any_key(oracle), max_concurrency=1)
    task = asyncio.create_task(batchers.submit("a", 1))
    await asyncio.sleep(0.01)
    task.cancel()
    oracle.gate.set()
    await asyncio.sleep(0.01)
    assert batchers._by_key == {}


async def test_a_heavy_request_runs_beside_a_full_batcher() -> None:
    oracle = Oracle()
    batchers = KeyedBatcher(for_any_key(oracle), max_concurrency=1)
    waiting = [asyncio.create_task(batchers.submit("a", number)) for number in (1, 2)]
    await asyncio.sleep(0.01)
    heavy = asyncio.create_task(batchers.submit_heavy("a", 3))
    await asyncio.sleep(0.01)
    assert oracle.batches == [[1, 2], [3]]
    oracle.gate.set()
    assert await asyncio.gather(*waiting, heavy) == ["answer 1", "answer 2", "answer 3"]


async def test_keys_are_batched_separately_and_forgotten_when_idle() -> None:
    oracles: dict[str, Oracle] = {"a": Oracle(), "b": Oracle()}

    async def execute(topic: str, questions: Sequence[int]) -> list[str]:
        return [f"{topic}: {answer}" for answer in await oracles[topic](questions)]

    batchers = KeyedBatcher(execute, max_concurrency=1)
    tasks = [asyncio.create_task(batchers.submit(topic, number)) for number in range(3) for topic in "ab"]
    await asyncio.sleep(0.01)
    assert len(batchers._by_key) == 2
    for oracle in oracles.values():
        oracle.gate.set()
    assert await asyncio.gather(*tasks) == [f"{topic}: answer {number}" for number in range(3) for topic in "ab"]
    assert [oracle.batches for oracle in oracles.values()] == [[[0, 1, 2]]] * 2
    assert batchers._by_key == {}


async def test_a_wrong_number_of_responses_is_an_exception_for_all_callers() -> None:
    async def forgetful(questions: Sequence[int]) -> list[str]:
        return ["answer"] * (len(questions) - 1)

    batcher = Batcher(forgetful, max_concurrency=1)
    for _ in range(2):
        with pytest.raises(ValueError, match="shorter"):
            await asyncio.wait_for(batcher.submit(1), timeout=60)


@pytest.mark.parametrize("cancelled", [0, 1, 2])
async def test_a_caller_that_leaves_does_not_affect_others(cancelled: int) -> None:
    oracle = Oracle()
    batcher = Batcher(oracle, max_concurrency=1)
    tasks = [*await start_asking(batcher, 0), *await start_asking(batcher, 1, 2)]
    tasks.pop(cancelled).cancel()
    oracle.gate.set()
    staying = [number for number in range(3) if number != cancelled]
    assert await asyncio.wait_for(asyncio.gather(*tasks), timeout=60) == [f"answer {number}" for number in staying]


async def test_a_request_whose_caller_has_left_is_not_executed() -> None:
    oracle = Oracle()
    batcher = Batcher(oracle, max_concurrency=1)
    (first,) = await start_asking(batcher, 1)
    leaving, staying = await start_asking(batcher, 2, 3)
    leaving.cancel()
    oracle.gate.set()
    answers = await asyncio.wait_for(asyncio.gather(first, staying), timeout=20)
    assert list(answers) == ["answer 1", "answer 3"]
    assert oracle.batches == [[1], [3]]


@pytest.mark.parametrize(("is_cancellable", "leaving", "ended"), [(True, 2, True), (True, 1, False), (False, 2, False)])
async def test_a_running_batch_is_cancelled_after_its_last_caller_has_left_and_only_if_it_reads(
    *, is_cancellable: bool, leaving: int, ended: bool
) -> None:
    gate, cancelled = asyncio.Event(), []

    async def execute(questions: Sequence[int]) -> list[int]:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            cancelled.append(questions)
            raise
        return list(questions)

    batchers = KeyedBatcher[str, int, int](
        lambda _, questions: execute(questions), max_concurrency=1, is_cancellable=is_cancellable
    )
    tasks = [asyncio.create_task(batchers.submit("a", number)) for number in (1, 2)]
    await asyncio.sleep(0.01)
    for task in tasks[:leaving]:
        task.cancel()
    await asyncio.sleep(0.01)
    assert cancelled == ([[1, 2]] if ended else [])
    assert list(batchers._by_key) == ([] if ended else ["a"])
    gate.set()
    assert await asyncio.wait_for(batchers.submit("a", 3), timeout=20) == 3


async def test_a_heavy_request_that_waits_for_its_turn_ends_when_its_caller_leaves() -> None:
    oracle = Oracle()
    batchers = KeyedBatcher(for_any_key(oracle))
    tasks = [asyncio.create_task(batchers.submit_heavy("a", number)) for number in range(batching.MAX_HEAVY + 1)]
    await asyncio.sleep(0.01)
    tasks.pop().cancel()
    await asyncio.sleep(0.01)
    oracle.gate.set()
    await asyncio.wait_for(asyncio.gather(*tasks), timeout=20)
    assert oracle.batches == [[number] for number in range(batching.MAX_HEAVY)]


async def test_a_caller_that_leaves_a_failing_batch_does_not_affect_others() -> None:
    oracle = Oracle()
    batcher = Batcher(oracle, max_concurrency=1)
    leaving, staying = await start_asking(batcher, 13, 13)
    leaving.cancel()
    oracle.gate.set()
    with pytest.raises(LookupError):
        await asyncio.wait_for(staying, timeout=60)
    assert await asyncio.wait_for(batcher.submit(1), timeout=60) == "answer 1"


async def test_no_request_is_forgotten() -> None:
    async def echo(questions: Sequence[int]) -> list[int]:
        await asyncio.sleep(0)
        return list(questions)

    batcher = Batcher(echo, max_concurrency=2, limit=7)

    async def ask_often(start: int) -> list[int]:
        return [await batcher.submit(start + number) for number in range(50)]

    result = await asyncio.wait_for(asyncio.gather(*(ask_often(1000 * caller) for caller in range(40))), timeout=60)
    assert result == [[1000 * caller + number for number in range(50)] for caller in range(40)]


async def test_a_keyed_batcher_splits_the_requests_of_a_key_at_its_limit() -> None:
    oracle = Oracle()
    oracle.gate.set()
    batchers = KeyedBatcher(for_any_key(oracle), limit=2, max_concurrency=1)
    await asyncio.gather(*(batchers.submit("a", number) for number in range(5)))
    assert [len(batch) for batch in oracle.batches] == [2, 2, 1]
