"""The metrics and the traces of a server or a worker."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from tessera.cli.startup import CannotStart
from tessera.kit import tracing
from tessera.kit.metrics.processes import VARIABLE
from tessera.settings import Settings

log = structlog.get_logger(__name__)


@contextmanager
def exposing_metrics(settings: Settings, *, processes: int = 1, backlog_of: str | None = None) -> Iterator[None]:
    """Serve the metrics of this process, or of all its child processes, if the settings have a port for them.

    They include the backlog of the database with the URL `backlog_of`. Raises CannotStart.
    """
    if settings.metrics_port is None:
        yield
        return
    try:
        from tessera.kit.metrics import collectors, exposition  # noqa: PLC0415 - needs the extra
    except ImportError as error:
        message = "TESSERA_METRICS_PORT needs a library: pip install 'tessera-vouchers[metrics]'"
        raise CannotStart(message) from error
    with ExitStack() as stack:
        directory = None if processes == 1 else Path(stack.enter_context(TemporaryDirectory()))
        if directory:
            os.environ[VARIABLE] = str(directory)
        collected = [collectors.ProcessCollector(directory)]
        others = [collectors.BacklogCollector(backlog_of)] if backlog_of else []
        address = (settings.metrics_host, settings.metrics_port)
        try:
            port = stack.enter_context(exposition.exposing(*address, *collected, *others))
        except OSError as error:
            reason = f"cannot serve metrics on {address[0]}:{address[1]}: {error.strerror}"
            raise CannotStart(f"{reason}; set TESSERA_METRICS_PORT to another port") from error
        log.info("metrics", url=f"http://{settings.metrics_host}:{port}/metrics")
        yield


def require_tracing() -> None:
    """Raise CannotStart if the environment names a collector of traces, and the libraries are not installed."""
    try:
        tracing.require_libraries()
    except tracing.LibraryMissing as error:
        raise CannotStart(str(error)) from error
