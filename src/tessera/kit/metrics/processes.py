"""Measurements of several processes: each writes its own to a file, and the files are added up."""

import asyncio
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tessera.kit.metrics.measurements import GAUGES, Cells, Labels, cells

# The processes of one server find the directory in this variable.
VARIABLE = "_TESSERA_METRICS_DIRECTORY"
SECONDS = 1.0
# A process that has not written for this long has ended. Its requests still count, and its connections do not.
ENDED_AFTER_SECONDS = 10.0
ENDED, UNFINISHED = "ended", ".unfinished"

Totals = Mapping[str, Mapping[Labels, Sequence[float]]]

_reading = threading.Lock()  # each request for the metrics has a thread
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
        _publish(Path(directory))


async def _keep_writing(directory: Path) -> None:
    while True:
        _publish(directory)
        await asyncio.sleep(SECONDS)


def _publish(directory: Path) -> None:
    # A full disk, or a process without a free file descriptor, may be able to write the next time.
    with suppress(OSError):
        _write(directory / str(os.getpid()), cells())


def _write(file: Path, measurements: Iterable[tuple[str, Cells]]) -> None:
    unfinished = file.with_suffix(UNFINISHED)
    unfinished.write_text(json.dumps([(name, list(values.items())) for name, values in measurements]))
    unfinished.replace(file)


def totals(directory: Path | None) -> Totals:
    """The sum over all processes that write to the directory, or the values of this process without a directory."""
    if directory is None:
        return {name: dict(values) for name, values in cells()}  # a copy, because requests add labels meanwhile
    with _reading:
        with suppress(OSError):  # a full disk leaves all files as they are
            _fold_ended(directory)
        files = [file for file in directory.iterdir() if not file.suffix]
        return _sum(files, running=[file for file in files if _is_fresh(file)])


def _sum(files: Sequence[Path], *, running: Sequence[Path] = ()) -> Totals:
    result: dict[str, dict[Labels, list[float]]] = {}
    for file in files:
        for name, labels, values in _read(file):
            if name not in _GAUGES or file in running:
                _add(result.setdefault(name, {}), name, labels, values)
    return result


def _fold_ended(directory: Path) -> None:
    """Add the files of processes that no longer exist to one file, so that restarts over years leave no others."""
    ended = [file for file in directory.iterdir() if file.name.isdecimal() and not _exists(int(file.name))]
    if ended:
        total = directory / ENDED
        values = _sum([*ended, *([total] if total.exists() else [])])
        _write(total, values.items())
        for file in ended:
            file.unlink()
            file.with_suffix(UNFINISHED).unlink(missing_ok=True)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # a process of another user
        return True
    return True


def _is_fresh(file: Path) -> bool:
    return time.time() - file.stat().st_mtime < ENDED_AFTER_SECONDS


def _read(file: Path) -> Iterator[tuple[str, Labels, list[float]]]:
    for name, by_labels in json.loads(file.read_text()):
        for labels, values in by_labels:
            yield name, tuple(labels), values


def _add(total: dict[Labels, list[float]], name: str, labels: Labels, values: list[float]) -> None:
    before = total.get(labels, [0.0] * len(values))
    is_largest = name in _GAUGES and _GAUGES[name].is_largest
    total[labels] = [max(pair) if is_largest else sum(pair) for pair in zip(before, values, strict=True)]
