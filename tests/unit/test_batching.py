"""Questions that go together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from tessera.kit import batching
from tessera.kit.batching import Batcher, KeyedBatcher
from tessera.kit.errors import NotFound, TransactionAborted


class Oracle:
    """Answers when it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.is_free = False  # what question 409 needs

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


def by_topic(oracle: Oracle) -> Callable[[str, Sequence[int]], Awaitable[list[str]]]:
    """The oracle for a KeyedBatcher: it answers for every key alike."""
    return lambda _, questions: oracle(questions)


async def start_asking(batcher: Batcher[int, str], *questions: int) -> list[asyncio.Task[str]]:
    """Tasks that ask, each of which has begun."""
    tasks = [asyncio.create_task(batcher.ask(question)) for question in questions]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_a_question_to_an_idle_batcher_goes_at_once() -> None:
    oracle = Oracle()
    batcher = Batcher(oracle, max_concurrency=1)
    (task,) = await start_asking(batcher, 1)
    assert oracle.batches == [[1]]
    oracle.gate.set()
    assert await task == "answer 1"


async def test_what_comes_meanwhile_goes_together_and_everyone_gets_their_own_answer() -> None:
    oracle = Oracle()
    batcher = Batcher(oracle, max_concurrency=1)
    tasks = [*await start_asking(batcher, 1), *await start_asking(batcher, 2, 3, 4)]
    assert oracle.batches == [[1]]
    oracle.gate.set()
    assert await asyncio.gather(*tasks) == ["answer 1", "answer 2", "answer 3", "answer 4"]
    assert oracle.batches == [[1], [2, 3, 4]]


async def test_a_batch_has_no_more_questions_than_the_limit() -> None:
    oracle = Oracle()
    batcher = Batcher(oracle, max_concurrency=1, limit=2)
    tasks = [*await start_asking(batcher, 0), *await start_asking(batcher, 1, 2, 3, 4, 5)]
    oracle.gate.set()
    assert await asyncio.gather(*tasks) == [f"answer {number}" for number in range(6)]
    assert oracle.batches == [[0], [1, 2], [3, 4], [5]]


async def test_no_more_batches_are_under_way_than_there_are_lanes() -> None:
    oracle = Oracle()
    batcher = Batcher(oracle, max_concurrency=2)
    tasks = [task for number in range(4) for task in await start_asking(batcher, number)]
    assert oracle.batches == [[0], [1]]
    oracle.gate.set()
    assert await asyncio.gather(*tasks) == [f"answer {number}" for number in range(4)]
    assert oracle.batches == [[0], [1], [2, 3]]


async def test_a_fact_reaches_everyone_in_its_batch_and_nobody_else() -> None:
    oracle = Oracle()
    batcher = Batcher(oracle, max_concurrency=1)
    tasks = [*await start_asking(batcher, 1), *await start_asking(batcher, 404, 14)]
    oracle.gate.set()
    first, *others = await asyncio.gather(*tasks, return_exceptions=True)
    assert first == "answer 1"
    assert [repr(other) for other in others] == ["NotFound('404')"] * 2
    assert oracle.batches == [[1], [404, 14]]


async def test_a_question_that_breaks_its_batch_fails_alone() -> None:
    oracle = Oracle()
    batcher = Batcher(oracle, max_concurrency=1)
    tasks = [*await start_asking(batcher, 1), *await start_asking(batcher, 12, 13, 14)]
    oracle.gate.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(answer) for answer in answers] == ["answer 1", "answer 12", "13", "answer 14"]
    assert oracle.batches == [[1], [12, 13, 14], [12], [13], [14]]


async def test_a_fact_may_be_an_answer() -> None:
    answer = NotFound("404")

    async def ask_all(questions: Sequence[int]) -> list[NotFound]:
        return [answer] * len(questions)

    assert await asyncio.wait_for(Batcher(ask_all).ask(1), timeout=20) is answer


async def test_what_was_undone_is_asked_again_alone_until_it_can_be_and_keeps_nobody_waiting() -> None:
    oracle = Oracle()
    batcher = Batcher(oracle, max_concurrency=1)
    tasks = [*await start_asking(batcher, 1), *await start_asking(batcher, 409, 12, 14)]
    oracle.gate.set()
    first, waiting, *others = tasks
    assert await asyncio.wait_for(asyncio.gather(first, *others), timeout=20) == ["answer 1", "answer 12", "answer 14"]
    assert await asyncio.wait_for(batcher.ask(15), timeout=20) == "answer 15"
    assert not waiting.done()
    oracle.is_free = True
    assert await asyncio.wait_for(waiting, timeout=20) == "answer 409"


async def test_what_is_undone_for_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "RETRY_DEADLINE", 0.2)
    oracle = Oracle()
    oracle.gate.set()
    for ask in (Batcher(oracle).ask(409), KeyedBatcher(by_topic(oracle)).ask_heavy("a", 409)):
        with pytest.raises(TransactionAborted):
            await asyncio.wait_for(ask, timeout=20)
    assert len(oracle.batches) > 4


async def test_a_topic_is_forgotten_when_all_who_asked_have_gone_away() -> None:
    oracle = Oracle()
    batchers = KeyedBatcher(by_topic(oracle), max_concurrency=1)
    task = asyncio.create_task(batchers.ask("a", 1))
    await asyncio.sleep(0.01)
    task.cancel()
    oracle.gate.set()
    await asyncio.sleep(0.01)
    assert batchers._by_key == {}


async def test_a_heavy_question_goes_alone_beside_a_full_lane() -> None:
    oracle = Oracle()
    batchers = KeyedBatcher(by_topic(oracle), max_concurrency=1)
    waiting = [asyncio.create_task(batchers.ask("a", number)) for number in (1, 2)]
    await asyncio.sleep(0.01)
    alone = asyncio.create_task(batchers.ask_heavy("a", 3))
    await asyncio.sleep(0.01)
    assert oracle.batches == [[1, 2], [3]]
    oracle.gate.set()
    assert await asyncio.gather(*waiting, alone) == ["answer 1", "answer 2", "answer 3"]


async def test_topics_are_answered_apart_and_forgotten_when_they_are_idle() -> None:
    oracles: dict[str, Oracle] = {"a": Oracle(), "b": Oracle()}

    async def ask_all(topic: str, questions: Sequence[int]) -> list[str]:
        return [f"{topic}: {answer}" for answer in await oracles[topic](questions)]

    batchers = KeyedBatcher(ask_all, max_concurrency=1)
    tasks = [asyncio.create_task(batchers.ask(topic, number)) for number in range(3) for topic in "ab"]
    await asyncio.sleep(0.01)
    assert len(batchers._by_key) == 2
    for oracle in oracles.values():
        oracle.gate.set()
    assert await asyncio.gather(*tasks) == [f"{topic}: answer {number}" for number in range(3) for topic in "ab"]
    assert [oracle.batches for oracle in oracles.values()] == [[[0, 1, 2]]] * 2
    assert batchers._by_key == {}


async def test_a_wrong_number_of_answers_is_an_exception_for_everyone() -> None:
    async def forgetful(questions: Sequence[int]) -> list[str]:
        return ["answer"] * (len(questions) - 1)

    batcher = Batcher(forgetful, max_concurrency=1)
    for _ in range(2):
        with pytest.raises(ValueError, match="shorter"):
            await asyncio.wait_for(batcher.ask(1), timeout=20)


@pytest.mark.parametrize("cancelled", [0, 1, 2])
async def test_a_caller_who_goes_away_harms_nobody(cancelled: int) -> None:
    oracle = Oracle()
    batcher = Batcher(oracle, max_concurrency=1)
    tasks = [*await start_asking(batcher, 0), *await start_asking(batcher, 1, 2)]
    tasks.pop(cancelled).cancel()
    oracle.gate.set()
    staying = [number for number in range(3) if number != cancelled]
    assert await asyncio.wait_for(asyncio.gather(*tasks), timeout=20) == [f"answer {number}" for number in staying]


async def test_a_caller_who_goes_away_from_a_failing_batch_harms_nobody() -> None:
    oracle = Oracle()
    batcher = Batcher(oracle, max_concurrency=1)
    leaving, staying = await start_asking(batcher, 13, 13)
    leaving.cancel()
    oracle.gate.set()
    with pytest.raises(LookupError):
        await asyncio.wait_for(staying, timeout=20)
    assert await asyncio.wait_for(batcher.ask(1), timeout=20) == "answer 1"


async def test_no_question_is_forgotten() -> None:
    async def echo(questions: Sequence[int]) -> list[int]:
        await asyncio.sleep(0)
        return list(questions)

    batcher = Batcher(echo, max_concurrency=2, limit=7)

    async def ask_often(start: int) -> list[int]:
        return [await batcher.ask(start + number) for number in range(50)]

    found = await asyncio.wait_for(asyncio.gather(*(ask_often(1000 * caller) for caller in range(40))), timeout=60)
    assert found == [[1000 * caller + number for number in range(50)] for caller in range(40)]
