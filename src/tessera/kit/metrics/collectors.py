"""What Prometheus collects: the measurements of processes, and the backlog in the database."""

import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from tessera.kit.db import backlog
from tessera.kit.db.backlog import Backlog
from tessera.kit.db.connections import connected
from tessera.kit.errors import DatabaseUnavailable
from tessera.kit.metrics import measurements
from tessera.kit.metrics.measurements import Histogram
from tessera.kit.metrics.processes import Totals, totals

# Connecting may take this long, and all statements as long again. Prometheus waits for ten seconds.
DATABASE_SECONDS = 2
# However many callers ask, the database is queried at most once in this time.
FRESH_SECONDS = 5.0


class ProcessCollector(Collector):
    """The measurements of this process, or of those that write to a directory."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def collect(self) -> Iterator[Metric]:
        """Each measurement in the form of the client library."""
        values = totals(self._directory)
        for histogram in measurements.HISTOGRAMS:
            yield _histogram(histogram, values)
        for counter in measurements.COUNTERS:
            counts = CounterMetricFamily(counter.name, counter.description, labels=counter.labels)
            for labels, (count,) in values.get(counter.name, {}).items():
                counts.add_metric(labels, count)
            yield counts
        for gauge in measurements.GAUGES:
            numbers = GaugeMetricFamily(gauge.name, gauge.description, labels=())
            for labels, (number,) in values.get(gauge.name, {}).items():
                numbers.add_metric(labels, number)
            yield numbers


def _histogram(histogram: Histogram, values: Totals) -> Metric:
    family = HistogramMetricFamily(histogram.name, histogram.description, labels=histogram.labels)
    bounds = [*map(str, histogram.bounds), "+Inf"]
    for labels, (*counts, total) in values.get(histogram.name, {}).items():
        cumulative = [sum(counts[: position + 1]) for position in range(len(counts))]
        family.add_metric(labels, list(zip(bounds, cumulative, strict=True)), total)
    return family


class BacklogCollector(Collector):
    """The backlog in this database, over a connection of its own for each query, since a pool may be used up."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._read_at = -FRESH_SECONDS
        self._backlog: Backlog | None = None

    def collect(self) -> Iterator[Metric]:
        """The backlog, or only that the database does not answer."""
        with self._lock:
            if time.monotonic() - self._read_at >= FRESH_SECONDS:
                self._backlog = self._read()
                self._read_at = time.monotonic()
            current = self._backlog
        yield _gauge("tessera_database_up", "Whether the database answers.", float(current is not None))
        if current is not None:
            yield from _backlog(current)

    def _read(self) -> Backlog | None:
        try:
            with connected(self._url, seconds=DATABASE_SECONDS) as connection:
                return backlog.read(connection)
        except DatabaseUnavailable:
            return None


def _backlog(current: Backlog) -> Iterable[Metric]:
    jobs = GaugeMetricFamily(
        "tessera_jobs", "Jobs by task and state, up to 10,000 of each state.", labels=("task", "state")
    )
    ages = GaugeMetricFamily("tessera_oldest_job_seconds", "Age of the oldest job.", labels=("task", "state"))
    for each in current.jobs:
        jobs.add_metric((each.task, each.state), each.count)
        ages.add_metric((each.task, each.state), each.oldest_seconds)
    return (
        jobs,
        ages,
        _gauge("tessera_live_workers", "Workers with a heartbeat.", current.live_workers),
        _gauge("tessera_unsealed_audit_entries", "Audit entries without a seal.", current.unsealed_entries),
        _gauge("tessera_oldest_unsealed_seconds", "Age of the oldest unsealed entry.", current.unsealed_seconds),
        _gauge("tessera_stuck_purchases", "Paid purchases without vouchers.", current.stuck_purchases),
        _gauge("tessera_oldest_stuck_purchase_seconds", "Age of the oldest stuck purchase.", current.stuck_seconds),
        _gauge(
            "tessera_clock_ahead_seconds", "Clock of the process minus that of the database.", current.clock_seconds
        ),
    )


def _gauge(name: str, description: str, value: float) -> Metric:
    return GaugeMetricFamily(name, description, value=value)
