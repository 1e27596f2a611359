"""Jobs that a test runs without a worker."""

from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import cast

from procrastinate import JobContext

from tessera.api.serving.resources import Resources


def job_context(resources: Resources, clock: Callable[[], datetime]) -> JobContext:
    """The part of a worker's context that jobs read: the database and the clock."""
    return cast("JobContext", SimpleNamespace(additional_context={"database": resources.database, "clock": clock}))
