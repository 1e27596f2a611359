"""Jobs on the command line: listed, queued again and deleted."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from tests.cli.conftest import Run

NOT_RETRIED = "is neither failed nor scheduled, or another job of its task waits already"


@pytest.fixture
def task(superuser: psycopg.Connection[Any]) -> Iterator[str]:
    """The task of three jobs: one has failed, one runs, and one is scheduled."""
    name = f"tessera:{uuid4().hex}"
    superuser.execute(
        "insert into procrastinate_jobs (queue_name, task_name, status, scheduled_at, args) values"
        " ('none', %(task)s, 'failed', null, '{\"purchase_id\": \"7\"}'), ('none', %(task)s, 'doing', null, '{}'),"
        " ('none', %(task)s, 'todo', now() + interval '1 hour', '{}')",
        {"task": name},
    )
    yield name
    superuser.execute("delete from procrastinate_jobs where task_name = %s", [name])


def states(run: Run, task: str) -> dict[int, str]:
    listed = json.loads(run("jobs", "list", "--task", task, "--json").stdout)
    return {job["id"]: job["state"] for job in listed}


def test_failed_and_scheduled_jobs_are_queued_again_and_others_are_not(run: Run, task: str) -> None:
    before = states(run, task)
    assert list(before.values()) == ["Failed", "Running", "Scheduled"]
    failed, running, scheduled = before
    (only,) = json.loads(run("jobs", "list", "--task", task, "--state", "failed", "--json").stdout)
    assert (only["id"], only["attempts"], only["arguments"]) == (failed, 0, {"purchase_id": "7"})

    result = run("jobs", "retry", *map(str, before))
    assert (result.returncode, result.stderr) == (1, f"Job {running} {NOT_RETRIED}.\n")
    assert result.stdout == f"Queued job {failed} again.\nQueued job {scheduled} again.\n"
    assert states(run, task) == {failed: "Waiting", running: "Running", scheduled: "Waiting"}


def test_jobs_that_do_not_run_are_deleted(run: Run, task: str) -> None:
    failed, running, _ = states(run, task)
    assert run("jobs", "delete", str(failed)).returncode == 1, "without --yes"
    result = run("jobs", "delete", str(failed), str(running), "--yes")
    assert (result.stdout, result.returncode) == (f"Deleted job {failed}.\n", 1)
    assert result.stderr == f"Job {running} runs, or does not exist.\n"
    assert list(states(run, task).values()) == ["Running", "Scheduled"]
