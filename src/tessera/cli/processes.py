"""The address to listen on and the database of a server or a worker."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EADDRINUSE

import structlog

from tessera import schema
from tessera.cli.startup import CannotStart
from tessera.kit.db.clocks import MAX_SECONDS
from tessera.kit.sockets import bind
from tessera.provision import Addresses

log = structlog.get_logger(__name__)


def check_database(addresses: Addresses) -> None:
    """Log which database is used, and warn if its clock differs; raises CannotUse."""
    served = schema.check(addresses.application)
    log.info("database", host=served.host, port=served.port, database=served.name, role=served.role)
    if abs(served.seconds_ahead) > MAX_SECONDS:
        log.warning("the clock differs from that of the database", seconds_ahead=round(served.seconds_ahead, 1))


@contextmanager
def listening(host: str, port: int, *, variable: str, processes: int = 1) -> Iterator[socket.socket]:
    """A socket that is bound to an address; raises CannotStart, which names the variable with the port."""
    is_bound = False
    try:
        with bind(host, port, processes=processes) as listener:
            is_bound = True
            yield listener
    except OSError as error:
        # Two servers that start at the same time can bind the same address, but only the first one can listen.
        if is_bound and error.errno != EADDRINUSE:
            raise
        message = f"cannot listen on {host}:{port}: {error.strerror}; set {variable} to another port"
        raise CannotStart(message) from error
