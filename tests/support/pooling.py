"""PgBouncer in transaction mode, as Debian packages it or newer, between the application and Postgres."""

import functools
import getpass
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, make_url
from tests.support.commands import free_port
from tests.support.waiting import wait_until

# The variable names another version; .ci/newest-pgbouncer provides one.
PGBOUNCER = os.environ.get("PGBOUNCER") or shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
# It forwards connections of any user to any database of one server, and replaces them every second, so that each test
# meets connections without the settings of their sessions.
CONFIGURATION = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = trust
auth_file = {directory}/users.txt
pool_mode = transaction
max_client_conn = 500
default_pool_size = 30
server_lifetime = 1
logfile = {directory}/pgbouncer.log
"""
NEWER_CONFIGURATION = "max_prepared_statements = 200\n"

needs_pgbouncer = pytest.mark.skipif(
    PGBOUNCER is None and "CI" not in os.environ, reason="these tests need PgBouncer, which is not installed"
)


@functools.cache
def forwards_prepared_statements() -> bool:
    """Whether PgBouncer is as new as 1.21, which prepares statements on each of its connections."""
    assert PGBOUNCER, "PgBouncer is not installed"
    version = subprocess.run([PGBOUNCER, "--version"], check=True, capture_output=True, text=True).stdout
    match = re.match(r"PgBouncer (\d+)\.(\d+)", version)
    assert match, version
    return tuple(map(int, match.groups())) >= (1, 21)


@dataclass(frozen=True)
class Pooler:
    """A pooler with its own directory, which may be killed and started again on the same port."""

    directory: Path
    address: URL

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the pooler, which answers when this returns."""
        assert PGBOUNCER, "PgBouncer is not installed"
        command = [PGBOUNCER, *_as_ordinary_user(self.directory), str(self.directory / "pgbouncer.ini")]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # it logs to its file, too
        try:
            wait_until("PgBouncer answers", lambda: process.poll() is not None or _answers(self.address))
            assert process.poll() is None, (self.directory / "pgbouncer.log").read_text()
        except BaseException:
            process.kill()
            raise
        return process

    @property
    def url(self) -> str:
        """The address of the pooler."""
        return self.address.render_as_string(hide_password=False)


def configured(directory: Path, url: str, **settings: str) -> Pooler:
    """A pooler with these additional settings for the database with this address, which does not run yet."""
    address = make_url(url)
    port = free_port()
    (directory / "users.txt").write_text(f'"{address.username}" "{address.password or ""}"\n')
    server = {"host": address.query.get("host") or address.host, "port": address.port or 5432}
    text = CONFIGURATION.format(**server, listen_port=port, directory=directory)
    text += NEWER_CONFIGURATION if forwards_prepared_statements() else ""
    (directory / "pgbouncer.ini").write_text(text + "".join(f"{name} = {value}\n" for name, value in settings.items()))
    return Pooler(directory, address.set(host="127.0.0.1", port=port, query={}))


@contextmanager
def pooled(url: str, **settings: str) -> Iterator[str]:
    """The address of a running pooler with these additional settings in front of the database with this address."""
    with tempfile.TemporaryDirectory() as name:
        pooler = configured(Path(name), url, **settings)
        with pooler.start() as process:
            try:
                yield pooler.url
            finally:
                process.kill()


def _as_ordinary_user(directory: Path) -> list[str]:
    # It refuses to run as root.
    if getpass.getuser() != "root":
        return []
    for path in (directory, *directory.iterdir()):
        shutil.chown(path, "postgres")
    return ["-u", "postgres"]


def _answers(address: URL) -> bool:
    url = address.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        psycopg.connect(url, connect_timeout=10).close()
    except psycopg.OperationalError:
        return False
    return True
