"""A worker whose clock is wrong expires and closes nothing, and says so."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import structlog
from procrastinate import JobContext
from procrastinate.tasks import Task
from tests.support.jobs import job_context

from tessera.api.serving.resources import Resources
from tessera.idempotency import jobs as idempotency
from tessera.kit import clock
from tessera.kit.db import clocks
from tessera.redemptions import jobs as redemptions
from tessera.reports import jobs as reports
from tessera.vouchers import jobs as vouchers

TASKS = (
    redemptions.expire_holds,
    reports.roll_up_redemptions,
    vouchers.expire_checkouts,
    idempotency.delete_idempotency_keys,
)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize("seconds", [-6, 6])
async def test_a_wrong_clock_stops_what_depends_on_it(
    resources: Resources, monkeypatch: pytest.MonkeyPatch, task: "Task[[JobContext, int], Any, Any]", seconds: int
) -> None:
    right = clock.clock
    monkeypatch.setattr(clock, "clock", lambda: right() + timedelta(seconds=seconds))

    def fail() -> datetime:
        raise AssertionError("the task has run")

    with structlog.testing.capture_logs() as lines:
        await task.func(job_context(resources, fail), 0)
    # What earlier tests have left may write lines meanwhile.
    (line,) = [each for each in lines if each["event"] == "nothing is expired or closed: the clock is wrong"]
    assert round(line["seconds_ahead"]) == seconds


async def test_a_database_that_is_slow_to_answer_has_no_wrong_clock(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, seconds = clock.clock, iter((-20, 20))  # before the question, and after the answer
    monkeypatch.setattr(clock, "clock", lambda: right() + timedelta(seconds=next(seconds)))
    assert await clocks.seconds_ahead(resources.database) == 0
