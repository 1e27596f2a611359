"""The archive of an embedded server: snapshots of its files, and all changes since, to restore any point in time.

The archive is a directory, preferably on another disk. `snapshots/` has a directory for each snapshot, named by the
time at which it was complete. `wal/` has the files of the write-ahead log, each of which Postgres archives when it is
full, or after ARCHIVE_SECONDS.
"""

import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote

from tessera.kit.embedded_postgres import server
from tessera.kit.embedded_postgres.file_locks import locked, open_private, sync_directory, try_lock
from tessera.kit.embedded_postgres.pid_files import find_ready_socket
from tessera.kit.embedded_postgres.programs import NoUsablePrograms, find_reason
from tessera.kit.embedded_postgres.server import Cluster, EmbeddedPostgresError

ARCHIVE_SECONDS = 60
NAME = "%Y-%m-%dT%H-%M-%S.%fZ"
# Postgres replaces %p by the path of a file and %f by its name. After a crash, it archives a file again: the command
# succeeds if the archived file is equal. A file gets its name when it is durable.
_ARCHIVE = (
    "if test -f {wal}/%f; then cmp -s %p {wal}/%f;"
    " else cp %p {wal}/%f.unfinished && sync {wal}/%f.unfinished && mv {wal}/%f.unfinished {wal}/%f && sync {wal}; fi"
)


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive, and the data directory of its server."""

    directory: Path
    data_directory: Path

    @property
    def settings(self) -> Mapping[str, str]:
        """The settings with which Postgres archives its changes."""
        command = _ARCHIVE.format(wal=_in_shell(self.wal))
        return {"archive_mode": "on", "archive_timeout": str(ARCHIVE_SECONDS), "archive_command": command}

    @property
    def wal(self) -> Path:
        """The directory of the files of the write-ahead log."""
        return self.directory / "wal"

    @property
    def snapshots(self) -> Path:
        """The directory of the snapshots."""
        return self.directory / "snapshots"

    def create(self) -> None:
        """Create missing directories, owned by the user that runs Postgres; raises EmbeddedPostgresError."""
        try:
            self.data_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            server.open_cluster(self.data_directory)  # sets the owner of the data directory
            owner = self.data_directory.stat()
            for directory in (self.directory, self.wal, self.snapshots):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                if os.geteuid() == 0:
                    os.chown(directory, owner.st_uid, owner.st_gid)
        except NoUsablePrograms as error:
            raise EmbeddedPostgresError(str(error)) from error
        except OSError as error:
            raise EmbeddedPostgresError(f"cannot keep an archive in {self.directory}: {error}") from error

    def require_database(self) -> None:
        """Raise EmbeddedPostgresError if the archive is that of another database, which may be lost."""
        identifier = _system_identifier(self.data_directory / "postgres")
        owner = self._owner.read_text() if self._owner.exists() else identifier
        has_files = self.wal.exists() and any(self.wal.iterdir())
        if owner != identifier or (has_files and identifier is None):
            raise EmbeddedPostgresError(
                f"{self.directory} is the archive of a database that is not in {self.data_directory}: run"
                " `tessera archive restore`, or set TESSERA_ARCHIVE_DIR to a new directory"
            )

    def claim(self) -> None:
        """Let no other database use the archive from now on; raises EmbeddedPostgresError."""
        if self._owner.exists():
            return
        unfinished = self._owner.with_suffix(".unfinished")
        try:
            unfinished.write_text(str(_system_identifier(self.data_directory / "postgres")))
            unfinished.replace(self._owner)
        except OSError as error:
            raise EmbeddedPostgresError(f"cannot keep an archive in {self.directory}: {error}") from error

    @property
    def _owner(self) -> Path:
        """The file with the identifier of the database whose archive this is."""
        return self.directory / "system_identifier"

    def list_snapshots(self) -> Sequence[datetime]:
        """The times of the complete snapshots, the oldest first."""
        paths = self.snapshots.glob("*Z") if self.snapshots.exists() else ()
        return sorted(time for path in paths if (time := _time_of(path.name)))

    def take_snapshot(self, *, keep: int | None = None) -> datetime:
        """Copy the files of the running server; returns the time from which the copy can be used.

        `keep` is the number of the newest snapshots that remain, with the changes since the oldest of them; None keeps
        all. Raises EmbeddedPostgresError.
        """
        lock = open_private(self.directory / "snapshot.lock")
        try:
            if not try_lock(lock):
                raise EmbeddedPostgresError("another process is taking a snapshot")
            self._remove_unfinished()
            end = self._take_snapshot(lock)
            if keep is not None:
                self._remove_all_but_newest(keep)
            return end
        finally:
            os.close(lock)

    def _remove_unfinished(self) -> None:
        if self._unfinished.exists():
            shutil.rmtree(self._unfinished)

    def _take_snapshot(self, lock: int) -> datetime:
        cluster = server.open_cluster(self.data_directory)
        address = ["-h", find_ready_socket(cluster.data) or "/", "-U", "postgres"]
        options = ["--checkpoint=fast", "--wal-method=stream"]
        # If only this process is killed, the program goes on, and no other snapshot may remove its files.
        _run(cluster, "pg_basebackup", *address, "-D", self._unfinished, *options, pass_fds=[lock])
        end = datetime.now(UTC)
        self._unfinished.rename(self._path_of(end))
        sync_directory(self.snapshots)
        return end

    def _remove_all_but_newest(self, count: int) -> None:
        times = self.list_snapshots()
        for each in times[:-count]:
            # Without the new name, a process that is killed would leave a snapshot without some of its files.
            self._path_of(each).rename(self._unfinished)
            self._remove_unfinished()
        oldest = self._path_of(times[-count:][0])
        _run(server.open_cluster(self.data_directory), "pg_archivecleanup", self.wal, _first_file(oldest))

    def prepare_restore(self, at: datetime | None, timeline: str = "latest") -> datetime:
        """Prepare a database whose next start recovers the state at a time, or the latest one.

        Returns the time of the snapshot from which it recovers. Raises EmbeddedPostgresError; then the data directory
        is unchanged.
        """
        self._require_no_database()
        times = [time for time in self.list_snapshots() if at is None or time <= at]
        if not times:
            since = " from before that time" if self.list_snapshots() else ""
            raise EmbeddedPostgresError(f"{self.snapshots} has no snapshot{since}")
        self.create()
        cluster = server.open_cluster(self.data_directory)
        with locked(cluster.start_lock) as lock:
            self._require_no_database()
            if not cluster.is_stopped():
                raise EmbeddedPostgresError(f"a process of Postgres still runs in {self.data_directory}")
            self._copy_snapshot(cluster, times[-1], self._recovery(at, timeline), lock)
        return times[-1]

    def _require_no_database(self) -> None:
        data = self.data_directory / "postgres"
        if data.exists():
            raise EmbeddedPostgresError(f"there is a database in {data}, which is not replaced")

    def _copy_snapshot(
        self, cluster: Cluster, time: datetime, recovery: Sequence[tuple[str, str]], start_lock: int
    ) -> None:
        partial = self.data_directory / "postgres.unfinished"
        if partial.exists():
            shutil.rmtree(partial)
        # If only this process is killed, the copy goes on, and no start or restore may use the same name.
        _run(cluster, "cp", "-a", self._path_of(time), partial, pass_fds=[start_lock])
        with (partial / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = {_in_settings(value)}\n" for name, value in recovery)
        os.close(open_private(partial / "recovery.signal"))
        partial.rename(cluster.data)
        sync_directory(self.data_directory)

    def _recovery(self, at: datetime | None, timeline: str) -> Sequence[tuple[str, str]]:
        # A restored server keeps these settings, which have no effect without recovery.signal. In this file the last
        # value of a setting counts, so a later restore overrides them.
        return (
            ("restore_command", f"cp {_in_shell(self.wal)}/%f %p"),
            ("recovery_target_time", at.isoformat() if at else ""),
            ("recovery_target_timeline", timeline),
            ("recovery_target_action", "promote"),
            ("hot_standby", "off"),  # otherwise the server is called ready before it has recovered
        )

    def discard_restore(self) -> None:
        """Remove the database if its recovery has not ended and its server does not run."""
        cluster = server.open_cluster(self.data_directory)
        with locked(cluster.start_lock):
            if cluster.is_stopped() and (cluster.data / "recovery.signal").exists():
                shutil.rmtree(cluster.data)

    @property
    def _unfinished(self) -> Path:
        """The snapshot that is being taken or removed."""
        return self.snapshots / "unfinished"

    def _path_of(self, time: datetime) -> Path:
        return self.snapshots / time.strftime(NAME)


def _run(cluster: Cluster, program: str, *arguments: str | Path, pass_fds: Sequence[int] = ()) -> None:
    path = cluster.program(program) if program.startswith("pg_") else program
    result = cluster.identity.run([path, *arguments], pass_fds=pass_fds)
    if result.returncode:
        raise EmbeddedPostgresError(f"{program} failed: {find_reason(result.stdout)}")


def _system_identifier(data: Path) -> str | None:
    """The number that initdb gives a database, which its copies keep; None if there is no database."""
    try:
        with (data / "global" / "pg_control").open("rb") as file:
            return str(int.from_bytes(file.read(8), sys.byteorder))
    except FileNotFoundError:
        return None


def _time_of(name: str) -> datetime | None:
    try:
        return datetime.strptime(name, NAME).replace(tzinfo=UTC)
    except ValueError:  # a directory of somebody else
        return None


def _first_file(snapshot: Path) -> str:
    """The name of the first file of the write-ahead log that a snapshot needs."""
    label = (snapshot / "backup_label").read_text()
    found = re.search(r"\(file ([0-9A-F]{24})\)", label)
    if found is None:
        raise EmbeddedPostgresError(f"{snapshot} is not a snapshot")
    return found[1]


def _in_shell(path: Path) -> str:
    return quote(str(path)).replace("%", "%%")


def _in_settings(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
