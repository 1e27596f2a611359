"""Commands on the jobs of the workers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from tessera import provision, schema
from tessera.cli.confirmation import confirm
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import AsJson, Limit, Yes
from tessera.cli.output import fields_of, show_rows
from tessera.cli.startup import require_existing_database, start
from tessera.kit.db import queued_jobs
from tessera.kit.db.connections import connected
from tessera.kit.db.queued_jobs import JobState

SECONDS = 60

JobIds = Annotated[list[int], typer.Argument(help="The ids of jobs, as listed.", metavar="JOB", min=0)]

commands = CommandGroup()


@commands.command("list")
def list_jobs(
    *,
    state: Annotated[JobState | None, typer.Option(help="Only jobs in this state.", case_sensitive=False)] = None,
    task: Annotated[str | None, typer.Option(help="Only jobs of this task, such as tessera:issue_vouchers.")] = None,
    limit: Limit = 100,
    after: Annotated[int, typer.Option(help="The id after which the list begins.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List the jobs that have not succeeded, oldest first.

    A failed job is not tried again. A scheduled job waits for its next attempt, or for its time.
    """
    with _connected() as connection:
        found = queued_jobs.list_jobs(connection, state=state, task=task, after=after, limit=limit)
    names = ("id", "state", "task", "attempts", "since", "scheduled_at", "arguments")
    show_rows(
        [fields_of(job, *names) for job in found], as_json=as_json, if_none="No job is waiting, running or failed."
    )
    if len(found) == limit:
        typer.echo(f"There may be more jobs: add --after {found[-1].id}", err=True)


@commands.command("retry")
def retry_jobs(jobs: JobIds) -> None:
    """Run failed jobs again, and scheduled ones now.

    Exits with status 1 if a job is neither. If only one job of its task may wait, and another one does, the job
    stays as it is.
    """
    refused = "Job {} is neither failed nor scheduled, or another job of its task waits already."
    _change(jobs, queued_jobs.retry, done="Queued job {} again.", refused=refused)


@commands.command("delete")
def delete_jobs(jobs: JobIds, *, yes: Yes = False) -> None:
    """Delete jobs that do not run.

    Exits with status 1 if a job runs or does not exist. The work of a deleted job remains undone. `tessera
    purchase retry` queues the job of a purchase again.
    """
    confirm(f"Delete {len(jobs)} jobs? Their work remains undone.", yes=yes)
    _change(jobs, queued_jobs.delete, done="Deleted job {}.", refused="Job {} runs, or does not exist.")


def _change(jobs: list[int], change: Callable[[Any, int], bool], *, done: str, refused: str) -> None:
    with _connected() as connection:
        outcomes = {job: change(connection, job) for job in jobs}
    for job, is_done in outcomes.items():
        typer.echo((done if is_done else refused).format(job), err=not is_done)
    if not all(outcomes.values()):
        raise typer.Exit(1)


@contextmanager
def _connected() -> Iterator[Any]:
    settings = start()
    require_existing_database(settings)
    with provision.database(settings) as addresses:
        schema.check(addresses.application)
        with connected(addresses.application, seconds=SECONDS) as connection:
            yield connection
