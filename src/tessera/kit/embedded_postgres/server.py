"""A private Postgres in a directory, behind a Unix socket: its first user starts it and its last user stops it.

A second process, the watcher, stops it if the last user is killed.
"""

import fcntl
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tessera.kit.embedded_postgres.file_locks import locked, open_private, sync_directory, try_lock
from tessera.kit.embedded_postgres.pid_files import PORT, SOCKET_NAME, find_ready_socket, remove_stale_pid_file
from tessera.kit.embedded_postgres.programs import (
    Identity,
    Installation,
    NoUsablePrograms,
    choose_identity,
    find_installation,
    find_reason,
)
from tessera.kit.embedded_postgres.upgrades import Upgrade

# Until autovacuum analyzes a new table, the planner assumes that it is empty.
_DEFAULTS = {"autovacuum_naptime": "10s"}
_LONGEST_SOCKET_PATH = 103  # macOS; Linux takes 107
_TIMEOUT_SECONDS = 300.0  # without progress
_POLL_SECONDS = 0.01
_FIRST_MAJOR_WITH_BUILTIN_LOCALE = 17
_WATCHER = "tessera.kit.embedded_postgres.watcher"  # stops the server if its users are killed


class EmbeddedPostgresError(Exception):
    """The server cannot be started or stopped; the message is one line that says what to do."""


class EmbeddedPostgres:
    """One use of a running server; the server runs until its last use ends."""

    def __init__(self, cluster: "Cluster", socket_directory: Path, use_lock: int) -> None:
        self.socket_directory = socket_directory
        self._cluster = cluster
        self._use_lock = use_lock
        self._process = os.getpid()
        self._stopped = False

    def url(self, *, user: str, database: str) -> str:
        """The SQLAlchemy URL of a database, which need not exist yet."""
        # Without an explicit port, the environment variable PGPORT would apply.
        parameters = f"host={quote(str(self.socket_directory))}&port={PORT}"
        return f"postgresql+psycopg://{quote(user, safe='')}@/{quote(database, safe='')}?{parameters}"

    def is_running(self) -> bool:
        """Whether any process of the server is alive; during a use, only a kill can end the server."""
        return not self._cluster.is_stopped()

    def stop(self) -> None:
        """End this use, and the server if this was its last use; does nothing in a forked child.

        Raises EmbeddedPostgresError if the server does not end in time.
        """
        if self._stopped or os.getpid() != self._process:
            return
        self._stopped = True
        with locked(self._cluster.start_lock):
            self._cluster.end_use(self._use_lock)


def start(data_directory: Path, *, settings: Mapping[str, str] = {}) -> EmbeddedPostgres:
    """Start the server of this directory, after creating the database if it is missing, or join the running server.

    The settings apply only if this call starts the server. Raises EmbeddedPostgresError.
    """
    try:
        cluster = open_cluster(data_directory.expanduser().resolve())
        with locked(cluster.start_lock):
            use_lock = open_private(cluster.directory / "use.lock")
            try:
                fcntl.flock(use_lock, fcntl.LOCK_SH)
                return EmbeddedPostgres(cluster, cluster.bring_up(settings), use_lock)
            except BaseException:
                cluster.end_use(use_lock)
                raise
    except NoUsablePrograms as error:
        raise EmbeddedPostgresError(str(error)) from error
    except OSError as error:
        raise EmbeddedPostgresError(f"cannot keep a database in {data_directory}: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A directory with a database, its locks and its log.

    The kernel releases all three locks when their holders die, even by kill -9: `start.lock` is held during start and
    stop, all users share `use.lock`, and every Postgres process inherits `server.lock`. A free server.lock therefore
    proves that no server runs, even if the pid files say otherwise.
    """

    directory: Path
    installation: Installation
    identity: Identity

    @property
    def data(self) -> Path:
        """The directory of the database."""
        return self.directory / "postgres"

    @property
    def start_lock(self) -> Path:
        """The file whose lock is held during start and stop."""
        return self.directory / "start.lock"

    def program(self, name: str) -> Path:
        """The path of a program of this Postgres."""
        return self.installation.directory / name

    def bring_up(self, settings: Mapping[str, str]) -> Path:
        """Start the server if necessary; returns its socket directory once it accepts connections."""
        for _ in _ticks(self._log_size):
            if (server_lock := self._take_server_lock()) is not None:
                return self._start_server(server_lock, settings)
            if socket_directory := find_ready_socket(self.data):
                return socket_directory
        raise EmbeddedPostgresError(f"the server in {self.data} runs but does not answer; see {self._log_path}")

    def end_use(self, use_lock: int) -> None:
        """Stop the server if no other user holds the lock, then release it; the caller must hold the start lock."""
        try:
            if try_lock(use_lock):
                self.shut_down()
        finally:
            # Only closing the file would leave the lock to forked children.
            fcntl.flock(use_lock, fcntl.LOCK_UN)
            os.close(use_lock)

    def shut_down(self) -> None:
        """Stop the server if it runs; raises EmbeddedPostgresError if it does not end in time."""
        if self.is_stopped() or not self.data.exists():  # an initdb of a start that was killed may still run
            return
        # With os.kill, root would kill any process whose pid the owner of the directory writes into the pid file.
        self.identity.run([self.program("pg_ctl"), "stop", "-D", self.data, "-m", "fast", "-W"])
        for _ in _ticks():
            if self.is_stopped():
                return
        raise EmbeddedPostgresError(f"the server in {self.data} does not stop; see {self._log_path}")

    @property
    def _log_path(self) -> Path:
        return self.directory / "postgres.log"

    def _log_size(self) -> int:
        # Recovery logs its progress every ten seconds, and each file that it reads from an archive. It may take hours.
        return self._log_path.stat().st_size if self._log_path.exists() else 0

    def _take_server_lock(self) -> int | None:
        descriptor = open_private(self.directory / "server.lock")
        if try_lock(descriptor):
            return descriptor
        os.close(descriptor)
        return None

    def is_stopped(self) -> bool:
        """Whether no process of the server is alive."""
        descriptor = self._take_server_lock()
        if descriptor is None:
            return False
        os.close(descriptor)
        return True

    def _start_server(self, server_lock: int, settings: Mapping[str, str]) -> Path:
        log = open_private(self._log_path)
        try:
            if not (self.data / "PG_VERSION").exists():
                self._initialize(server_lock, sync=settings.get("fsync") != "off")
            log_start = os.fstat(log).st_size
            self._launch(server_lock, log, settings)
        finally:
            os.close(log)
            os.close(server_lock)
        return self._wait_until_ready(log_start)

    def _initialize(self, server_lock: int, *, sync: bool) -> None:
        # initdb writes PG_VERSION early, so only a final rename distinguishes a complete database from a partial one.
        if self.data.exists() and any(self.data.iterdir()):
            raise EmbeddedPostgresError(
                f"{self.data} has files but no PG_VERSION, so it is not a database; move it elsewhere"
            )
        if Upgrade(self.directory).is_under_way:
            raise EmbeddedPostgresError("an upgrade of Postgres runs or was killed; run `tessera upgrade-postgres`")
        partial = self.directory / "postgres.unfinished"
        if partial.exists():
            shutil.rmtree(partial)
        options = ["-U", "postgres", "--auth=trust", "-E", "UTF8", *self._locale_options(), *([] if sync else ["-N"])]
        result = self.identity.run([self.program("initdb"), "-D", partial, *options], pass_fds=[server_lock])
        if result.returncode:
            raise EmbeddedPostgresError(f"cannot create a database in {self.directory}: {find_reason(result.stdout)}")
        partial.rename(self.data)
        sync_directory(self.directory)

    def _locale_options(self) -> list[str]:
        if self.installation.major < _FIRST_MAJOR_WITH_BUILTIN_LOCALE:
            return ["--locale=C.UTF-8"]
        return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]

    def _launch(self, server_lock: int, log: int, settings: Mapping[str, str]) -> None:
        socket_directory = _make_socket_directory(self.directory, self.data)
        for pid_file in (self.data / "postmaster.pid", socket_directory / f"{SOCKET_NAME}.lock"):
            remove_stale_pid_file(pid_file, self.data)
        quoted = str(socket_directory).replace('"', '""')  # the value is a list of directories
        fixed = {"listen_addresses": "", "port": str(PORT), "unix_socket_directories": f'"{quoted}"'}
        options = [
            option for name, value in {**_DEFAULTS, **settings, **fixed}.items() for option in ("-c", f"{name}={value}")
        ]
        # The shell exits and init adopts the server, which therefore outlives the process that starts it.
        background = ["/bin/sh", "-c", '"$@" &', "sh"]
        server = [str(self.program("postgres")), "-D", str(self.data)]
        self.identity.run([*background, *server, *options], log=log, pass_fds=[server_lock])
        watcher = [sys.executable, "-m", _WATCHER, str(self.directory)]
        Identity().run([*background, *watcher], log=subprocess.DEVNULL)

    def _wait_until_ready(self, log_start: int) -> Path:
        for _ in _ticks(self._log_size):
            if socket_directory := find_ready_socket(self.data):
                return socket_directory
            if self.is_stopped():
                reason = find_reason(_read_from(self._log_path, log_start))
                raise EmbeddedPostgresError(f"Postgres does not start in {self.data}: {reason}")
        raise EmbeddedPostgresError(
            f"Postgres is not ready and has logged nothing for {_TIMEOUT_SECONDS:.0f} s; see {self._log_path}"
        )


def open_cluster(directory: Path) -> Cluster:
    """The cluster of a directory, which is created if it is missing; raises NoUsablePrograms, OSError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    installation = find_installation(directory / "postgres")
    identity = choose_identity(directory, installation.directory)
    return Cluster(directory=directory, installation=installation, identity=identity)


def _make_socket_directory(directory: Path, data: Path) -> Path:
    # No other user can enter the data directory. libpq reads a comma as the end of a host.
    path = os.fsencode(data / SOCKET_NAME)
    if len(path) <= _LONGEST_SOCKET_PATH and b"," not in path:
        return data
    fallback = Path(tempfile.gettempdir(), f"postgres-{hashlib.sha256(path).hexdigest()[:16]}")
    fallback.mkdir(mode=0o700, exist_ok=True)
    owner, status = directory.stat(), fallback.lstat()
    ours = stat.S_ISDIR(status.st_mode) and status.st_uid in (owner.st_uid, os.geteuid())
    if not ours or status.st_mode & 0o077:
        raise EmbeddedPostgresError(f"{fallback} belongs to another user or is open to other users; remove it")
    if os.geteuid() == 0:
        os.chown(fallback, owner.st_uid, owner.st_gid, follow_symlinks=False)
    return fallback


def _ticks(progress: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Yield at short intervals, until the value of `progress` has not changed for _TIMEOUT_SECONDS."""
    last, end = progress(), time.monotonic() + _TIMEOUT_SECONDS
    while time.monotonic() < end:
        yield
        time.sleep(_POLL_SECONDS)
        if (current := progress()) != last:
            last, end = current, time.monotonic() + _TIMEOUT_SECONDS


def _read_from(path: Path, position: int) -> str:
    with path.open("rb") as file:
        file.seek(position)
        return file.read().decode(errors="replace")
