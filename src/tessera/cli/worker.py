"""The command that runs a worker, which imports no HTTP server."""

import asyncio
import socket
from contextlib import AbstractContextManager, nullcontext

import tessera
from tessera import provision
from tessera.cli.monitoring import exposing_metrics, require_tracing
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.processes import check_database, listening
from tessera.cli.startup import Embedded, require_database, start
from tessera.kit import descriptors, tracing
from tessera.settings import Settings
from tessera.worker import run_until_signalled

commands = CommandGroup()


@commands.command("worker")
def worker(*, embedded: Embedded = False) -> None:
    """Run a worker without an API server.

    SIGINT and SIGTERM let running jobs finish. Run `tessera migrate` first.
    """
    settings = start()
    require_tracing()
    require_database(settings, embedded=embedded)
    with (
        _health_checks(settings) as health_checks,
        provision.database(settings) as addresses,
        exposing_metrics(settings, backlog_of=addresses.application),
        tracing.exporting("tessera-worker", tessera.__version__),
    ):
        check_database(addresses)
        descriptors.raise_limit()
        database = provision.create_pool(settings, addresses.application).within(settings.job_seconds)
        database.measure()
        asyncio.run(run_until_signalled(addresses.application, database=database, health_checks=health_checks))


def _health_checks(settings: Settings) -> AbstractContextManager[socket.socket | None]:
    if settings.worker_port is None:
        return nullcontext()
    return listening(settings.host, settings.worker_port, variable="TESSERA_WORKER_PORT")
