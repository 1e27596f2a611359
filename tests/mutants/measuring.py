"""A plugin of pytest that writes, for each test file, which lines of the application each of its tests executes."""

import json
import os
from collections import defaultdict
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import coverage
import pytest

from tests.mutants.places import measurement_of, place_of_lines

SOURCES = Path("src", "tessera").resolve()
_measurement = coverage.Coverage(data_file=None, source=[str(SOURCES)], concurrency=["thread", "greenlet"])
_places: dict[str, list[str]] = {}
_contexts = [""]
_seconds: dict[str, float] = defaultdict(float)
_failed: set[str] = set()


def pytest_configure() -> None:
    """Parse all modules, which fails after traced greenlets, and start to measure."""
    for file in SOURCES.rglob("*.py"):
        _places[str(file)] = place_of_lines(file.read_text(), file.relative_to(SOURCES.parents[1]).as_posix())
    _measurement.start()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Attribute what is executed to this test, with the fixtures that are set up for it."""
    _contexts.append(item.nodeid)
    _measurement.switch_context(item.nodeid)
    yield
    _measurement.switch_context("")


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
    """Attribute what is set up once for all tests to none of them, like imports."""
    if fixturedef.scope == "session":
        _measurement.switch_context("")
    result = yield
    _measurement.switch_context(_contexts[-1])
    return result


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _seconds[report.nodeid] += report.duration
    if not report.passed:
        _failed.add(report.nodeid)


def pytest_sessionfinish() -> None:
    """Write a file for each test file into the directory that the environment names."""
    _measurement.stop()
    data = _measurement.get_data()
    names: dict[str, list[str]] = defaultdict(list)
    for name in sorted(_seconds.keys() - _failed):
        names[name.partition("::")[0]].append(name)
    bits = {name: 1 << bit for tests in names.values() for bit, name in enumerate(tests)}
    lines: dict[str, dict[str, int]] = {file: defaultdict(int) for file in names}
    for path in data.measured_files():
        places = _places[path]
        for number, contexts in data.contexts_by_lineno(path).items():
            if 0 < number <= len(places):  # an empty module has no line, but is executed
                for name in bits.keys() & set(contexts):
                    lines[name.partition("::")[0]][places[number - 1]] |= bits[name]
    for file, tests in names.items():
        content = {
            "tests": [[name, round(_seconds[name], 3)] for name in tests],
            "lines": {key: f"{mask:x}" for key, mask in lines[file].items()},
        }
        measurement_of(Path(file), Path(os.environ["MEASURED"])).write_text(json.dumps(content))
