"""Log lines on requests that failed because of the database."""

import time
from collections import defaultdict

import structlog

from tessera.kit.db import failures
from tessera.kit.errors import DatabaseUnavailable
from tessera.kit.metrics.measurements import DATABASE_FAILURES

# In an outage every request fails. One line for each cause tells as much, and does not fill the disk.
SECONDS_BETWEEN_LINES = 5.0

log = structlog.get_logger(__name__)


class OutageLog:
    """Logs one line for each cause at most every five seconds, with the number of errors that had no line."""

    def __init__(self) -> None:
        self._next_line_at: dict[str, float] = {}
        self._skipped: defaultdict[str, int] = defaultdict(int)

    def note(self, error: DatabaseUnavailable) -> None:
        """Log the cause of this error, or count it; the line has the id of the current request."""
        driver_error = error.__cause__
        cause = failures.cause_of(driver_error)
        DATABASE_FAILURES.add(cause)
        if time.monotonic() < self._next_line_at.get(cause, 0.0):
            self._skipped[cause] += 1
            return
        self._next_line_at[cause] = time.monotonic() + SECONDS_BETWEEN_LINES
        log.warning(
            "database unavailable",
            cause=cause,
            sqlstate=failures.sqlstate(driver_error),
            error=failures.message_of(driver_error),
            skipped=self._skipped.pop(cause, 0),
        )
