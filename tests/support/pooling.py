"""PgBouncer in transaction mode, as Debian packages it, between the application and Postgres."""

import getpass
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, make_url
from tests.support.commands import free_port
from tests.support.waiting import wait_until

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
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


needs_pgbouncer = pytest.mark.skipif(
    PGBOUNCER is None and "CI" not in os.environ, reason="these tests need PgBouncer, which is not installed"
)


@contextmanager
def pooled(url: str, **settings: str) -> Iterator[str]:
    """The address of a pooler with these additional settings in front of the database with this address."""
    assert PGBOUNCER, "PgBouncer is not installed"
    address = make_url(url)
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "users.txt").write_text(f'"{address.username}" "{address.password or ""}"\n')
        server = {"host": address.query.get("host") or address.host, "port": address.port or 5432}
        configuration = directory / "pgbouncer.ini"
        text = CONFIGURATION.format(**server, listen_port=port, directory=directory)
        configuration.write_text(text + "".join(f"{name} = {value}\n" for name, value in settings.items()))
        with subprocess.Popen([PGBOUNCER, *_as_ordinary_user(directory), configuration]) as process:
            try:
                pooler = address.set(host="127.0.0.1", port=port, query={})
                wait_until("PgBouncer answers", lambda: process.poll() is not None or _answers(pooler))
                assert process.poll() is None, (directory / "pgbouncer.log").read_text()
                yield pooler.render_as_string(hide_password=False)
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
