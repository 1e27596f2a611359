"""`make mutants`: a bounded run over slips of all layers, whose table names those that survive.

The tools for mutation of Python know neither SQL nor clauses of queries, where the slips of this project hurt most, so
it has operators of its own. Each slip is planted in a copy of the tree; the tests near it run, and for a survivor more.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from tessera.kit.embedded_postgres import server as embedded
from tests.mutants.nearby import rank_tests
from tests.mutants.slips import Slip, find_slips

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
COPIED = ("src", "tests", "migrations", "benchmarks", "docs", "guide", "pyproject.toml", "alembic.ini", *DOCUMENTS)
NEAR, WIDER = 7, 30
SECONDS_FOR_NEAR, SECONDS_FOR_WIDER = 240, 420
# Which layers must not have a survivor.
STRICT = ("tenancy", "rights", "limits", "answers")


@dataclass(frozen=True)
class Result:
    """What became of a slip: the first test that noticed it, or None."""

    slip: Slip
    noticed_by: str | None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=int(time.strftime("%Y%m%d")))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--layer", help="only this layer")
    parser.add_argument("--path", default="", help="only files whose path contains this")
    options = parser.parse_args()
    slips = [each for each in find_slips(ROOT) if options.layer in (None, each.layer) and options.path in each.path]
    print(f"{len(slips)} slips can be planted: {dict(Counter(slip.layer for slip in slips))}; seed {options.seed}")
    end = time.monotonic() + 60 * options.minutes
    with tempfile.TemporaryDirectory(dir=memory(), prefix="mutants-") as directory:
        place = Path(directory)
        server = embedded.start(
            place / "data" / "postgres-of-tests",
            settings={"fsync": "off", "synchronous_commit": "off", "max_connections": "200"},
        )
        try:
            results = list(run(place, in_turn(slips, options.seed), jobs=options.jobs, end=end))
        finally:
            server.stop()
    report(results)
    survivors = [each for each in results if each.noticed_by is None]
    strict = [each for each in survivors if each.slip.layer in STRICT]
    return int(bool(strict) or 10 * len(survivors) > len(results))


def memory() -> str | None:
    """A directory in memory, if there is one with room."""
    path = Path("/dev/shm")
    return str(path) if os.access(path, os.W_OK) and shutil.disk_usage(path).free > 2**30 else None


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


def run(place: Path, slips: Sequence[Slip], *, jobs: int, end: float) -> Iterator[Result]:
    """Try slips until the time is over; prints a line for each."""
    copies: SimpleQueue[Path] = SimpleQueue()
    for number in range(jobs):
        copies.put(copy_tree(place / str(number)))

    trials = Trials(place, copy_tree(place / "intact"), end)

    def attempt(slip: Slip) -> Result | None:
        if time.monotonic() > end:
            return None
        copy = copies.get()
        try:
            result = Result(slip, trials.try_slip(copy, slip))
            print(line(result), flush=True)
            return result
        finally:
            copies.put(copy)

    with ThreadPoolExecutor(jobs) as pool:
        yield from (result for result in pool.map(attempt, slips) if result is not None)


def copy_tree(target: Path) -> Path:
    target.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target / name)
    return target


class Trials:
    """Runs tests on copies with slips; a test that fails on the intact copy too is left out from then on."""

    def __init__(self, place: Path, intact: Path, end: float) -> None:
        self._place = place
        self._intact = intact
        self._end = end
        self._sound: set[str] = set()
        self._unsound: set[str] = set()

    def try_slip(self, copy: Path, slip: Slip) -> str | None:
        """Plant the slip, run the tests near it and then more of them, and take it back; what noticed it."""
        file = copy / slip.path
        source = file.read_text()
        tests = rank_tests(copy, slip.path, slip.kind)
        try:
            file.write_text(slip.plant(source))
            for group, seconds in ((tests[:NEAR], SECONDS_FOR_NEAR), (tests[NEAR:WIDER], SECONDS_FOR_WIDER)):
                noticed_by = self._notice(copy, group, seconds)
                if noticed_by is not None or time.monotonic() > self._end:
                    return noticed_by
            return None
        finally:
            file.write_text(source)

    def _notice(self, copy: Path, tests: Sequence[str], seconds: int) -> str | None:
        while True:
            failed = run_tests(self._place, copy, tests, seconds=seconds, without=self._unsound)
            if failed is None or failed in self._sound or "::" not in failed:
                return failed
            name = failed.partition(" ")[2]
            if run_tests(self._place, self._intact, [name], seconds=seconds) is None:
                self._sound.add(failed)
                return failed
            self._unsound.add(name)


def run_tests(
    place: Path, copy: Path, tests: Sequence[str], *, seconds: int, without: Collection[str] = ()
) -> str | None:
    """The first test that fails, if one does."""
    options = ["-x", "-v", "-rfE", "--no-header", "--show-capture=no", "--tb=no", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, *(f"--deselect={name}" for name in without), *tests]
    variables = {
        **os.environ,
        "PYTHONPATH": f"{copy / 'src'}{os.pathsep}{copy}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TESSERA_DATA_DIR": str(place / "data"),
    }
    process = subprocess.Popen(
        command, cwd=copy, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return f"no end within {seconds} s"
    if process.returncode == 0:
        return None
    failures = [text for text in output.splitlines() if text.startswith(("FAILED ", "ERROR "))]
    if not failures and process.returncode == 1:
        raise RuntimeError(f"the tests do not run:\n{output[-2000:]}")
    return failures[0].partition(" - ")[0] if failures else f"the start of the tests, status {process.returncode}"


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
