"""Batching: while one look-up is under way, the next ones gather and go together."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from tessera.kit.errors import Fact, Undone

HEAVY_AT_ONCE = 2
# Seconds of what the database has undone.
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
ASKED_AGAIN_FOR = 30.0

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

    `ask_all` answers a batch in its order, or raises a fact for all of it; after anything else that it raises, and
    after Undone, each question is asked alone, so it must have changed nothing; after Undone for half a minute, with
    growing pauses in which it holds nothing. At most `lanes` batches of at most `limit` questions are under way; what
    comes meanwhile is the next batch. After the last one `when_idle` is called.
    """

    def __init__(
        self,
        ask_all: Callable[[Sequence[Question]], Awaitable[Sequence[Answer]]],
        *,
        limit: int = 100,
        lanes: int = 2,
        when_idle: Callable[[], None] = lambda: None,
    ) -> None:
        self._ask_all = ask_all
        self._when_idle = when_idle
        self._limit = limit
        self._lanes = self._idle_lanes = lanes
        self._waiting: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._alone = asyncio.Semaphore(lanes)
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, question: Question) -> Answer:
        """The answer to one question; raises what its batch raised."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._idle_lanes:
            self._idle_lanes -= 1
            self._start(self._work_off())
        return await future

    async def _work_off(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
                await self._answer(batch)
        finally:
            self._idle_lanes += 1
            if not self._waiting and self._idle_lanes == self._lanes:
                self._when_idle()

    async def _answer(self, batch: list[tuple[Question, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._ask_all([question for question, _ in batch])
            answered = list(zip(batch, answers, strict=True))
        except Exception as error:  # noqa: BLE001 - handed on to those who asked, never dropped
            self._refuse(batch, error)
            return
        for (_, future), answer in answered:
            _tell(future, answer)

    def _refuse(self, batch: list[tuple[Question, asyncio.Future[Answer]]], error: Exception) -> None:
        if isinstance(error, Undone) or (len(batch) > 1 and not isinstance(error, Fact)):
            # Nobody foresaw this, so it is the fault of one question: asked alone, it harms no other. Outside of the
            # lanes, so that whoever waits for a lock keeps nobody waiting.
            for one in batch:
                self._start(self._answer_alone(*one))
            return
        for _, future in batch:
            _fail(future, error)

    async def _answer_alone(self, question: Question, future: asyncio.Future[Answer]) -> None:
        pause, end = FIRST_PAUSE, time.monotonic() + ASKED_AGAIN_FOR
        while not future.done():
            try:
                async with self._alone:
                    (answer,) = await self._ask_all([question])
            except Undone as error:
                if time.monotonic() > end:
                    _fail(future, error)
            except Exception as error:  # noqa: BLE001 - handed on to the one who asked
                _fail(future, error)
            else:
                _tell(future, answer)
            if not future.done():
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)  # the loop itself holds tasks only weakly
        task.add_done_callback(self._tasks.discard)


def _tell(future: asyncio.Future[Answer], answer: Answer) -> None:
    if not future.done():  # its caller may have gone away
        future.set_result(answer)


def _fail(future: asyncio.Future[Answer], error: Exception) -> None:
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
        self._heavy = asyncio.Semaphore(HEAVY_AT_ONCE)
        self._by_topic: dict[Topic, Batcher[Question, Answer]] = {}

    async def ask(self, topic: Topic, question: Question) -> Answer:
        """The answer to one question; raises what its batch raised."""
        batcher = self._by_topic.get(topic)
        if batcher is None:
            batcher = self._by_topic[topic] = Batcher(
                partial(self._ask_all, topic),
                limit=self._limit,
                lanes=self._lanes,
                # Only busy topics take memory.
                when_idle=partial(self._forget, topic),
            )
        return await batcher.ask(question)

    def _forget(self, topic: Topic) -> None:
        del self._by_topic[topic]

    async def ask_alone(self, topic: Topic, question: Question) -> Answer:
        """The answer to one question that is too heavy to go with others; few such are under way, of all topics."""

        async def ask_all(questions: Sequence[Question]) -> Sequence[Answer]:
            async with self._heavy:
                return await self._ask_all(topic, questions)

        return await Batcher(ask_all, lanes=1).ask(question)
