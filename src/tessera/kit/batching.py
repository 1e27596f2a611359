"""Batching: requests that arrive during an execution are executed together afterwards."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from opentelemetry.trace import Span

from tessera.kit import tracing
from tessera.kit.errors import DomainError, TransactionAborted
from tessera.kit.metrics.measurements import BATCHES

MAX_HEAVY = 2
# Seconds between retries of an aborted request, and until it fails.
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
RETRY_DEADLINE = 12.0

Request = TypeVar("Request")
Response = TypeVar("Response")
Key = TypeVar("Key", bound=Hashable)


class Waiting(NamedTuple, Generic[Request, Response]):
    """A request that waits for its response, and the span of its caller."""

    request: Request
    future: asyncio.Future[Response]
    span: Span


class Batcher(Generic[Request, Response]):
    """Executes requests in batches, with no delay when idle.

    `execute` returns the responses to a batch in its order, or raises a DomainError for all of it. After any other
    exception, and after TransactionAborted, each request is executed again by itself, so `execute` must not have
    changed anything. Aborted requests are retried until RETRY_DEADLINE, with growing pauses.
    At most `max_concurrency` batches of at most `limit` requests run at once; requests that arrive then form the
    next batch. `when_idle` is called after the last batch.
    A request whose caller is cancelled leaves the batch that it waits for. A running batch continues, unless
    `is_cancellable` is true and all its callers have been cancelled.
    """

    def __init__(
        self,
        execute: Callable[[Sequence[Request]], Awaitable[Sequence[Response]]],
        *,
        limit: int = 100,
        max_concurrency: int = 2,
        is_cancellable: bool = False,
        when_idle: Callable[[], None] = lambda: None,
    ) -> None:
        self.is_cancellable = is_cancellable
        self._execute = execute
        self._when_idle = when_idle
        self._limit = limit
        self._max_concurrency = self._idle_workers = max_concurrency
        self._waiting: list[Waiting[Request, Response]] = []
        self._running: dict[asyncio.Task[Any], Sequence[Waiting[Request, Response]]] = {}
        self._retry_slots = asyncio.Semaphore(max_concurrency)
        self._tasks: set[asyncio.Task[None]] = set()

    async def submit(self, request: Request) -> Response:
        """The response to one request; raises what its batch raised."""
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(request, future, tracing.current_span()))
        if self._idle_workers:
            self._idle_workers -= 1
            self._start(self._work())
        try:
            return await future
        except asyncio.CancelledError:
            self._cancel_abandoned_batches()
            raise

    def _cancel_abandoned_batches(self) -> None:
        for task, batch in self._running.items():
            if self.is_cancellable and _is_abandoned(batch):
                task.cancel()

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
                await self._execute_batch([each for each in batch if not each.future.cancelled()])
        finally:
            self._idle_workers += 1
            if not self._waiting and self._idle_workers == self._max_concurrency:
                self._when_idle()

    async def _execute_batch(self, batch: list[Waiting[Request, Response]]) -> None:
        if not batch:
            return
        BATCHES.observe((), len(batch))
        try:
            responses = await self._execute_cancellably(batch)
            results = list(zip(batch, responses, strict=True))
        except Exception as error:  # noqa: BLE001 - passed on to the callers
            self._fail_or_retry(batch, error)
            return
        for each, response in results:
            _resolve(each.future, response)

    async def _execute_cancellably(self, batch: Sequence[Waiting[Request, Response]]) -> Sequence[Response]:
        """The responses to a batch; raises _Abandoned if it was cancelled because all its callers have left."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker
        self._running[task] = batch
        try:
            with tracing.batch([each.span for each in batch]):
                return await self._execute([each.request for each in batch])
        except asyncio.CancelledError:
            if not (self.is_cancellable and _is_abandoned(batch)):
                raise
            task.uncancel()
            raise _Abandoned from None
        finally:
            del self._running[task]

    def _fail_or_retry(self, batch: list[Waiting[Request, Response]], error: Exception) -> None:
        if isinstance(error, TransactionAborted) or (len(batch) > 1 and not isinstance(error, DomainError)):
            # Usually one request causes the unexpected exception. Retried by itself it does not fail the others, and a
            # request that waits for a lock does not delay them.
            for each in batch:
                self._start(self._retry(each))
            return
        for each in batch:
            _fail(each.future, error)

    async def _retry(self, waiting: Waiting[Request, Response]) -> None:
        pause, end = FIRST_PAUSE, time.monotonic() + RETRY_DEADLINE
        while not waiting.future.done():
            try:
                async with self._retry_slots:
                    (response,) = await self._execute_cancellably([waiting])
            except TransactionAborted as error:
                if time.monotonic() > end:
                    _fail(waiting.future, error)
            except Exception as error:  # noqa: BLE001 - passed on to the caller
                _fail(waiting.future, error)
            else:
                _resolve(waiting.future, response)
            if not waiting.future.done():
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)  # the event loop holds only weak references to tasks
        task.add_done_callback(self._tasks.discard)


class _Abandoned(DomainError):
    """All callers of a batch have left. Nobody receives this error."""


def _is_abandoned(batch: Sequence[Waiting[Any, Any]]) -> bool:
    return all(each.future.cancelled() for each in batch)


def _resolve(future: asyncio.Future[Response], response: Response) -> None:
    if not future.done():  # the caller may have been cancelled
        future.set_result(response)


def _fail(future: asyncio.Future[Response], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


class KeyedBatcher(Generic[Key, Request, Response]):
    """Batches requests with the same key: one batcher for each key that has requests."""

    def __init__(
        self,
        execute: Callable[[Key, Sequence[Request]], Awaitable[Sequence[Response]]],
        *,
        limit: int = 100,
        max_concurrency: int = 2,
        is_cancellable: bool = False,
    ) -> None:
        self._execute = execute
        self._limit = limit
        self._max_concurrency = max_concurrency
        self._is_cancellable = is_cancellable
        self._heavy = asyncio.Semaphore(MAX_HEAVY)
        self._by_key: dict[Key, Batcher[Request, Response]] = {}

    async def submit(self, key: Key, request: Request) -> Response:
        """The response to one request; raises what its batch raised."""
        batcher = self._by_key.get(key)
        if batcher is None:
            batcher = self._by_key[key] = Batcher(
                partial(self._execute, key),
                limit=self._limit,
                max_concurrency=self._max_concurrency,
                is_cancellable=self._is_cancellable,
                # Keys without requests must not occupy memory.
                when_idle=partial(self._forget, key),
            )
        return await batcher.submit(request)

    def _forget(self, key: Key) -> None:
        del self._by_key[key]

    async def submit_heavy(self, key: Key, request: Request) -> Response:
        """The response to a heavy request, which is executed by itself; at most MAX_HEAVY are executed at once."""

        async def execute(requests: Sequence[Request]) -> Sequence[Response]:
            async with self._heavy:
                batcher.is_cancellable = self._is_cancellable
                return await self._execute(key, requests)

        # A request that still waits for its turn has no effect yet, so it ends when its caller leaves.
        batcher = Batcher(execute, max_concurrency=1, is_cancellable=True)
        return await batcher.submit(request)
