"""Single connections, for what must neither wait for a pool nor depend on one."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Timer
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from tessera.kit.db import failures
from tessera.kit.db.engine import DEAD_PEER, with_driver
from tessera.kit.db.roles import role_of
from tessera.kit.errors import DatabaseUnavailable


def conninfo(url: str) -> str:
    """The URL as libpq reads it."""
    # SQLAlchemy encodes a space as `+`, which libpq reads as a plus.
    address = with_driver(url)
    _, parameters = address.get_dialect()().create_connect_args(address)
    return make_conninfo(**parameters)


def options_for(url: str, role: str) -> dict[str, str]:
    """The startup options with which a login acts as `role`; none if it is that role."""
    return {} if with_driver(url).username == role else {"options": f"-c role={role}"}


@contextmanager
def opened(
    url: str, *, connect_seconds: int, name: str = "tessera", role: str | None = None
) -> Iterator[psycopg.Connection[Any]]:
    """A connection in autocommit mode, of an application with this name, that acts as `role` or as its login.

    Connecting takes at most `connect_seconds` for each host; statements have no limit. Raises DatabaseUnavailable.
    """
    arguments: dict[str, Any] = {"connect_timeout": connect_seconds, "application_name": name, **DEAD_PEER}
    if role is not None:
        arguments |= options_for(url, role)
    try:
        with psycopg.connect(conninfo(url), autocommit=True, **arguments) as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(failures.message_of(error)) from error


@contextmanager
def connected(url: str, *, seconds: int) -> Iterator[psycopg.Connection[Any]]:
    """A connection in autocommit mode that acts as the role in the URL, unless a pooler ignores that option.

    Connecting takes at most `seconds` for each host. When the block has run for `seconds`, the connection is cut,
    because a frozen server does not end statements. Raises DatabaseUnavailable.
    """
    with opened(url, connect_seconds=seconds, role=role_of(url)) as connection, _cut_after(seconds, connection):
        connection.execute(
            f"set time zone 'UTC'; set statement_timeout = '{seconds}s'; set lock_timeout = '{seconds}s'"
        )
        yield connection


@contextmanager
def _cut_after(seconds: float, connection: psycopg.Connection[Any]) -> Iterator[None]:
    timer = Timer(seconds, _shut_down, [connection.fileno()])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # once the descriptor is closed, its number may belong to another connection


def _shut_down(descriptor: int) -> None:
    # Without a copy of the descriptor, for which none may be free.
    connection = socket.socket(fileno=descriptor)
    with suppress(OSError):  # the server has closed the connection
        connection.shutdown(socket.SHUT_RDWR)
    connection.detach()
