"""Processes of a Postgres server that stop running, while its sockets stay open and accept connections."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg


@contextmanager
def frozen(data: Path) -> Iterator[None]:
    """Stop all processes of the server with this data directory."""
    pids = processes_of(data)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)


def processes_of(data: Path) -> list[int]:
    """The postmaster, followed by its children."""
    postmaster = int((data / "postmaster.pid").read_text().split("\n")[0])
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return [postmaster, *map(int, children)]


def data_directory_of(url: str) -> Path:
    """The data directory of the server with this address of a superuser."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        (directory,) = connection.execute("show data_directory").fetchone() or ("",)
    return Path(directory)
