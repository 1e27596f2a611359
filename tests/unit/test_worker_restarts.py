"""A worker that loses its database: it tries again with growing pauses, and the log has the cause."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
from procrastinate import App
from procrastinate.exceptions import ConnectorException
from structlog.testing import capture_logs

from tessera.kit import jobs
from tessera.kit.heartbeats import Heartbeat


class AwayQueue:
    """A queue whose database is away: opening it fails, after so many seconds for each time."""

    def __init__(self, seconds: list[float]) -> None:
        self._seconds = seconds
        self.now = 1000.0

    @asynccontextmanager
    async def open_async(self) -> AsyncIterator[None]:
        self.now += self._seconds.pop(0)
        raise ConnectorException("of the queue") from OSError("of the network")
        yield


async def work(monkeypatch: pytest.MonkeyPatch, seconds: list[float]) -> tuple[list[float | None], list[str], int]:
    """The pauses, the logged errors, and how often the connections were dropped, until no seconds are left."""
    queue, stopping, pauses, drops = AwayQueue(seconds), asyncio.Event(), list[float | None](), list[None]()

    async def pause(tasks: Any, *, timeout: float | None) -> None:  # noqa: ASYNC109 - as the function that it replaces
        pauses.append(timeout)
        if not seconds:
            stopping.set()

    async def drop_connections() -> None:
        drops.append(None)

    monkeypatch.setattr(jobs, "time", SimpleNamespace(monotonic=lambda: queue.now))
    monkeypatch.setattr(jobs, "asyncio", SimpleNamespace(create_task=asyncio.create_task, wait=pause))
    context = {"database": SimpleNamespace(drop_connections=drop_connections)}
    with capture_logs() as lines:
        await jobs.keep_working(cast("App", queue), stopping=stopping, heartbeat=Heartbeat(), context=context)
    return pauses, [line["error"] for line in lines], len(drops)


async def test_a_worker_without_its_database_pauses_longer_each_time_up_to_a_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs, "MAX_RECONNECT_SECONDS", 5)
    pauses, errors, drops = await work(monkeypatch, [1.0] * 5)
    assert pauses == [1, 2, 4, 5, 5]
    assert errors == ["of the network"] * 5
    assert drops == 5, "jobs must not see an older server than the queue does"


async def test_a_worker_that_worked_for_a_minute_begins_with_a_short_pause_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses, _, _ = await work(monkeypatch, [1.0, 1.0, 61.0, 1.0])
    assert pauses == [1, 2, 0.5, 1]
