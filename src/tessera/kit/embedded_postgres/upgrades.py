"""The directories of an upgrade of an embedded database to another major version of Postgres.

The old database is moved aside as a whole, so that nothing can start or join its server meanwhile. One rename puts the
new one in its place: a process that is killed at any moment leaves the old or the new database, and the next attempt
continues from there.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tessera.kit.embedded_postgres.file_locks import locked, open_private, sync_directory, try_lock
from tessera.kit.embedded_postgres.programs import find_installation


class CannotUpgrade(Exception):
    """The database cannot be upgraded; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The directory of an installation, and those of its upgrade; each of them has a database in `postgres`."""

    main: Path

    @property
    def aside(self) -> Path:
        """The directory of the old server during the upgrade."""
        return self.main / "postgres.upgrading"

    @property
    def fresh(self) -> Path:
        """The directory of the new server during the upgrade."""
        return self.main / "postgres.new"

    @property
    def is_under_way(self) -> bool:
        """Whether the database is aside, because an upgrade runs or was killed."""
        return _has_database(self.aside)

    @property
    def is_killed_at_its_end(self) -> bool:
        """Whether the new database is in its place, and the old one is still aside."""
        return self.is_under_way and _has_database(self.main)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock of upgrades until the block ends; raises CannotUpgrade."""
        if not (self.is_under_way or _has_database(self.main)):
            raise CannotUpgrade(f"there is no database in {self.main}")
        lock = open_private(self.main / "upgrade.lock")
        try:
            if not try_lock(lock):
                raise CannotUpgrade("another process is upgrading this database")
            yield
        finally:
            os.close(lock)

    @contextmanager
    def database_aside(self) -> Iterator[None]:
        """Set the database aside until the block ends, and then put it back, unless the new one is in its place.

        Raises CannotUpgrade, NoUsablePrograms or OSError.
        """
        old = find_installation((self.aside if self.is_under_way else self.main) / "postgres")
        if find_installation(None).major <= old.major:
            raise CannotUpgrade(f"the database belongs to Postgres {old.major}, and no newer one is installed")
        self._set_aside()
        try:
            yield
        finally:
            if not _has_database(self.main):
                (self.aside / "postgres").rename(self.main / "postgres")
                shutil.rmtree(self.aside)
            shutil.rmtree(self.fresh)

    def _set_aside(self) -> None:
        with locked(self.main / "start.lock"):
            descriptors = [open_private(self.main / name) for name in ("use.lock", "server.lock")]
            try:
                if not all(map(try_lock, descriptors)):
                    raise CannotUpgrade(f"the database in {self.main} is in use: stop all processes of Tessera first")
                if not self.is_under_way:
                    self._make(self.aside)
                    (self.main / "postgres").rename(self.aside / "postgres")
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)
        self._make(self.fresh)
        if _has_database(self.fresh):  # an earlier attempt was killed
            shutil.rmtree(self.fresh / "postgres")

    def _make(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:  # the owner of the directory runs the server
            owner = self.main.stat()
            os.chown(directory, owner.st_uid, owner.st_gid)

    def put_in_place(self) -> None:
        """Put the new database in the place of the old one; both servers must have stopped."""
        (self.fresh / "postgres").rename(self.main / "postgres")
        sync_directory(self.main)

    def keep_old(self) -> Path:
        """Give the directory of the old database its final name, and return it."""
        major = (self.aside / "postgres" / "PG_VERSION").read_text().strip()
        kept, number = self.main / f"postgres-{major}", 1
        while kept.exists():  # after an earlier upgrade, which was undone
            number += 1
            kept = self.main / f"postgres-{major}.{number}"
        self.aside.rename(kept)
        sync_directory(self.main)
        return kept


def _has_database(directory: Path) -> bool:
    return (directory / "postgres" / "PG_VERSION").exists()
