"""Spans of a real server and its worker, as a collector receives them."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import get_current_span, use_span
from tests.conftest import TOKEN_KEYS_SETTING
from tests.support import factories
from tests.support.commands import running_server
from tests.support.waiting import wait_until

from tessera.api.serving.resources import Resources
from tessera.kit import tracing
from tessera.provision import Addresses

TRACE = "5b8efff798038103d269b633813fc60c"
HEADERS = {"traceparent": f"00-{TRACE}-eee19b7ec3c1b174-01"}
BATCH = {"quantity": 1, "prefix": "TRACED", "length": 8, "discountPercent": 10, "storeExamCodes": ["NCA-GENL"]}


class Collector:
    """The spans that arrived at a port, with everything that was sent."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.spans: list[Span] = []
        self.bytes = b""

    def receive(self, message: bytes) -> None:
        self.bytes += message
        for resource in ExportTraceServiceRequest.FromString(message).resource_spans:
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]

    def of_trace(self) -> dict[str, Span]:
        """The spans of the trace, by name."""
        return {span.name: span for span in self.spans if span.trace_id.hex() == TRACE}


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.receive(gzip.decompress(body) if self.headers["content-encoding"] == "gzip" else body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(server.server_port)
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def make_requests(client: httpx.Client) -> None:
    """Order a batch, and write words into addresses."""
    response = client.post("/management/v1/promo-code-batches", json=BATCH)
    assert response.status_code == 201, response.text
    client.get("/management/v1/promo-codes", params={"search": "HUSH-1"}).raise_for_status()
    assert client.get("/HUSH-2").status_code == 404
    assert client.get("/api/v1/promo-codes", params={"code": "HUSH-3"}).status_code in {400, 404}


async def test_a_trace_leads_from_a_request_to_its_statements_and_its_job_and_has_no_words_of_the_caller(
    resources: Resources, addresses: Addresses, place: Path
) -> None:
    tenant = await factories.create_tenant(resources, now=datetime.now(UTC))
    with collecting() as collector:
        settings = {
            "TESSERA_DATABASE_URL": addresses.application,
            "TESSERA_OWNER_DATABASE_URL": addresses.owner,
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "FASTAPI_OTEL_AUTO_CONFIGURE": "true",  # must not export anything besides
        }
        with (
            running_server("serve", data=place, **TOKEN_KEYS_SETTING, **settings) as server,
            httpx.Client(base_url=server.url, headers=HEADERS | tenant.bearer | tenant.api_key) as client,
        ):
            make_requests(client)
            wait_until("the job's span has arrived", lambda: "tessera:make_promo_codes" in collector.of_trace())
            wait_until("the spans have arrived", lambda: "GET /management/v1/promo-codes" in collector.of_trace())
            server.stop()
    spans = collector.of_trace()
    assert {"POST /management/v1/promo-code-batches", "batch", "SELECT", "INSERT"} <= spans.keys()
    job = spans["tessera:make_promo_codes"]
    assert job.span_id in {span.parent_span_id for span in collector.spans}, "the job's statements belong to it"
    assert tenant.id.bytes.hex() in collector.bytes.decode("latin-1").replace("-", "")
    assert b"HUSH" not in collector.bytes
    assert tenant.token.secret.encode() not in collector.bytes
    assert tenant.key.secret.encode() not in collector.bytes


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Receives the spans of this process."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "tracer", provider.get_tracer("tests"))
    monkeypatch.setattr(tracing, "_exported", ["tests"])
    return exporter


def test_a_failure_has_its_type_and_no_text(exporter: InMemorySpanExporter) -> None:
    with (
        pytest.raises(LookupError),
        use_span(tracing.tracer.start_span("request"), record_exception=False, set_status_on_exception=False),
        tracing.statement("select 1"),
    ):
        raise LookupError("HUSH")
    (span,) = exporter.get_finished_spans()
    assert span.attributes
    assert span.attributes["error.type"] == "LookupError"
    assert "HUSH" not in span.to_json()


def test_a_batch_continues_the_trace_of_its_first_request_and_is_linked_with_the_others(
    exporter: InMemorySpanExporter,
) -> None:
    first, second = (tracing.tracer.start_span(name) for name in ("first", "second"))
    with tracing.batch([first, second]):
        batch = get_current_span().get_span_context()
    for span in (first, second):
        span.end()
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert spans["batch"].parent == first.get_span_context()
    assert [link.context for link in spans["batch"].links] == [second.get_span_context()]
    assert [link.context for link in spans["second"].links] == [batch]
