"""The real command line in processes of its own."""

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

import httpx
from tests.support.waiting import wait_until

from tessera import cli

SECONDS_TO_END = 90
TESSERA = Path(sys.executable).with_name("tessera")
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.support.dying", __name__])
NOT_INHERITED = ("TESSERA_", "PORT", "PG", "PYTHONDONTWRITEBYTECODE")


class RunningCommand(subprocess.Popen[bytes]):
    """A command that runs. What it says goes into files: a pipe that nobody reads stops it once it is full."""

    def __init__(self, arguments: Sequence[str], settings: Mapping[str, str], directory: Path) -> None:
        self._stdout, self._stderr = directory / "stdout", directory / "stderr"
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            super().__init__([TESSERA, *arguments], env=environment(settings), stdout=stdout, stderr=stderr)

    @property
    def printed(self) -> str:
        """What it has written to standard output."""
        return self._stdout.read_text(errors="replace")

    @property
    def logged(self) -> str:
        """What it has written to standard error."""
        return self._stderr.read_text(errors="replace")


@dataclass(frozen=True)
class Server:
    """A server that answers, or did when it was started."""

    process: RunningCommand
    url: str
    data: Path

    def stop(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Its exit status and everything that it printed, after this signal."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS_TO_END), self.process.printed


def tessera(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A command that is run to its end, in a process of its own: forked from one that has imported everything."""
    with tempfile.TemporaryDirectory() as directory:
        outputs = (Path(directory) / "stdout", Path(directory) / "stderr")
        process = _processes.Process(target=_be_tessera, args=(arguments, environment(settings), *outputs))
        process.start()
        process.join(SECONDS_TO_END)
        if process.exitcode is None:
            process.kill()
            raise AssertionError(f"not within {SECONDS_TO_END} s: the end of tessera {' '.join(arguments)}")
        return subprocess.CompletedProcess(arguments, process.exitcode, *(output.read_text() for output in outputs))


def _be_tessera(arguments: Sequence[str], variables: Mapping[str, str], stdout: Path, stderr: Path) -> None:
    for output, number in ((stdout, 1), (stderr, 2)):
        os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT, 0o600), number)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = ["tessera", *arguments]
    cli.run()


@contextmanager
def running_command(*arguments: str, **settings: str) -> Iterator[RunningCommand]:
    """A command while it runs; it is killed at the end if it has not ended. Shows its log if what follows fails."""
    with tempfile.TemporaryDirectory() as directory:
        process = RunningCommand(arguments, settings, Path(directory))
        try:
            yield process
        except BaseException:
            sys.stderr.write(process.logged)
            raise
        finally:
            process.kill()
            process.wait(SECONDS_TO_END)


@contextmanager
def running_server(*arguments: str, data: Path, **settings: str) -> Iterator[Server]:
    """A server on a free port, once it answers."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    with running_command(*arguments, **settings, TESSERA_DATA_DIR=str(data), TESSERA_PORT=str(port)) as process:
        wait_until("the server answers", lambda: process.poll() is not None or answers(f"{url}/health/live"))
        assert process.poll() is None, "the server ended before it answered"
        yield Server(process, url, data)


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without settings of its own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    return {**inherited, **settings}


def free_port() -> int:
    """A port that nobody has at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def answers(url: str) -> bool:
    """Whether there is a 200 here."""
    try:
        return httpx.get(url, timeout=10).status_code == 200
    except httpx.TransportError:
        return False


def read_line(process: subprocess.Popen[str]) -> str:
    """One line of the process's output; a process that prints none in time is killed, and the test fails."""
    assert process.stdout is not None
    timer = Timer(SECONDS_TO_END, process.kill)
    timer.start()
    try:
        line = process.stdout.readline().strip()
    finally:
        timer.cancel()
    assert line, f"not within {SECONDS_TO_END} s: a line of output"
    return line


def postmaster_of(data: Path) -> int:
    """The pid of the embedded Postgres."""
    return int((data / "postgres" / "postmaster.pid").read_text().split()[0])


def postgres_runs(data: Path) -> bool:
    """Whether any process works in this database's directory."""
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if entry.resolve() == (data / "postgres").resolve() and "(deleted)" not in str(entry.readlink()):
                return True
        except OSError:
            continue
    return False
