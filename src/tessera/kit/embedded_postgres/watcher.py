"""Stops a server whose users were all killed: `python -m tessera.kit.embedded_postgres.watcher DIRECTORY`."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tessera.kit.embedded_postgres import server
from tessera.kit.embedded_postgres.file_locks import try_lock


def watch(directory: Path) -> None:
    """Wait until nobody uses the server of this directory, and stop the server if it still runs."""
    with suppress(FileNotFoundError), _opened(directory / "use.lock") as use_lock:  # the directory may be deleted
        fcntl.flock(use_lock, fcntl.LOCK_EX)  # a start waits meanwhile
        with _opened(directory / "server.lock") as server_lock:
            runs = not try_lock(server_lock)
        if runs:
            server.open_cluster(directory).shut_down()


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """A file that exists; creating it could disturb the deletion of its directory."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    watch(Path(sys.argv[1]))
