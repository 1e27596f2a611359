"""A Postgres server of a drill, which is broken and started again."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tessera.kit.embedded_postgres import server as embedded
from tessera.provision import Addresses
from tests.support.freezing import processes_of

SMALL = "384m"
SETTINGS = {"max_connections": "200", "min_wal_size": "32MB", "max_wal_size": "64MB"}


class Postgres:
    """A server in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._server = embedded.start(directory / "data", settings=SETTINGS)

    @property
    def addresses(self) -> Addresses:
        """The addresses over the server's Unix socket."""
        urls = (self._server.url(user=user, database="postgres") for user in ("tessera_app", "postgres"))
        return Addresses(*urls)

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.directory / "data" / "postgres"

    @property
    def socket(self) -> Path:
        """The Unix socket."""
        return self._server.socket_directory / ".s.PGSQL.5432"

    def is_running(self) -> bool:
        """Whether any process of the server is alive."""
        return self._server.is_running()

    def kill(self) -> None:
        """End the postmaster with SIGKILL; the server's other processes notice it, and end."""
        os.kill(processes_of(self.data)[0], signal.SIGKILL)

    def start_again(self) -> None:
        """Start the server after it was killed or has stopped."""
        embedded.start(self.directory / "data", settings=SETTINGS).stop()  # ends only this second use

    def stop(self) -> None:
        """Stop the server."""
        self._server.stop()

    def fill_disk(self) -> Path:
        """Fill the file system with one file, and return it; for a server in a small file system."""
        file = self.directory / "ballast"
        with suppress(OSError), file.open("wb", buffering=0) as ballast:
            while ballast.write(bytes(2**16)):
                pass
        return file


@contextmanager
def small_file_system(directory: Path) -> Iterator[bool]:
    """Mount a small file system in this directory, if the user is root and may; yields whether it is mounted."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    command = [str(mount), "-t", "tmpfs", "-o", f"size={SMALL},mode=755", "tessera-drill", str(directory)]
    try:
        if os.geteuid() == 0 and None not in (mount, umount):
            subprocess.run(command, capture_output=True, check=False)
        yield directory.is_mount()
    finally:
        if directory.is_mount():
            subprocess.run([str(umount), "--lazy", str(directory)], check=True)
