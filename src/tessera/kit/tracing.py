"""Traces of OpenTelemetry: from a request to its batch, its statements and its jobs.

FastAPI creates the span of each request. A batch has a span that continues the trace of its first request and links the
others. A job continues the trace of the request that queued it. No span has a query, a path, a code, or a parameter of
a statement.
"""

import importlib
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import ModuleType
from typing import TYPE_CHECKING, Any

import structlog
from opentelemetry import propagate, trace
from opentelemetry.trace import Link, Span, SpanKind, StatusCode

if TYPE_CHECKING:
    from procrastinate import JobContext

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
# The argument of a job that names the span of the request that queued it (W3C Trace Context).
PARENT = "traceparent"

log = structlog.get_logger(__name__)

tracer = trace.get_tracer("tessera")
# The services of this process whose spans are exported; without one, requests spend no time on spans.
_exported: list[str] = []
_NO_SPAN = nullcontext()


class LibraryMissing(Exception):
    """A collector is named, and the libraries that export spans are not installed."""

    def __init__(self) -> None:
        super().__init__("traces need libraries: pip install 'tessera-vouchers[traces]'")


@contextmanager
def exporting(service: str, version: str) -> Iterator[None]:
    """Export the spans of this process until the block ends, if the environment names a collector.

    The variables are the standard ones of OpenTelemetry. Raises LibraryMissing.
    """
    if not is_configured():
        yield
        return
    with _export().exporting(service, version):
        log.info("exporting traces", service=service)
        _exported.append(service)
        try:
            yield
        finally:
            _exported.remove(service)


def require_libraries() -> None:
    """Raise LibraryMissing if the environment names a collector, and the libraries are not installed."""
    if is_configured():
        _export()


def is_configured() -> bool:
    """Whether the environment names a collector, and the export of traces is not switched off."""
    is_off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not is_off and os.environ.get("OTEL_TRACES_EXPORTER") != "none" and any(map(os.environ.get, ENDPOINTS))


def _export() -> ModuleType:
    try:
        return importlib.import_module("tessera.kit.trace_export")
    except ImportError as error:
        raise LibraryMissing from error


def current_span() -> Span:
    """The span of the current work; one that records nothing if there is none."""
    return trace.get_current_span() if _exported else trace.INVALID_SPAN


def is_traced() -> bool:
    """Whether the current work belongs to a span that is recorded."""
    return bool(_exported) and trace.get_current_span().is_recording()


def describe_request(name: str | None, **attributes: str | None) -> None:
    """Name the span of the current request, unless the name is None, and add attributes, except those that are None."""
    span = trace.get_current_span()
    if name is not None:
        span.update_name(name)
    span.set_attributes({f"tessera.{key}": value for key, value in attributes.items() if value is not None})


def batch(requests: Sequence[Span]) -> AbstractContextManager[Any]:
    """The span of a batch of requests, which continues the trace of the first and links the others."""
    if not _exported:
        return _NO_SPAN
    recorded = [span for span in requests if span.is_recording()]
    if recorded:
        return _batch_of(recorded, size=len(requests))
    # The task that executes a batch was started by an earlier request, whose span the batch must not continue.
    return trace.use_span(trace.INVALID_SPAN)


@contextmanager
def _batch_of(requests: Sequence[Span], *, size: int) -> Iterator[None]:
    first, *others = requests
    context = trace.set_span_in_context(first)
    links = [Link(span.get_span_context()) for span in others]
    with _span("batch", context=context, links=links, attributes={"tessera.batch_size": size}) as span:
        for other in others:
            other.add_link(span.get_span_context())
        yield


@contextmanager
def statement(query: Any) -> Iterator[None]:  # noqa: ANN401 - any query of the driver
    """A span for a statement, with its text and without its parameters, if it belongs to a span that is recorded."""
    if not is_traced():
        yield
        return
    text = query if isinstance(query, str) else "composed"
    attributes = {"db.system.name": "postgresql", "db.query.text": text}
    name = text.split(maxsplit=1)[0].rstrip(";").upper()
    with _span(name, kind=SpanKind.CLIENT, attributes=attributes):
        yield


def parent_of_job() -> dict[str, str]:
    """The argument that a queued job needs to continue the current trace; empty without a trace."""
    carrier: dict[str, str] = {}
    if is_traced():
        propagate.inject(carrier)
    return {PARENT: carrier[PARENT]} if PARENT in carrier else {}


async def run_job(call_next: Callable[[], Awaitable[Any]], context: "JobContext", _: object) -> Any:  # noqa: ANN401 - of any task
    """Run a job in a span that continues the trace of the request that queued it."""
    # A worker without traces removes it, too, because no task has such a parameter.
    parent = context.job.task_kwargs.pop(PARENT, None)
    origin = propagate.extract({PARENT: parent} if parent else {})
    attributes = {"tessera.job": context.job.id or 0}
    with _span(context.job.task_name, context=origin, kind=SpanKind.CONSUMER, attributes=attributes):
        return await call_next()


@contextmanager
def _span(name: str, **options: Any) -> Iterator[Span]:  # noqa: ANN401 - of OpenTelemetry
    # The text of an exception may quote rows, and thereby codes.
    options |= {"record_exception": False, "set_status_on_exception": False}
    with tracer.start_as_current_span(name, **options) as span:
        try:
            yield span
        except Exception as error:
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(StatusCode.ERROR)
            raise
