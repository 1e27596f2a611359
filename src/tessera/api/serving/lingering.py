"""Close connections whose clients still send, without resetting them.

After a reset, a client that writes its whole request before it reads would never see why it was refused.
"""

import asyncio
from collections.abc import Callable
from typing import Any

# What a client may still send after the response, and for how long.
MAX_DISCARDED_BYTES = 8 * 1024 * 1024
LINGER_SECONDS = 2.0


class LingeringTransport:
    """A transport whose `close`, while a request arrives, only ends the output and goes on to read.

    The protocol discards what arrives, and calls `close` again to close the connection.
    """

    def __init__(self, transport: asyncio.BaseTransport, is_receiving: Callable[[], bool]) -> None:
        self._transport: Any = transport
        self._is_receiving = is_receiving
        self._is_lingering = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the transport has
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether `close` was called."""
        return self._is_lingering or bool(self._transport.is_closing())

    def close(self) -> None:
        """End the output, and close the connection unless a request still arrives."""
        if self._is_lingering or self._transport.is_closing() or not self._is_receiving():
            self._transport.close()
            return
        self._is_lingering = True
        self._transport.write_eof()
        self._transport.resume_reading()
