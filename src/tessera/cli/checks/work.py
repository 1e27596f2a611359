"""Checks of the workers and of what waits for them."""

from collections.abc import Iterator

from tessera.cli.checks.outcomes import Level, Outcome, assess
from tessera.kit.db import clocks
from tessera.kit.db.backlog import Backlog

MAX_WAITING_SECONDS = 300
MAX_UNSEALED_SECONDS = 600


def check_work(backlog: Backlog) -> Iterator[Outcome]:
    """All checks of this module."""
    yield assess(
        "clock",
        abs(backlog.clock_seconds) <= clocks.MAX_SECONDS,
        f"differs from the clock of the database by {backlog.clock_seconds:+.1f} s",
        remedy="Repair the synchronization of time (timedatectl). Until then, workers here expire nothing.",
    )
    yield assess(
        "workers",
        backlog.live_workers > 0,
        f"{backlog.live_workers} with a heartbeat",
        remedy="Start `tessera worker`: vouchers are not created, and holds do not end.",
    )
    yield from _jobs(backlog)
    yield assess(
        "audit log",
        backlog.unsealed_seconds <= MAX_UNSEALED_SECONDS,
        f"{backlog.unsealed_entries} entries without a seal, the oldest for {backlog.unsealed_seconds:.0f} s",
        remedy="Start `tessera worker`, or look in its log for the job seal_audit.",
    )
    yield assess(
        "purchases",
        not backlog.stuck_purchases,
        f"{backlog.stuck_purchases} paid purchases without vouchers",
        remedy="`tessera purchase list --stuck` names them; `tessera purchase retry CODE` queues the job of one again.",
    )


def _jobs(backlog: Backlog) -> Iterator[Outcome]:
    failed = sum(jobs.count for jobs in backlog.jobs if jobs.state == "failed")
    oldest = max((jobs.oldest_seconds for jobs in backlog.jobs if jobs.state == "waiting"), default=0)
    yield assess(
        "waiting jobs",
        oldest <= MAX_WAITING_SECONDS,
        f"the oldest has waited for {oldest:.0f} s",
        remedy="Start a worker, or another one; `tessera jobs list --state Waiting` shows the jobs.",
    )
    yield assess(
        "failed jobs",
        not failed,
        f"{failed}",
        remedy="`tessera jobs list --state Failed`, then `tessera jobs retry` or `delete`.",
        level=Level.WARNING,
    )
