"""The composition root of the HTTP server: settings in, application out."""

import asyncio
import gc
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import uvicorn
from fastapi import FastAPI
from uvicorn.server import HANDLED_SIGNALS
from uvicorn.supervisors import Multiprocess

from tessera import schema, worker
from tessera.api.application import create_app
from tessera.api.certiverse_promo.presenters import LISTED, created_response
from tessera.api.certiverse_vouchers.presenters import VOUCHER, purchase_response
from tessera.api.serving.callers import Resources
from tessera.api.serving.coalescing import effects, of_one_caller, pages
from tessera.api.storefront.presenters import redemption_response
from tessera.idempotency.service import Outcome
from tessera.identity.authentication.credentials import ApiKeyText
from tessera.identity.authentication.key_usage import KeyUses
from tessera.identity.rules import FunctionPoint
from tessera.kit import logging
from tessera.kit.batching import Batcher, KeyedBatcher
from tessera.kit.clock import clock
from tessera.kit.db.database import Database
from tessera.kit.errors import DomainError, NotAuthenticated
from tessera.kit.tokens import TokenSigner
from tessera.promo_codes import service as promo_codes
from tessera.promo_codes.uses import service as promo_code_uses
from tessera.promo_codes.uses.service import UsabilityRequest, Validation
from tessera.redemptions import serving as redemptions
from tessera.redemptions.serving import RedemptionRequest
from tessera.settings import Settings, load
from tessera.vouchers.issued import service as vouchers
from tessera.vouchers.purchases import zero_price

Listener = socket.socket
# Twice as many as others have: creations wait for the disk alone, and for no lock of one another.
MAX_CONCURRENT_CREATE_BATCHES = 4
# Of who waits for a name: it is asked again alone, so that others neither wait with it, nor hold what is waited for.
NAME_LOCK_TIMEOUT = {"lock_timeout": "100ms"}

# Proxies are ours to judge (ForwardedHeaders), requests ours to log.
UVICORN_OPTIONS: dict[str, Any] = {
    "log_config": None,
    "access_log": False,
    "proxy_headers": False,
    "server_header": False,
    "timeout_graceful_shutdown": 10,
    "lifespan": "on",
}


def create_resources(
    settings: Settings, url: str, *, schema_revision: str, clock: Callable[[], datetime] = clock
) -> Resources:
    """What the application of these settings needs; nothing connects yet."""
    database = Database(url, pool_size=settings.pool_size, prepare_statements=settings.prepare_statements)
    return resources_on(database, settings, schema_revision=schema_revision, clock=clock)


def resources_on(
    database: Database, settings: Settings, *, schema_revision: str, clock: Callable[[], datetime]
) -> Resources:
    """The same on this database, of which all of it makes use."""
    key_uses = KeyUses()

    async def validate(questions: Sequence[UsabilityRequest]) -> Sequence[Validation | DomainError]:
        now = clock()
        answers = await database.read(lambda reader: promo_code_uses.validate_all(reader, questions, now=now))
        for question, answer in zip(questions, answers, strict=True):
            if not isinstance(answer, NotAuthenticated):
                key_uses.note(question.key.name, now=now)
        return answers

    async def redeem(organization_id: UUID, requests: Sequence[RedemptionRequest]) -> Sequence[Outcome]:
        now = clock()
        async with database.unit_of_work(organization_id) as work:
            answers = await redemptions.serve_all(work, requests, now=now, present=redemption_response)
        for request, answer in zip(requests, answers, strict=True):
            if isinstance(request.credential, ApiKeyText) and not isinstance(answer, NotAuthenticated):
                key_uses.note(request.credential.name, now=now)
        return answers

    for_promo_codes = partial(of_one_caller, database, clock, FunctionPoint.PARTNER_MANAGE_PROMO_CODES)
    for_vouchers = partial(of_one_caller, database, clock, FunctionPoint.PARTNER_MANAGE_VOUCHERS)
    return Resources(
        database=database,
        signer=TokenSigner(settings.token_keys),
        clock=clock,
        token_lifetime=timedelta(seconds=settings.token_lifetime_seconds),
        validations=Batcher(validate),
        redemptions=KeyedBatcher(redeem),
        creations=for_promo_codes(
            effects(promo_codes.create_all, present=created_response),
            max_concurrency=MAX_CONCURRENT_CREATE_BATCHES,
            local=NAME_LOCK_TIMEOUT,
        ),
        purchases=for_vouchers(effects(zero_price.create_all, present=purchase_response)),
        promo_code_pages=for_promo_codes(pages(promo_codes.list_pages, projection=LISTED)),
        voucher_pages=for_vouchers(pages(vouchers.list_pages, projection=VOUCHER)),
        public_url=settings.public_url,
        schema_revision=schema_revision,
        key_uses=key_uses,
    )


def create_server(settings: Settings, url: str, *, schema_revision: str, with_worker: bool = False) -> FastAPI:
    """The application with its lifespan: the worker runs inside if asked, and all connections close at the end."""
    resources = create_resources(settings, url, schema_revision=schema_revision)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(resources.database.close)
            await stack.enter_async_context(resources.key_uses.flushing(resources.database))
            if with_worker:
                await stack.enter_async_context(worker.running(url, database=resources.database))
            # What is there by now stays until the end. Left to the garbage collector, it is looked through again and
            # again, and every request waits 100 ms for that.
            gc.collect()
            gc.freeze()
            yield

    return create_app(resources, trusted_proxies=settings.trusted_proxies, lifespan=lifespan)


def serve(app: FastAPI, listener: Listener, *, on_ready: Callable[[], None] = lambda: None) -> None:
    """Serve until SIGINT or SIGTERM, then finish the requests under way."""
    _Server(uvicorn.Config(app, **UVICORN_OPTIONS), on_ready).run(sockets=[listener])


def serve_processes(settings: Settings, url: str, listener: Listener) -> None:
    """Serve in as many processes as the settings say, for which the listener is, until SIGINT or SIGTERM."""
    if settings.processes == 1:
        serve(from_settings(settings, url), listener)
        return
    os.environ["TESSERA_DATABASE_URL"] = url
    configuration = uvicorn.Config(
        "tessera.main:from_environment", factory=True, workers=settings.processes, **UVICORN_OPTIONS
    )
    Multiprocess(configuration, sockets=[listener]).run()


def from_settings(settings: Settings, url: str) -> FastAPI:
    """The application alone, for a database that is migrated elsewhere."""
    return create_server(settings, url, schema_revision=schema.latest_revision())


def from_environment() -> FastAPI:
    """The application of one of several processes, which inherit their settings."""
    settings = load()
    logging.configure(level=settings.log_level)
    return from_settings(settings, settings.database_url or "")


async def run_worker(settings: Settings, url: str) -> None:
    """Run jobs until SIGINT or SIGTERM, then finish those under way."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop(*_: object) -> None:
        if not loop.is_closed():  # the handler outlives the loop, so that a second signal does no harm
            loop.call_soon_threadsafe(stopping.set)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    database = Database(url, pool_size=settings.pool_size, prepare_statements=settings.prepare_statements)
    try:
        await worker.work(url, database=database, stopping=stopping)
    finally:
        await database.close()


class _Server(uvicorn.Server):
    """A uvicorn server that says when it is ready, and returns on a signal instead of dying of it."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn's own raises the signal again after its shutdown, which would leave the embedded database running.
        # Ours is not put back, and a second Ctrl-C changes nothing: neither the worker nor what ends after the server
        # may be interrupted in the middle. Whoever cannot wait has kill -9, which the next start copes with.
        for number in HANDLED_SIGNALS:
            signal.signal(number, self._stop)
        yield

    def _stop(self, *_: object) -> None:
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if not self.should_exit:
            self._on_ready()
