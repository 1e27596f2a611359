"""Single connections, for what must neither wait for a pool nor depend on one."""

from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from tessera.kit.db.engine import APPLICATION_ROLE, DEAD_PEER, with_driver


def conninfo(url: str) -> str:
    """The URL as libpq reads it."""
    # SQLAlchemy encodes a space as `+`, which libpq reads as a plus.
    address = with_driver(url)
    _, parameters = address.get_dialect()().create_connect_args(address)
    return make_conninfo(**parameters)


def options_for(url: str, role: str) -> dict[str, str]:
    """The startup options with which a login acts as `role`; none if it is that role."""
    return {} if with_driver(url).username == role else {"options": f"-c role={role}"}


def connect(url: str, *, seconds: int, role: str = APPLICATION_ROLE) -> psycopg.Connection[Any]:
    """A connection in autocommit mode that acts as `role`; connecting and each statement take at most `seconds`.

    Raises psycopg.Error.
    """
    arguments: dict[str, Any] = {
        "connect_timeout": seconds,
        "application_name": "tessera",
        **DEAD_PEER,
        "tcp_user_timeout": seconds * 1000,
        **options_for(url, role),
    }
    connection = psycopg.connect(conninfo(url), autocommit=True, **arguments)
    try:
        connection.execute(
            f"set time zone 'UTC'; set statement_timeout = '{seconds}s'; set lock_timeout = '{seconds}s'"
        )
    except psycopg.Error:
        connection.close()
        raise
    return connection
