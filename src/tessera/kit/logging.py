"""Logs: one line for each event, short and coloured in a terminal, otherwise JSON.

Lines are written together, and in the order in which their events were logged.
"""

import asyncio
import atexit
import json
import logging
import os
import select
import sys
import traceback
from collections import deque
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import IO, Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict, ExcInfo

# A recursion has thousands of frames, and a message may quote megabytes: rendering those would stop all requests.
MAX_FRAMES = 50
MAX_TRACEBACK = 16_000
# Several processes may share one pipe, in which a longer write can be mixed with theirs (POSIX, PIPE_BUF).
ATOMIC_BYTES = 4096
# A reader of a non-blocking pipe that takes longer than this loses lines.
WRITE_TIMEOUT_SECONDS = 1.0
# The id of the request whose work this is, for each event in it.
REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)


def configure(*, level: str = "INFO") -> None:
    """Send all logs of this process, including those of libraries, to standard error in one format."""
    processors: list[structlog.typing.Processor] = [as_json]
    if sys.stderr.isatty():
        processors = [
            _with_request_id,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            shorten,
            # The default formatter shows the values of local variables, which may be secrets.
            structlog.dev.ConsoleRenderer(exception_formatter=_write_traceback, pad_event_to=0),
        ]
    writer = LineWriter(sys.stderr)
    structlog.configure(
        # A request takes a fifth of the time here that it would take in the logging of the standard library.
        processors=processors,
        logger_factory=lambda name=__name__: LineLogger(writer, name),
        # Skips events below the level before any processor runs.
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = LineHandler(writer)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *processors, _as_text],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # The INFO lines of these libraries repeat lines of this application.
    for name in ("uvicorn", "alembic", "procrastinate"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Any client can cause these warnings, about requests that are not valid HTTP, and they do not name it.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


def format_traceback(exc_info: ExcInfo) -> str:
    """The innermost frames of an exception and of its causes, without the values of variables; its middle is cut."""
    text = "".join(traceback.TracebackException(*exc_info, limit=-MAX_FRAMES).format()).rstrip()
    half = MAX_TRACEBACK // 2
    return text if len(text) <= MAX_TRACEBACK else f"{text[:half]}\n[...]\n{text[-half:]}"


_with_traceback = structlog.processors.ExceptionRenderer(format_traceback)


def _write_traceback(stream: TextIO, exc_info: ExcInfo) -> None:
    stream.write("\n" + format_traceback(exc_info))


def as_json(logger: Any, level: str, event: EventDict) -> bytes:  # noqa: ANN401 - the parameters of a processor
    """The line of an event; one step takes less than half of the time of the usual processors."""
    line = _with_request_id(logger, level, event)
    line["level"], line["timestamp"] = level, datetime.now(UTC)
    if logger is not None:  # the event of a library has its name already
        line["logger"] = logger.name
    if "exc_info" in line:
        line = _with_traceback(logger, level, line)
    try:
        return orjson.dumps(line, default=repr, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z)
    except TypeError:  # half of a surrogate pair, or a large integer
        return json.dumps({**line, "timestamp": f"{line['timestamp']:%Y-%m-%dT%H:%M:%S.%fZ}"}, default=repr).encode()


def _with_request_id(_logger: object, _method: str, event: EventDict) -> EventDict:
    request_id = REQUEST_ID.get()
    return event if request_id is None else {"request_id": request_id, **event}


def shorten(_logger: object, _method: str, event: EventDict) -> EventDict:
    """The event without the name of its logger; a request becomes one text such as `GET /promo-codes 200 1 ms`."""
    event.pop("logger", None)
    if event["event"] not in ("request", "repeated requests"):
        return event
    words = [event["method"], event["route"] or event["path"], event["status"], event.get("reason")]
    words.append(f"{event['ms']:.0f} ms" if event["event"] == "request" else f"{event['count']} more times")
    text = " ".join(str(word) for word in words if word is not None)
    return {"timestamp": event["timestamp"], "level": event["level"], "event": text}


def _as_text(_logger: object, _method: str, line: Any) -> str:  # noqa: ANN401 - what the renderer returns
    # The formatter of the standard library would write bytes as `b'...'`.
    return line.decode() if isinstance(line, bytes) else str(line)


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
