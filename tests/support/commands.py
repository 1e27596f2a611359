"""The real command line in separate processes."""

import multiprocessing
import os
import pty
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from threading import Timer
from urllib.request import urlopen

from tests.support.waiting import wait_until

from tessera import cli

SECONDS_TO_END = 90
TESSERA = Path(sys.executable).with_name("tessera")
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.support.dying", __name__])
NOT_INHERITED = ("TESSERA_", "PORT", "PG", "PYTHONDONTWRITEBYTECODE")


class RunningCommand(subprocess.Popen[bytes]):
    """A running command. Its output goes to files, because a full pipe would block the command until it is read."""

    def __init__(
        self,
        arguments: Sequence[str],
        settings: Mapping[str, str],
        directory: Path,
        *,
        program: Sequence[str] = (str(TESSERA),),
    ) -> None:
        self._stdout, self._stderr = directory / "stdout", directory / "stderr"
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            super().__init__([*program, *arguments], env=environment(settings), stdout=stdout, stderr=stderr)

    @property
    def output(self) -> str:
        """The standard output so far."""
        return self._stdout.read_text(errors="replace")

    @property
    def log(self) -> str:
        """The standard error so far."""
        return self._stderr.read_text(errors="replace")


@dataclass(frozen=True)
class Server:
    """A running server that has responded to a request."""

    process: RunningCommand
    url: str
    data: Path

    def stop(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Send a signal; returns the exit status and the standard output."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS_TO_END), self.process.output


def tessera(*arguments: str, stdin: str = os.devnull, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in a fork of a process that has imported all modules."""
    with tempfile.TemporaryDirectory() as directory:
        outputs = (Path(directory) / "stdout", Path(directory) / "stderr")
        status = _run_to_end(arguments, settings, Path(stdin), *outputs)
        return subprocess.CompletedProcess(arguments, status, *(output.read_text() for output in outputs))


def tessera_in_terminal(*arguments: str, typed: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a terminal of 100 columns; its whole output, with what is typed, is `stdout`."""
    controller, device = pty.openpty()
    try:
        os.write(controller, typed.encode())
        terminal = Path(os.ttyname(device))
        status = _run_to_end(arguments, {"COLUMNS": "100", **settings}, terminal, terminal, terminal)
        return subprocess.CompletedProcess(arguments, status, os.read(controller, 2**16).decode().replace("\r", ""))
    finally:
        os.close(controller)
        os.close(device)


def _run_to_end(arguments: Sequence[str], settings: Mapping[str, str], *streams: Path) -> int:
    process = _processes.Process(target=_run_tessera, args=(arguments, environment(settings), *streams))
    process.start()
    process.join(SECONDS_TO_END)
    if process.exitcode is None:
        process.kill()
        raise AssertionError(f"tessera {' '.join(arguments)} did not end within {SECONDS_TO_END} s")
    return process.exitcode


def _run_tessera(arguments: Sequence[str], variables: Mapping[str, str], *streams: Path) -> None:
    for number, stream in enumerate(streams):
        os.dup2(os.open(stream, (os.O_WRONLY | os.O_CREAT | os.O_APPEND) if number else os.O_RDONLY, 0o600), number)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - multiprocessing has closed it
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = ["tessera", *arguments]
    cli.run()


@contextmanager
def running_command(*arguments: str, **settings: str) -> Iterator[RunningCommand]:
    """A running command, which is killed at the end of the block. If the block fails, its log is printed."""
    with tempfile.TemporaryDirectory() as directory:
        process = RunningCommand(arguments, settings, Path(directory))
        try:
            yield process
        except BaseException:
            sys.stderr.write(process.log)
            raise
        finally:
            process.kill()
            process.wait(SECONDS_TO_END)


@contextmanager
def forked_command(*arguments: str, log: Path, **settings: str) -> Iterator[ForkServerProcess]:
    """A running command that adds its output to a file; it starts faster than the others, as a fork."""
    files = (Path(os.devnull), log, log)
    process = _processes.Process(target=_run_tessera, args=(arguments, environment(settings), *files))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join(SECONDS_TO_END)


@contextmanager
def running_server(*arguments: str, data: Path, **settings: str) -> Iterator[Server]:
    """A server on a free port, which responds to requests when the block begins."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    with running_command(*arguments, **settings, TESSERA_DATA_DIR=str(data), TESSERA_PORT=str(port)) as process:
        wait_until("the server answers", lambda: process.poll() is not None or answers(f"{url}/health/live"), pause=0.1)
        assert process.poll() is None, "the server ended before it responded"
        yield Server(process, url, data)


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of this process, with these settings instead of those of Tessera and Postgres."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    return {**inherited, **settings}


def free_port() -> int:
    """A port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def answers(url: str) -> bool:
    """Whether a GET of this URL has the status 200; unlike httpx, this prepares no TLS, which takes 18 ms."""
    try:
        with urlopen(url, timeout=10) as response:
            return bool(response.status == 200)
    except (OSError, HTTPException):
        return False


def read_line(process: subprocess.Popen[str]) -> str:
    """The next line of the process's output; fails, and kills the process, if it prints no line in time."""
    assert process.stdout is not None
    timer = Timer(SECONDS_TO_END, process.kill)
    timer.start()
    try:
        line = process.stdout.readline().strip()
    finally:
        timer.cancel()
    assert line, f"no line of output within {SECONDS_TO_END} s"
    return line


def children_of(pid: int) -> list[int]:
    """The processes that this process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def serving_children(pid: int) -> list[int]:
    """The processes that serve requests for this parent."""
    return [child for child in children_of(pid) if b"spawn_main" in command_line(child)]


def command_line(pid: int) -> bytes:
    """The command line of a process; empty if it has ended, and for a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return b""


def postmaster_of(data: Path) -> int:
    """The pid of the embedded Postgres."""
    return int((data / "postgres" / "postmaster.pid").read_text().split()[0])


def postgres_runs(data: Path) -> bool:
    """Whether a process has this database's directory as its working directory."""
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if entry.resolve() == (data / "postgres").resolve() and "(deleted)" not in str(entry.readlink()):
                return True
        except OSError:
            continue
    return False
