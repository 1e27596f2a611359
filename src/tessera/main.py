"""The composition root of the HTTP server: settings in, application out."""

import gc
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta

from fastapi import FastAPI

from tessera import schema, worker
from tessera.api.application import create_app
from tessera.api.serving import server
from tessera.api.serving.pipeline import Pipeline
from tessera.api.serving.resources import Resources
from tessera.kit import logging
from tessera.kit.clock import clock
from tessera.kit.db.database import Database
from tessera.kit.tokens import TokenSigner
from tessera.settings import Settings, load


def create_resources(
    settings: Settings,
    database: Database,
    *,
    schema_revision: str,
    clock: Callable[[], datetime] = clock,
) -> Resources:
    """The parts of the application with these settings, on this database; nothing connects yet."""
    signer = TokenSigner(settings.token_keys)
    return Resources(
        database=database,
        signer=signer,
        clock=clock,
        token_lifetime=timedelta(seconds=settings.token_lifetime_seconds),
        pipeline=Pipeline(database, signer, clock),
        public_url=settings.public_url,
        schema_revision=schema_revision,
    )


def create_database(settings: Settings, url: str) -> Database:
    """The connections of one process to the database at this address."""
    return Database(url, pool_size=settings.pool_size, prepare_statements=settings.prepare_statements)


def create_server(settings: Settings, url: str, *, schema_revision: str, with_worker: bool = False) -> FastAPI:
    """The application with its lifespan: a worker runs inside if asked for, and all connections close at the end."""
    database = create_database(settings, url)
    resources = create_resources(settings, database, schema_revision=schema_revision)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(database.close)
            await stack.enter_async_context(resources.pipeline.key_uses.flushing(database))
            if with_worker:
                await stack.enter_async_context(worker.running(url, database=database))
            # Objects that exist by now live until the end. Without this, each full collection looks at all of them,
            # and every request waits 100 ms for it.
            gc.collect()
            gc.freeze()
            yield

    return create_app(resources, trusted_proxies=settings.trusted_proxies, lifespan=lifespan)


def serve_api(settings: Settings, url: str, listener: server.Listener) -> None:
    """Serve the API in as many processes as the settings say, until SIGINT or SIGTERM; the database is migrated."""
    if settings.processes == 1:
        server.serve(from_settings(settings, url), listener)
        return
    os.environ["TESSERA_DATABASE_URL"] = url
    server.serve_processes("tessera.main:from_environment", listener, processes=settings.processes)


def from_settings(settings: Settings, url: str) -> FastAPI:
    """The application for a database that is migrated elsewhere."""
    return create_server(settings, url, schema_revision=schema.latest_revision())


def from_environment() -> FastAPI:
    """The application of one of several processes, which inherit the settings of their parent."""
    settings = load()
    logging.configure(level=settings.log_level)
    return from_settings(settings, settings.database_url or "")
