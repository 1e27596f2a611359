"""`make mutants`: a bounded run over slips of all layers, whose table names those that survive.

The tools for mutation of Python know neither SQL nor clauses of queries, where the slips of this project hurt most, so
it has operators of its own. Each slip is planted in a copy of the tree; the tests that execute its line run, the
nearest ones first. Which tests these are is measured once, and again for each test file that has changed.
"""

import argparse
import random
import shutil
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from tessera.kit.embedded_postgres import server as embedded
from tests.mutants import choice
from tests.mutants.choice import Choice
from tests.mutants.files import measured_files, remote_files
from tests.mutants.places import measurement_of
from tests.mutants.runner import Runner
from tests.mutants.slips import Slip, find_slips
from tests.support import guard

ROOT = Path(__file__).parents[2]
MEASURED = ROOT / ".cache" / "mutants"
FILES = (
    "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Dockerfile", "docker-compose.yml", "pyproject.toml", "alembic.ini",
)  # fmt: skip
COPIED = ("src", "tests", "migrations", "benchmarks", "docs", "guide", *FILES)
FILES_AT_ONCE = 6
# Which layers must not have a survivor.
STRICT = ("tenancy", "rights", "limits", "answers")


@dataclass(frozen=True)
class Result:
    """What became of a slip: the first test that noticed it, or None."""

    slip: Slip
    noticed_by: str | None


@dataclass(frozen=True)
class Place:
    """A copy of the project, and the process that runs its tests."""

    copy: Path
    runner: Runner


def main() -> int:
    options = parse_options()
    slips = [each for each in find_slips(ROOT) if is_wanted(each, options)]
    print(f"{len(slips)} slips can be planted: {dict(Counter(slip.layer for slip in slips))}; seed {options.seed}")
    guard.start()
    with guard.place() as directory:
        settings = {"fsync": "off", "synchronous_commit": "off", "max_connections": "300"}
        server = embedded.start(directory / "postgres-of-tests", settings=settings)
        places = [open_place(directory, number) for number in range(options.jobs)]
        try:
            measure(places)
            end = time.monotonic() + 60 * options.minutes
            results = list(run(places, in_turn(slips, options.seed), copy_tree(directory / "intact"), end=end))
        finally:
            for place in places:
                place.runner.close()
            server.stop()
    report(results)
    survivors = [each for each in results if each.noticed_by is None]
    strict = [each for each in survivors if each.slip.layer in STRICT]
    return int(not results or bool(strict) or 10 * len(survivors) > len(results))


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=int(time.strftime("%Y%m%d")))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--layer", help="only this layer")
    parser.add_argument("--kind", help="only this kind, for example lock")
    parser.add_argument("--path", default="", help="only files whose path contains this")
    return parser.parse_args()


def is_wanted(slip: Slip, options: argparse.Namespace) -> bool:
    chosen = options.layer in (None, slip.layer) and options.kind in (None, slip.kind)
    return chosen and options.path in slip.path


def open_place(directory: Path, number: int) -> Place:
    variables = {"DIRECTORY_OF_SHARED_POSTGRES": str(directory), "MEASURED": str(MEASURED)}
    return Place(copy_tree(directory / str(number)), Runner(directory / f"{number}.txt", variables))


def measure(places: Sequence[Place]) -> None:
    """Measure what is executed by the tests in each file that has changed."""
    MEASURED.mkdir(parents=True, exist_ok=True)
    wanted = {measurement_of(Path(name), MEASURED): name for name in measured_files(ROOT)}
    for outdated in set(MEASURED.glob("*.json")) - set(wanted):
        outdated.unlink()
    missing = [name for file, name in wanted.items() if not file.exists()]
    if missing:
        print(f"measuring what {len(missing)} test files execute ...", flush=True)
    parts = [missing[start : start + FILES_AT_ONCE] for start in range(0, len(missing), FILES_AT_ONCE)]
    free = queue_of(places)

    def execute(part: Sequence[str]) -> None:
        with taken(free) as place:
            status, output = place.runner.run(place.copy, ["-p", "tests.mutants.measuring", *part], seconds=1200)
        if status != 0:
            reasons = lines_of_failures(output) or output.splitlines()[-1:]
            print(f"measured with status {status}:", *reasons, sep="\n  ", flush=True)

    with ThreadPoolExecutor(len(places)) as pool:
        list(pool.map(execute, parts))


def queue_of(places: Sequence[Place]) -> "SimpleQueue[Place]":
    queue: SimpleQueue[Place] = SimpleQueue()
    for place in places:
        queue.put(place)
    return queue


@contextmanager
def taken(free: "SimpleQueue[Place]") -> Iterator[Place]:
    """A free place, which is free again after the block even if it fails: others wait for it without a time limit."""
    place = free.get()
    try:
        yield place
    finally:
        free.put(place)


def in_turn(slips: Sequence[Slip], seed: int) -> list[Slip]:
    """The slips in a random order in which the layers, and the kinds within a layer, take turns."""
    generator = random.Random(seed)
    groups: dict[str, dict[str, list[Slip]]] = defaultdict(lambda: defaultdict(list))
    for slip in generator.sample(list(slips), len(slips)):
        groups[slip.layer][slip.kind].append(slip)
    order: list[Slip] = []
    while groups:
        for layer in list(groups):
            kinds = groups[layer]
            kind = next(iter(kinds))
            group = kinds.pop(kind)
            order.append(group.pop())
            if group:
                kinds[kind] = group  # at the end
            if not kinds:
                del groups[layer]
    return order


def run(places: Sequence[Place], slips: Sequence[Slip], intact: Path, *, end: float) -> Iterator[Result]:
    """Try slips until the time is over; prints a line for each."""
    free = queue_of(places)
    trials = Trials(intact, choice.load(ROOT, MEASURED, remote_files(ROOT)))

    def attempt(slip: Slip) -> Result | None:
        if time.monotonic() > end:
            return None
        with taken(free) as place:
            start = time.monotonic()
            try:
                result = Result(slip, trials.try_slip(place, slip))
            except Unclear as error:
                print(f"not counted: {error} | {slip}", flush=True)
                return None
            print(f"{time.monotonic() - start:4.0f} s {line(result)}", flush=True)
            return result

    with ThreadPoolExecutor(len(places)) as pool:
        yield from (result for result in pool.map(attempt, slips) if result is not None)


def copy_tree(target: Path) -> Path:
    target.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target / name)
    return target


class Unclear(Exception):
    """Nothing is known about a slip, for example because the machine was too busy for the tests."""


class Trials:
    """Runs tests on copies with slips; a test that fails on the intact copy too is left out from then on."""

    def __init__(self, intact: Path, choice: Choice) -> None:
        self._intact = intact
        self._choice = choice
        self._sound: set[str] = set()
        self._unsound: set[str] = set()

    def try_slip(self, place: Place, slip: Slip) -> str | None:
        """Plant the slip, run the tests near it and then more, and take it back; what noticed it. Raises Unclear."""
        file = place.copy / slip.path
        source = file.read_text()
        try:
            write(file, slip.plant(source))
            for group in self._choice.groups(ROOT, slip):
                if group and (noticed_by := self._notice(place, group)) is not None:
                    return noticed_by
            return None
        finally:
            write(file, source)

    def _notice(self, place: Place, tests: Sequence[str]) -> str | None:
        while selected := [name for name in tests if name not in self._unsound]:
            failed = self._first_failure(place, place.copy, selected)
            if failed is None or failed in self._sound:
                return failed
            # Some tests fail without the others of their file.
            before = selected[: selected.index(failed) + 1] if failed in selected else selected
            if self._first_failure(place, self._intact, before) != failed:
                self._sound |= {failed} if failed in selected else set()
                return failed
            if failed not in selected:
                raise Unclear(f"the tests do not run on the intact copy: {failed}")
            self._unsound.add(failed)
        return None

    def _first_failure(self, place: Place, copy: Path, tests: Sequence[str]) -> str | None:
        """The first test that fails, or what happened instead of an end of the tests."""
        seconds = 90 + 5 * self._choice.expected(tests)
        status, output = place.runner.run(copy, ["-x", *tests], seconds=seconds)
        if status is None:
            return "no end of the tests"
        if status == 0:
            return None
        for text in lines_of_failures(output):
            return max((name for name in tests if text.startswith(name)), key=len, default=text)
        return f"the start of the tests, status {status}"


def write(file: Path, text: str) -> None:
    """Write a module or an SQL file; what was compiled of it may not be told apart from its new text."""
    file.write_text(text)
    for compiled in file.parent.glob(f"__pycache__/{file.stem}.*.pyc"):
        with suppress(FileNotFoundError):
            compiled.unlink()


def lines_of_failures(output: str) -> list[str]:
    """The tests that failed and why, in the summary of pytest."""
    lines = output.splitlines()
    return [text.partition(" ")[2] for text in lines if text.startswith(("FAILED ", "ERROR "))]


def line(result: Result) -> str:
    slip = result.slip
    return f"{result.noticed_by or 'SURVIVED'} | {slip.layer} | {slip.path}:{slip.line} | {slip}"


def report(results: Sequence[Result]) -> None:
    """Print the survivors and the ratio of each layer."""
    print("\nlayer        slips  survived")
    for layer, count in sorted(Counter(each.slip.layer for each in results).items()):
        print(f"{layer:12} {count:5}  {sum(r.noticed_by is None for r in results if r.slip.layer == layer):8}")
    survivors = [each for each in results if each.noticed_by is None]
    print(f"{'all':12} {len(results):5}  {len(survivors):8}\n")
    for each in survivors:
        print(line(each))


if __name__ == "__main__":
    sys.exit(main())
