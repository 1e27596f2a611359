"""Measurements of this process: plain numbers, which cost a request almost nothing, and which are read on demand.

Labels are names from this code, such as routes and limits: never a tenant, and nothing that a caller can choose.
"""

import os
import resource
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from uuid import UUID

Labels = tuple[str, ...]
Cells = Mapping[Labels, Sequence[float]]

_OPEN_FILES = Path("/proc/self/fd")


class Histogram:
    """The distribution of values, for each combination of labels: a number for each bucket, and the sum of values.

    A value belongs to the first bucket whose upper bound it does not exceed; the last bucket has no bound.
    """

    def __init__(self, name: str, description: str, *, labels: Labels = (), bounds: Sequence[float]) -> None:
        self.name, self.description, self.labels, self.bounds = name, description, labels, tuple(bounds)
        self.cells: dict[Labels, list[float]] = {}

    def observe(self, labels: Labels, value: float) -> None:
        """Add a value."""
        cell = self.cells.get(labels)
        if cell is None:
            cell = self.cells[labels] = [0.0] * (len(self.bounds) + 2)
        cell[bisect_left(self.bounds, value)] += 1
        cell[-1] += value


class Counter:
    """The number of events, for each combination of labels."""

    def __init__(self, name: str, description: str, *, labels: Labels) -> None:
        self.name, self.description, self.labels = name, description, labels
        self.cells: dict[Labels, list[float]] = {}

    def add(self, *labels: str) -> None:
        """Count one event."""
        self.cells.setdefault(labels, [0.0])[0] += 1


class Gauge:
    """A number that goes up and down. The total of several processes is the sum or, with `is_largest`, the largest."""

    def __init__(self, name: str, description: str, *, is_largest: bool = False) -> None:
        self.name, self.description, self.is_largest = name, description, is_largest
        self._read: Callable[[], float] | None = None

    def read_from(self, read: Callable[[], float]) -> None:
        """Read the present value by `read`."""
        self._read = read

    @property
    def cells(self) -> Cells:
        """The present value, if this process has one."""
        return {(): [self._read()]} if self._read else {}


class RecentOrganizations:
    """The organizations with a request in the last complete minute, or in the present one if those are more."""

    SECONDS = 60.0

    def __init__(self) -> None:
        self.note = self._begin()
        self._before: set[UUID] = set()

    def _begin(self) -> Callable[[UUID], None]:
        self._now: set[UUID] = set()
        self._since = time.monotonic()
        return self._now.add

    def count(self) -> float:
        """Their number."""
        if time.monotonic() - self._since >= self.SECONDS:
            self._before = self._now
            self.note = self._begin()
        return max(len(self._before), len(self._now))


REQUESTS = Histogram(
    "tessera_http_request_duration_seconds",
    "Requests by method, route and class of their status, with the time until the end of the response.",
    labels=("method", "route", "status"),
    bounds=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15),
)
BATCHES = Histogram("tessera_batch_size", "Requests that were executed together.", bounds=(1, 2, 5, 10, 20, 50, 100))
REFUSALS = Counter("tessera_refused_requests", "Responses with the status 429, by the limit.", labels=("limit",))
DATABASE_FAILURES = Counter(
    "tessera_database_failures", "Responses with the status 503, by the cause in the log.", labels=("cause",)
)
CONNECTIONS = Gauge("tessera_database_connections_in_use", "Connections that transactions use.")
MAX_CONNECTIONS = Gauge("tessera_database_connections_max", "Connections that transactions may use.")
WAITING = Gauge("tessera_database_connections_waiting", "Requests that wait for a connection.")
ORGANIZATIONS = Gauge("tessera_active_organizations", "Organizations with a request within a minute.", is_largest=True)
OPEN_FILES = Gauge("tessera_open_file_descriptors", "Open files of the process with the most of them.", is_largest=True)
MAX_FILES = Gauge("tessera_max_file_descriptors", "The limit of file descriptors of a process.", is_largest=True)
PROCESSES = Gauge("tessera_processes", "Running processes.")

HISTOGRAMS = (REQUESTS, BATCHES)
COUNTERS = (REFUSALS, DATABASE_FAILURES)
GAUGES = (CONNECTIONS, MAX_CONNECTIONS, WAITING, ORGANIZATIONS, OPEN_FILES, MAX_FILES, PROCESSES)


def cells() -> Iterator[tuple[str, Cells]]:
    """The values of each measurement, by its name."""
    for measurement in (*HISTOGRAMS, *COUNTERS, *GAUGES):
        yield measurement.name, measurement.cells


def _count_open_files() -> float:
    if not _OPEN_FILES.exists():
        return 0
    try:
        return len(os.listdir(_OPEN_FILES))  # noqa: PTH208 - faster, and needs only the number
    except OSError:  # no descriptor is free to count them
        return _max_files()


def _max_files() -> float:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


recent_organizations = RecentOrganizations()
ORGANIZATIONS.read_from(recent_organizations.count)
OPEN_FILES.read_from(_count_open_files)
MAX_FILES.read_from(_max_files)
PROCESSES.read_from(lambda: 1)
