"""Stops a server whose users were all killed: `python -m tessera.kit.embedded_postgres.watcher DIRECTORY`."""

import os
import sys
from pathlib import Path

from tessera.kit.embedded_postgres import server
from tessera.kit.embedded_postgres.file_locks import locked, open_private, try_lock


def watch(directory: Path) -> None:
    """Wait until nobody uses the server of this directory, and stop the server if it still runs."""
    with locked(directory / "use.lock"):  # a start waits meanwhile
        if _runs(directory):
            server.open_cluster(directory).shut_down()


def _runs(directory: Path) -> bool:
    if not (directory / "server.lock").exists():  # the directory was deleted
        return False
    descriptor = open_private(directory / "server.lock")
    try:
        return not try_lock(descriptor)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    watch(Path(sys.argv[1]))
