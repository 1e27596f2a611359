"""Runs pytest in forks of a process that has already imported the libraries, which take most of a short run's time.

As a program, it reads a run from each line of its input and writes its outcome as a line. It never imports the
application or its tests, so that each fork imports them from the copy that it is about.
"""

import ast
import gc
import importlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OWN = {"tessera", "tests", "migrations", "benchmarks"}
# The libraries that are imported early need no rewriting of their assertions.
KNOWN = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
OPTIONS = ["-v", "-rfE", "--no-header", "--show-capture=no", "--tb=no", "-p", "no:cacheprovider", *KNOWN]


@dataclass(frozen=True)
class Run:
    """A run of pytest in a copy of the project; `seconds` bounds its time."""

    copy: str
    arguments: Sequence[str]
    seconds: float
    output: str
    variables: Mapping[str, str]


class Runner:
    """A process that runs pytest, one run at a time."""

    def __init__(self, output: Path, variables: Mapping[str, str]) -> None:
        self._output = output
        self._variables = dict(variables)
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )

    def run(self, copy: Path, arguments: Sequence[str], seconds: float) -> tuple[int | None, str]:
        """The exit status, which is None after a time-out, and the output."""
        run = Run(str(copy), list(arguments), seconds, str(self._output), self._variables)
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(asdict(run)) + "\n")
        self._process.stdin.flush()
        status = json.loads(self._process.stdout.readline())
        return status, self._output.read_text(errors="replace")

    def close(self) -> None:
        """End the process, after its current run."""
        self._process.communicate()


def main() -> None:
    preload()
    for line in sys.stdin:
        print(json.dumps(execute(Run(**json.loads(line)))), flush=True)


def preload() -> None:
    """Import the plugins of pytest, and all libraries that any module of the project imports."""
    with redirect_stdout(io.StringIO()):
        pytest.main(["--version", "--noconftest"])
    for name in sorted({name for folder in OWN for file in Path(folder).rglob("*.py") for name in imported(file)}):
        with suppress(ImportError):
            importlib.import_module(name)
    if early := {name.partition(".")[0] for name in sys.modules} & OWN:
        raise RuntimeError(f"{early} must be imported by the forks only")
    gc.freeze()  # the collector would copy the pages of all these modules into each fork


def imported(file: Path) -> set[str]:
    """The modules of libraries that a file imports."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name for name in names if name.partition(".")[0] not in OWN}


def execute(run: Run) -> int | None:
    """The exit status of pytest, or None if its time was over."""
    child = os.fork()
    if child == 0:
        run_here(run)
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)

    timer = threading.Timer(run.seconds, expire)
    timer.start()
    _, status = os.waitpid(child, 0)
    timer.cancel()
    timer.join()
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what a test left running
    return None if expired.is_set() else os.waitstatus_to_exitcode(status)


def run_here(run: Run) -> None:
    os.setsid()
    output = os.open(run.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for descriptor, target in ((os.open(os.devnull, os.O_RDONLY), 0), (output, 1), (output, 2)):
        os.dup2(descriptor, target)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    os.chdir(run.copy)
    os.environ.update(run.variables)
    sys.dont_write_bytecode = False  # most modules are the same in the next run
    os.environ["PYTHONPATH"] = os.pathsep.join((f"{run.copy}/src", run.copy))  # for programs that tests start
    here = str(Path.cwd())
    sys.path[:0] = [f"{here}/src", here]
    status: int = 70
    try:
        status = int(pytest.main([*OPTIONS, *run.arguments]))
    except BaseException:  # noqa: BLE001 - a fork must not go on as its parent
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
