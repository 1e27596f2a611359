"""Log lines on their way to standard error: written together, and in the order in which they were logged."""

import asyncio
import atexit
import logging
import os
import select
from collections import deque
from contextlib import suppress
from typing import IO

# Several processes may share one pipe, in which a longer write can be mixed with theirs (POSIX, PIPE_BUF).
ATOMIC_BYTES = 4096
# A reader of a non-blocking pipe that takes longer than this loses lines.
WRITE_TIMEOUT_SECONDS = 1.0


class LineWriter:
    """Writes the lines of one turn of the event loop together, and at once where no loop runs.

    A process that is killed loses the lines of its current turn only.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._descriptor = _descriptor_of(stream)
        self._lines: deque[bytes] = deque()
        # The event loop that will write the lines; an earlier one may have ended before it wrote them.
        self._loop: asyncio.AbstractEventLoop | None = None
        atexit.register(self.flush)

    def write(self, text: str | bytes) -> None:
        """Write a line without its end."""
        line = text.encode(errors="backslashreplace") if isinstance(text, str) else text
        self._lines.append(line + b"\n")
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        if self._loop is not loop:
            self._loop = loop
            loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write all pending lines."""
        self._loop = None
        while chunk := self._next_chunk():
            self._write(chunk)

    def _next_chunk(self) -> bytes:
        lines: list[bytes] = []
        size = 0
        with suppress(IndexError):  # no line is left, or another thread has taken it
            while not lines or size + len(self._lines[0]) <= ATOMIC_BYTES:
                lines.append(self._lines.popleft())
                size += len(lines[-1])
        return b"".join(lines)

    def _write(self, chunk: bytes) -> None:
        # If the reader of the log has gone, the failure cannot be reported anywhere.
        with suppress(OSError, ValueError):
            if self._descriptor is None:
                self._stream.write(chunk.decode())
                self._stream.flush()
                return
            rest = memoryview(chunk)
            while rest:
                rest = rest[_write_some(self._descriptor, rest) :]


class LineLogger:
    """A logger of structlog whose events are complete lines."""

    def __init__(self, writer: LineWriter, name: str) -> None:
        self.name = name
        self.debug = self.info = self.warning = self.error = self.critical = writer.write


class LineHandler(logging.Handler):
    """A handler for the lines of libraries, which use the logging of the standard library."""

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Write the formatted record."""
        try:
            self._writer.write(self.format(record))
        except Exception:  # noqa: BLE001 - a line that cannot be formatted must not end what logs it
            self.handleError(record)


def _descriptor_of(stream: IO[str]) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError):  # a stream in memory
        return None


def _write_some(descriptor: int, content: memoryview) -> int:
    try:
        return os.write(descriptor, content)
    except BlockingIOError:
        if not select.select([], [descriptor], [], WRITE_TIMEOUT_SECONDS)[1]:
            raise
        return 0
