"""Retries of jobs: what is tried again, when, and what the log says about it."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest
from procrastinate.jobs import Job
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs
from tests.support.factories import Tenant

from tessera.kit.errors import NotFound, OrganizationFrozen, WrongState
from tessera.kit.jobs import ExponentialBackoff
from tessera.promo_codes.batches import jobs as promo_code_batches
from tessera.vouchers import jobs as vouchers


def job(attempts: int) -> Job:
    return cast("Job", SimpleNamespace(attempts=attempts, task_name="task", id=7, task_kwargs={"purchase_id": "p"}))


def pause(error: Exception, attempts: int = 0) -> Any:
    decision = ExponentialBackoff().get_retry_decision(exception=error, job=job(attempts))
    return None if decision is None else decision


def test_what_does_not_exist_is_given_up_after_two_more_tries() -> None:
    error = NotFound("There is no such batch.")
    assert pause(error, attempts=1) is not None
    with capture_logs() as lines:
        assert pause(error, attempts=2) is None
    assert lines == []


def test_everything_else_is_tried_again() -> None:
    for error in (WrongState("batch", "Complete"), OSError("away"), ValueError("7")):
        assert pause(error) is not None


@pytest.mark.parametrize(("attempts", "seconds"), [(0, 30), (6, 64), (12, 600)])
def test_a_frozen_organization_is_asked_again_less_and_less_often(attempts: int, seconds: int) -> None:
    before, decision = datetime.now(UTC), pause(OrganizationFrozen(), attempts)
    assert timedelta(seconds=0) <= decision.retry_at - before - timedelta(seconds=seconds) < timedelta(seconds=5)


@pytest.mark.parametrize("blueprint", [vouchers.blueprint, promo_code_batches.blueprint])
def test_jobs_of_one_resource_are_tried_again(blueprint: Any) -> None:
    tasks = [each for each in blueprint.tasks.values() if each.queueing_lock is None]
    assert tasks
    assert {type(each.retry_strategy) for each in tasks} == {ExponentialBackoff}


def test_the_log_of_a_failed_job_quotes_no_row(superuser: psycopg.Connection[Any], tenant: Tenant) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation) as caught:
        superuser.execute(
            "insert into store_exams (organization_id, id, code, name, price, status, created_at, version) select"
            " organization_id, id, 'X', 'x', 1, 'Active', now(), 1 from store_exams where organization_id = %s",
            [tenant.id],
        )
    assert str(tenant.id) in str(caught.value)
    for error in (caught.value, IntegrityError("insert", {"email": tenant.user_email}, caught.value)):
        with capture_logs() as lines:
            pause(error, attempts=2)
        assert lines == [
            {
                "event": "job will be retried",
                "log_level": "warning",
                "task": "task",
                "job": 7,
                "purchase_id": "p",
                "tries": 3,
                "pause": 4,
                "error": str(caught.value).splitlines()[0],
            }
        ]


def test_pauses_double_up_to_an_hour() -> None:
    pauses = []
    for attempts in (0, 1, 2, 11, 12, 1000):
        with capture_logs() as lines:
            pause(OSError("away"), attempts)
        pauses.append(lines[0]["pause"])
    assert pauses == [1, 2, 4, 2048, 3600, 3600]
