"""Connections that are closed while their clients still send."""

import asyncio

from uvicorn import Config
from uvicorn.server import ServerState

from tessera.api.serving.connection_limits import ConnectionLimits
from tessera.api.serving.connections import ConnectionGuard
from tessera.api.serving.lingering import LINGER_SECONDS


class Transport(asyncio.Transport):
    """A transport without a socket, which notes when it is closed."""

    is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def write_eof(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True


async def test_a_client_may_go_on_to_send_for_two_seconds_after_its_answer() -> None:
    config = Config(lambda: None, log_config=None)
    config.load()
    transport, connection = Transport(), ConnectionGuard(ConnectionLimits())(config, ServerState(), {})
    connection.connection_made(transport)
    connection.data_received(b"no request\r\n\r\n")
    closed = []
    for now in (1, 1 + LINGER_SECONDS, 1.1 + LINGER_SECONDS):
        connection.check(now)
        closed.append(transport.is_closed)
    assert closed == [False, False, True]
    connection.connection_lost(None)
