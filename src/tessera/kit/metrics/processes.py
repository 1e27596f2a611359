"""Measurements of several processes: each writes its own to a file, and the files are added up."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tessera.kit.metrics.measurements import GAUGES, Labels, cells

# The processes of one server find the directory in this variable.
VARIABLE = "_TESSERA_METRICS_DIRECTORY"
SECONDS = 1.0
# A process that has not written for this long has ended. Its requests still count, and its connections do not.
ENDED_AFTER_SECONDS = 10.0

Totals = Mapping[str, Mapping[Labels, Sequence[float]]]

_GAUGES = {gauge.name: gauge for gauge in GAUGES}


@asynccontextmanager
async def publishing() -> AsyncIterator[None]:
    """Write the measurements of this process to its file each second, if it has a directory for it."""
    directory = os.environ.get(VARIABLE)
    if directory is None:
        yield
        return
    task = asyncio.create_task(_keep_writing(Path(directory)))
    try:
        yield
    finally:
        task.cancel()
        _write(Path(directory))


async def _keep_writing(directory: Path) -> None:
    while True:
        _write(directory)
        await asyncio.sleep(SECONDS)


def _write(directory: Path) -> None:
    file = directory / str(os.getpid())
    unfinished = file.with_suffix(".unfinished")
    # A full disk, or a process without a free file descriptor, may be able to write the next time.
    with suppress(OSError):
        unfinished.write_text(json.dumps([(name, list(values.items())) for name, values in cells()]))
        unfinished.replace(file)


def totals(directory: Path | None) -> Totals:
    """The sum over all processes that write to the directory, or the values of this process without a directory."""
    if directory is None:
        return {name: dict(values) for name, values in cells()}  # a copy, because requests add labels meanwhile
    result: dict[str, dict[Labels, list[float]]] = {}
    for file in directory.iterdir():
        if file.suffix:
            continue
        is_running = time.time() - file.stat().st_mtime < ENDED_AFTER_SECONDS
        for name, labels, values in _read(file):
            if name not in _GAUGES or is_running:
                _add(result.setdefault(name, {}), name, labels, values)
    return result


def _read(file: Path) -> Iterator[tuple[str, Labels, list[float]]]:
    for name, by_labels in json.loads(file.read_text()):
        for labels, values in by_labels:
            yield name, tuple(labels), values


def _add(total: dict[Labels, list[float]], name: str, labels: Labels, values: list[float]) -> None:
    before = total.get(labels, [0.0] * len(values))
    is_largest = name in _GAUGES and _GAUGES[name].is_largest
    total[labels] = [max(pair) if is_largest else sum(pair) for pair in zip(before, values, strict=True)]
