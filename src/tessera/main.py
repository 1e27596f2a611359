"""The composition root of the HTTP server: creates the application from settings."""

import gc
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta

from fastapi import FastAPI

import tessera
from tessera import limits, provision, schema, worker
from tessera.api.application import create_app
from tessera.api.serving import server
from tessera.api.serving.pipeline import Pipeline
from tessera.api.serving.resources import Resources
from tessera.kit import logging, tracing
from tessera.kit.clock import clock
from tessera.kit.db.database import Database
from tessera.kit.metrics import processes
from tessera.kit.tokens import TokenSigner
from tessera.settings import Settings, load

SWITCH_SECONDS = 0.0005


def create_resources(
    settings: Settings,
    database: Database,
    *,
    schema_revision: str,
    clock: Callable[[], datetime] = clock,
) -> Resources:
    """Create the resources of the application; opens no connection."""
    signer = TokenSigner(settings.token_keys)
    return Resources(
        database=database,
        signer=signer,
        clock=clock,
        token_lifetime=timedelta(seconds=settings.token_lifetime_seconds),
        pipeline=Pipeline(
            database,
            signer,
            clock,
            transfer_seconds=settings.transfer_seconds,
            limits=limits.of_guesses(settings),
            shares=limits.shares(settings),
        ),
        public_url=settings.public_url,
        allowed_hosts=frozenset(map(str.lower, settings.allowed_hosts)),
        schema_revision=schema_revision,
        request_seconds=settings.request_seconds,
        transfer_seconds=settings.transfer_seconds,
        max_open_batches=settings.organization_open_batches,
        max_holds=settings.organization_holds,
    )


def create_server(settings: Settings, url: str, *, schema_revision: str, with_worker: bool = False) -> FastAPI:
    """The application; its lifespan runs a worker if `with_worker` is true, and closes all connections at the end."""
    database = provision.create_pool(settings, url)
    database.measure()
    resources = create_resources(settings, database, schema_revision=schema_revision)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.enter_context(tracing.exporting("tessera-api", tessera.__version__))
            stack.push_async_callback(database.close)
            await stack.enter_async_context(processes.publishing())
            await stack.enter_async_context(resources.pipeline.key_uses.flushing(database))
            if with_worker:
                await stack.enter_async_context(worker.running(url, database=database.within(settings.job_seconds)))
            # Imports are parsed in threads. A request needs the interpreter many times, and would wait 5 ms each time.
            sys.setswitchinterval(SWITCH_SECONDS)
            # The objects that exist now live as long as the process. Unless they are frozen, each full garbage
            # collection traverses all of them and delays every request by 100 ms.
            gc.collect()
            gc.freeze()
            yield

    return create_app(resources, trusted_proxies=settings.trusted_proxies, with_docs=settings.docs, lifespan=lifespan)


def serve_api(settings: Settings, url: str, listener: server.Listener) -> None:
    """Serve the API in `settings.processes` processes until SIGINT or SIGTERM; the database must be migrated."""
    if settings.processes == 1:
        server.serve(
            from_settings(settings, url),
            listener,
            limits=limits.of_connections(settings),
            drain_seconds=settings.drain_seconds,
        )
        return
    os.environ["TESSERA_DATABASE_URL"] = url
    server.serve_processes(
        "tessera.main:from_environment",
        listener,
        processes=settings.processes,
        limits=limits.of_connections(settings),
        drain_seconds=settings.drain_seconds,
    )


def from_settings(settings: Settings, url: str) -> FastAPI:
    """The application for a database that has already been migrated."""
    return create_server(settings, url, schema_revision=schema.latest_revision())


def from_environment() -> FastAPI:
    """The application of one of several API processes, which inherit the environment of their parent."""
    settings = load()
    logging.configure(level=settings.log_level)
    return from_settings(settings, settings.database_url or "")
