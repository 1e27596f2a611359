"""The composition root of the HTTP server: creates the application from settings."""

import gc
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta

from fastapi import FastAPI

from tessera import schema, worker
from tessera.api.application import create_app
from tessera.api.serving import server
from tessera.api.serving.budgets import GuessLimits
from tessera.api.serving.connections import ConnectionLimits
from tessera.api.serving.pipeline import Pipeline
from tessera.api.serving.resources import Resources
from tessera.api.serving.shares import ShareLimits, Shares
from tessera.kit import logging
from tessera.kit.clock import clock
from tessera.kit.db.database import Database
from tessera.kit.shares import Patience
from tessera.kit.token_buckets import Rate
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
            limits=guess_limits(settings),
            shares=Shares(share_limits(settings)),
        ),
        public_url=settings.public_url,
        allowed_hosts=frozenset(map(str.lower, settings.allowed_hosts)),
        schema_revision=schema_revision,
        request_seconds=settings.request_seconds,
        transfer_seconds=settings.transfer_seconds,
        max_open_batches=settings.organization_open_batches,
        max_holds=settings.organization_holds,
    )


def guess_limits(settings: Settings) -> GuessLimits:
    """The budgets of one of the processes of `tessera api`."""
    visitor_misses, wrong_secrets = settings.visitor_misses_per_minute, settings.wrong_secrets_per_minute
    limits = GuessLimits(
        misses=Rate(settings.misses_per_minute, settings.misses_burst),
        visitor_misses=Rate(visitor_misses, visitor_misses),
        wrong_secrets=Rate(wrong_secrets, wrong_secrets),
    )
    return limits.divided_by(settings.processes)


def share_limits(settings: Settings) -> ShareLimits:
    """The limits of one process; heavy work leaves half of its connections to all other requests."""
    heavy, mib = _part(settings.pool_size, 50), 1024 * 1024
    return ShareLimits(
        heavy=heavy,
        heavy_of_one=_part(heavy, settings.organization_share_percent),
        bodies=settings.bodies_mib * mib,
        bodies_of_one=settings.organization_bodies_mib * mib,
        uploads=settings.uploads_mib * mib,
        uploads_of_one=settings.organization_uploads_mib * mib,
        patience=Patience(own_share=settings.share_wait_seconds, others=60),
    )


def _part(number: int, percent: int) -> int:
    return max(1, number * percent // 100)


def create_database(settings: Settings, url: str) -> Database:
    """The connection pool of one process; the first use opens a connection."""
    return Database(
        url,
        pool_size=settings.pool_size,
        share=_part(settings.pool_size, settings.organization_share_percent),
        patience=Patience(own_share=settings.share_wait_seconds),
        prepare_statements=settings.prepare_statements,
        deadline=settings.request_seconds,
    )


def create_server(settings: Settings, url: str, *, schema_revision: str, with_worker: bool = False) -> FastAPI:
    """The application; its lifespan runs a worker if `with_worker` is true, and closes all connections at the end."""
    database = create_database(settings, url)
    resources = create_resources(settings, database, schema_revision=schema_revision)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(database.close)
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


def connection_limits(settings: Settings) -> ConnectionLimits:
    """The limits of the connections of one process."""
    return ConnectionLimits(
        head_bytes=settings.head_bytes,
        head_seconds=settings.head_seconds,
        body_bytes_per_second=settings.body_bytes_per_second,
        body_window_seconds=settings.body_window_seconds,
        write_seconds=settings.write_seconds,
        keep_alive_seconds=settings.keep_alive_seconds,
        max_connections=settings.max_connections,
    )


def serve_api(settings: Settings, url: str, listener: server.Listener) -> None:
    """Serve the API in `settings.processes` processes until SIGINT or SIGTERM; the database must be migrated."""
    if settings.processes == 1:
        server.serve(from_settings(settings, url), listener, limits=connection_limits(settings))
        return
    os.environ["TESSERA_DATABASE_URL"] = url
    server.serve_processes(
        "tessera.main:from_environment", listener, processes=settings.processes, limits=connection_limits(settings)
    )


def from_settings(settings: Settings, url: str) -> FastAPI:
    """The application for a database that has already been migrated."""
    return create_server(settings, url, schema_revision=schema.latest_revision())


def from_environment() -> FastAPI:
    """The application of one of several API processes, which inherit the environment of their parent."""
    settings = load()
    logging.configure(level=settings.log_level)
    return from_settings(settings, settings.database_url or "")
