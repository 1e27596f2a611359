"""A guard, which ends whatever a test run leaves running, even if the run itself is killed.

As a program, it waits for the end of its input, which ends with the run's process, also by SIGKILL. Then it ends the
processes of the run and removes its directories. It has its own session, so that no signal to the run reaches it.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

MARK = "DIRECTORY_OF_TEST_RUN"  # the environment variable of all processes of a run
MEMORY = Path("/dev/shm")
ROOMY = 2**30
SECONDS_TO_END = 20


def start() -> "subprocess.Popen[bytes]":
    """Start a guard, which waits until its input is closed, at the latest by the end of this process.

    Temporary directories of the run are created in its directory, so that Postgres servers can be told from others.
    """
    directory = _open_directory(None)
    roomy = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOMY
    # Servers that sync their files take a third of the time in memory.
    fast = _open_directory(MEMORY) if roomy else directory
    os.environ |= {"TMPDIR": str(directory), MARK: str(fast)}
    tempfile.tempdir = None  # determined again from the environment
    command = [sys.executable, "-S", __file__, str(directory), str(fast)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


@contextmanager
def place() -> Iterator[Path]:
    """A directory that every user can enter, unlike tmp_path, in memory if there is room; removed after the block."""
    directory = Path(tempfile.mkdtemp(dir=os.environ[MARK]))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


def _open_directory(parent: Path | None) -> Path:
    # Every user can enter, because root's Postgres runs as another user.
    directory = Path(tempfile.mkdtemp(prefix="tessera-tests-", dir=parent))
    directory.chmod(0o1777)
    return directory


def clear(directories: Sequence[Path]) -> None:
    """End the processes of the run with these directories, and remove the directories."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        end = time.monotonic() + SECONDS_TO_END / 2
        sent: set[int] = set()
        while time.monotonic() < end and (processes := dict(_processes(directories))):
            _send(number, {pid: name for pid, name in processes.items() if pid not in sent})
            sent |= processes.keys()
            time.sleep(0.05)
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)


def _send(number: signal.Signals, processes: Mapping[int, str]) -> None:
    for pid, name in processes.items():
        # After SIGTERM, Postgres would wait for its clients. SIGQUIT ends it at once, and it frees its shared memory.
        is_gentle = name.startswith("postgres") and number is signal.SIGTERM
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT if is_gentle else number)


def _processes(directories: Sequence[Path]) -> Iterator[tuple[int, str]]:
    marks = {f"{MARK}={directory}".encode() for directory in directories}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended, or belongs to another user
            if int(entry.name) == os.getpid() or "State:\tZ" in (entry / "status").read_text():
                continue
            directory = (entry / "cwd").readlink()
            # Postgres overwrites its environment, but its directory is that of its data.
            is_ours = any(directory.is_relative_to(each) for each in directories)
            if is_ours or marks & set((entry / "environ").read_bytes().split(b"\0")):
                yield int(entry.name), (entry / "comm").read_text()


if __name__ == "__main__":
    sys.stdin.buffer.read()
    clear([Path(argument) for argument in sys.argv[1:]])
