"""Processes of a Postgres server that stop running, while its sockets stay open and accept connections."""

import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import psycopg
from tests.support.commands import children_of


def frozen(data: Path) -> AbstractContextManager[None]:
    """Stop all processes of the server with this data directory until the block ends."""
    return stopped(processes_of(data))


@contextmanager
def stopped(pids: Sequence[int]) -> Iterator[None]:
    """Stop these processes, of which some may have ended, until the block ends."""
    try:
        _send(signal.SIGSTOP, pids)
        yield
    finally:
        _send(signal.SIGCONT, reversed(pids))


def _send(number: signal.Signals, pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def processes_of(data: Path) -> list[int]:
    """The postmaster, followed by its children."""
    postmaster = int((data / "postmaster.pid").read_text().split("\n")[0])
    return [postmaster, *children_of(postmaster)]


def data_directory_of(url: str) -> Path:
    """The data directory of the server with this address of a superuser."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        (directory,) = connection.execute("show data_directory").fetchone() or ("",)
    return Path(directory)
