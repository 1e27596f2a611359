"""Batching: while one look-up is under way, the next ones gather and go together."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import partial
from typing import Generic, TypeVar

from tessera.kit.errors import Fact

Question = TypeVar("Question")
Answer = TypeVar("Answer")
Topic = TypeVar("Topic", bound=Hashable)


async def answer_open(
    asked: Sequence[Question | Fact], answer: Callable[[Sequence[Question]], Awaitable[Sequence[Answer]]]
) -> list[Answer | Fact]:
    """What `answer` says to all these questions, each in its place; a fact is its own answer."""
    open_ = [each for each in asked if not isinstance(each, Fact)]
    answers = iter(await answer(open_) if open_ else ())
    return [each if isinstance(each, Fact) else next(answers) for each in asked]


class Batcher(Generic[Question, Answer]):
    """Answers questions in batches, with no delay when idle.

    `ask_all` answers a batch in its order, or raises a fact for all of it; after anything else that it raises, each
    question is asked alone, so it must have changed nothing. At most `lanes` batches of at most `limit`
    questions are under way; what comes meanwhile is the next batch.
    """

    def __init__(
        self, ask_all: Callable[[Sequence[Question]], Awaitable[Sequence[Answer]]], *, limit: int = 100, lanes: int = 2
    ) -> None:
        self._ask_all = ask_all
        self._limit = limit
        self._lanes = self._idle_lanes = lanes
        self._waiting: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, question: Question) -> Answer:
        """The answer to one question; raises what its batch raised."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._idle_lanes:
            self._idle_lanes -= 1
            task = asyncio.create_task(self._work_off())
            self._tasks.add(task)  # the loop itself holds tasks only weakly
            task.add_done_callback(self._tasks.discard)
        return await future

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not self._waiting and self._idle_lanes == self._lanes

    async def _work_off(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
                await self._answer(batch)
        finally:
            self._idle_lanes += 1

    async def _answer(self, batch: list[tuple[Question, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._ask_all([question for question, _ in batch])
            answered = list(zip(batch, answers, strict=True))
        except Exception as error:  # noqa: BLE001 - handed on to those who asked, never dropped
            await self._refuse(batch, error)
            return
        for (_, future), answer in answered:
            if not future.done():  # its caller may have gone away
                future.set_result(answer)

    async def _refuse(self, batch: list[tuple[Question, asyncio.Future[Answer]]], error: Exception) -> None:
        if not isinstance(error, Fact) and len(batch) > 1:
            # Nobody foresaw this, so it is the fault of one question: asked alone, it harms no other.
            for one in batch:
                await self._answer([one])
            return
        for _, future in batch:
            if not future.done():
                future.set_exception(error)


class Batchers(Generic[Topic, Question, Answer]):
    """A batcher for each topic, for as long as it is asked something: only questions of one topic go together."""

    def __init__(
        self,
        ask_all: Callable[[Topic, Sequence[Question]], Awaitable[Sequence[Answer]]],
        *,
        limit: int = 100,
        lanes: int = 2,
    ) -> None:
        self._ask_all = ask_all
        self._limit = limit
        self._lanes = lanes
        self._by_topic: dict[Topic, Batcher[Question, Answer]] = {}

    async def ask(self, topic: Topic, question: Question) -> Answer:
        """The answer to one question; raises what its batch raised."""
        batcher = self._by_topic.get(topic)
        if batcher is None:
            batcher = Batcher(partial(self._ask_all, topic), limit=self._limit, lanes=self._lanes)
            self._by_topic[topic] = batcher
        try:
            return await batcher.ask(question)
        finally:
            # The last one to leave takes it away, so that only busy topics take memory.
            if batcher.is_idle and self._by_topic.get(topic) is batcher:
                del self._by_topic[topic]
