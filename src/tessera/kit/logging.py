"""Logs: one line for each event, short and coloured in a terminal, otherwise JSON."""

import logging
import sys

import structlog
from structlog.typing import EventDict


def configure(*, level: str = "INFO") -> None:
    """Send all logs of this process, including those of libraries, to standard error in one format."""
    in_terminal = sys.stderr.isatty()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
    ]
    if in_terminal:
        shared += [structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False), shorten]
        # The default formatter shows the values of local variables, which may be secrets.
        renderer: structlog.typing.Processor = structlog.dev.ConsoleRenderer(
            exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
        )
    else:
        shared += [
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _without_path,
        ]
        renderer = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        # Skips events below the level before any processor runs.
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # The INFO lines of these libraries repeat lines of this application.
    for name in ("uvicorn", "alembic", "procrastinate"):
        logging.getLogger(name).setLevel(logging.WARNING)


def shorten(_logger: object, _method: str, event: EventDict) -> EventDict:
    """The event without the name of its logger; a request becomes one text such as `GET /foo 404 1 ms`."""
    event.pop("logger", None)
    if event["event"] != "request":
        return event
    path = event["route"] or event["path"]
    text = f"{event['method']} {path} {event['status']} {event['ms']:.0f} ms"
    return {"timestamp": event["timestamp"], "level": event["level"], "event": text}


def _without_path(_logger: object, _method: str, event: EventDict) -> EventDict:
    # Logs that are kept contain routes only: a path that leads nowhere may contain anything, such as a secret.
    event.pop("path", None)
    return event
