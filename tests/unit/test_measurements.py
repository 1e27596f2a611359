"""Measurements: what is counted, and how those of several processes add up."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest
from tests.support.waiting import until

from tessera.kit.metrics import measurements, processes
from tessera.kit.metrics.measurements import Counter, Gauge, Histogram


def test_a_value_belongs_to_the_first_bucket_that_it_does_not_exceed() -> None:
    histogram = Histogram("times", "", labels=("route",), bounds=(1, 2))
    for value in (0.5, 1, 1.5, 2.5):
        histogram.observe(("/a",), value)
    assert histogram.cells == {("/a",): [2, 1, 1, 5.5]}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> tuple[Counter, Gauge, Gauge]:
    """A counter, a gauge that adds up and one that does not, as the only measurements of this process."""
    counter, added, largest = (
        Counter("events", "", labels=("kind",)),
        Gauge("used", ""),
        Gauge("most", "", is_largest=True),
    )
    monkeypatch.setattr(measurements, "HISTOGRAMS", ())
    monkeypatch.setattr(measurements, "COUNTERS", (counter,))
    monkeypatch.setattr(measurements, "GAUGES", (added, largest))
    monkeypatch.setattr(processes, "_GAUGES", {"used": added, "most": largest})
    added.read_from(lambda: 3)
    largest.read_from(lambda: 3)
    counter.add("odd")
    return counter, added, largest


def names_in(directory: Path) -> set[str]:
    return {file.name for file in directory.iterdir()}


async def publish() -> None:
    async with processes.publishing():
        await asyncio.sleep(0)


async def test_measurements_of_processes_add_up_and_those_that_ended_use_nothing(
    measured: tuple[Counter, Gauge, Gauge], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter, *gauges = measured
    monkeypatch.setenv(processes.VARIABLE, str(tmp_path))
    ended = subprocess.Popen(["true"])  # noqa: ASYNC220 - it ends at once
    ended.wait()
    for pid in (1, os.getppid(), ended.pid):
        await publish()
        (tmp_path / str(os.getpid())).rename(tmp_path / str(pid))
        counter.add("odd")
        gauges[0].read_from(lambda: 4)
        gauges[1].read_from(lambda: 1)
    for _ in range(2):
        assert processes.totals(tmp_path) == {"events": {("odd",): [6]}, "used": {(): [7]}, "most": {(): [3]}}
    assert names_in(tmp_path) == {"1", str(os.getppid()), "ended"}
    os.utime(tmp_path / "1", (0, 0))  # it hangs
    assert processes.totals(tmp_path)["used"] == {(): [4]}
    os.utime(tmp_path / "1")
    assert processes.totals(tmp_path) == {"events": {("odd",): [6]}, "used": {(): [7]}, "most": {(): [3]}}
    assert processes.totals(None) == {"events": {("odd",): [4]}, "used": {(): [4]}, "most": {(): [1]}}


async def test_a_directory_that_cannot_be_written_stops_nothing(
    measured: tuple[Counter, Gauge, Gauge], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "metrics"
    monkeypatch.setenv(processes.VARIABLE, str(directory))
    monkeypatch.setattr(processes, "SECONDS", 0)
    async with processes.publishing():
        await asyncio.sleep(0)
        directory.mkdir()
        await until("the process writes again", lambda: processes.totals(directory) != {})


def test_a_process_without_a_free_descriptor_has_used_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> list[str]:
        raise OSError

    monkeypatch.setattr(os, "listdir", fail)
    assert measurements.OPEN_FILES.cells == measurements.MAX_FILES.cells
