"""The export of spans to a collector by the SDK of OpenTelemetry, whose libraries are an extra of the package."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

# The time by which a collector that does not answer delays the end of the process.
EXPORT_SECONDS = 3
# Callers choose these values, which may be codes, addresses of persons, or secrets.
PRIVATE = ("url.path", "url.query", "http.request.method_original")
HIDDEN = "REDACTED"


class _Privacy(SpanProcessor):
    """Hides the parts of an address that callers choose."""

    def on_start(self, span: Span, parent_context: context.Context | None = None) -> None:
        for name in PRIVATE:
            if name in (span.attributes or ()):
                span.set_attribute(name, HIDDEN)


@contextmanager
def exporting(service: str, version: str) -> Iterator[None]:
    """Export the spans of this process until the block ends."""
    named = Resource.create({"service.name": service, "service.version": version})
    provider = TracerProvider(resource=named.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
    exporter = BatchSpanProcessor(OTLPSpanExporter(timeout=EXPORT_SECONDS))
    provider.add_span_processor(_Privacy())
    provider.add_span_processor(exporter)
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        # The processor waits for its exports without a limit of its own.
        end = Thread(target=exporter.shutdown, daemon=True)
        end.start()
        end.join(EXPORT_SECONDS)
