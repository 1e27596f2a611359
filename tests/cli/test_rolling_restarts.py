"""Restarts under load, behind the proxies of the guide: every request has its response, and exactly one effect.

`make drill` repeats the restarts until each proxy has passed on REQUESTS requests.
"""

import http.client
import itertools
import json
import os
import signal
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import psycopg
import pytest
from tests.conftest import TOKEN_KEYS_SETTING
from tests.support import factories, redemption_requests
from tests.support.commands import (
    SECONDS_TO_END,
    answers,
    command_line,
    forked_command,
    free_port,
    running_server,
    serving_children,
)
from tests.support.factories import Tenant, percent_code
from tests.support.proxying import Proxy, balancing, needs_haproxy, needs_nginx, proxying
from tests.support.waiting import wait_until

from tessera.api.serving.resources import Resources
from tessera.kit.clock import clock
from tessera.provision import Addresses

pytestmark = [needs_nginx, needs_haproxy]
CALLERS = 2  # of each proxy
PAUSE_SECONDS = 0.1
DRAIN_SECONDS = 2.0
REQUESTS = int(os.environ.get("RESTARTED_REQUESTS", "0"))


class Failure(NamedTuple):
    """What a caller got instead of the expected status."""

    method: str
    problem: str


@dataclass
class Load:
    """Requests of one storefront through several proxies. No request is sent twice, so each failure counts."""

    tenant: Tenant
    counts: Counter[str] = field(default_factory=Counter)
    by_proxy: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _has_ended: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def flowing(self, proxies: Sequence[Proxy]) -> Iterator[None]:
        """Send requests through each proxy until the block ends, and wait for their responses."""
        with ThreadPoolExecutor(CALLERS * len(proxies)) as threads:
            callers = [threads.submit(self._call, proxy) for proxy in proxies for _ in range(CALLERS)]
            try:
                yield
            finally:
                self._has_ended.set()
        for caller in callers:
            caller.result()

    def wait_for_more(self) -> None:
        """Wait for ten more responses to each kind of request, however busy the machine is."""
        wanted = {method: self.counts[method] + 10 for method in ("GET", "POST")}
        wait_until("more requests", lambda: all(self.counts[method] >= count for method, count in wanted.items()))

    @property
    def is_complete(self) -> bool:
        """Whether each proxy has passed on REQUESTS requests."""
        return min(self.by_proxy.values()) >= REQUESTS

    def _call(self, proxy: Proxy) -> None:
        address = urlsplit(proxy.url)
        self.by_proxy[proxy.url] = 0
        connection = http.client.HTTPSConnection(address.netloc, timeout=60, context=proxy.trust)
        while not self._has_ended.is_set():
            number = next(self._numbers)
            if number % 4:
                self._send(connection, 200, "GET", "/api/v1/promo-codes?code=ROLLING")
            else:
                content = redemption_requests.body("ROLLING", f"RSV-{number}")
                self._send(connection, 201, "POST", redemption_requests.URL, json.dumps(content), f"key-{number}")
            self.by_proxy[proxy.url] += 1
            time.sleep(
                PAUSE_SECONDS * (1 + (0 if REQUESTS else number / 500))
            )  # on a busy machine, restarts take longer
        connection.close()

    def _send(
        self,
        connection: http.client.HTTPSConnection,
        status: int,
        method: str,
        path: str,
        body: str = "",
        key: str = "",
    ) -> None:
        headers = self.tenant.api_key | ({"Idempotency-Key": key, "Content-Type": "application/json"} if key else {})
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException, ssl.SSLError) as error:
            self.failures.append(Failure(method, repr(error)))
            connection.close()
            return
        self.counts[method] += 1
        if response.status != status:
            self.failures.append(Failure(method, f"{response.status} {content[:200]!r}"))


@pytest.fixture
async def load(resources: Resources, tenant: Tenant) -> Load:
    """A load with validations and redemptions of one promo code."""
    code = percent_code(tenant, "ROLLING", max_redemptions=None)
    await factories.add_promo_codes(resources, tenant, code, now=clock())
    return Load(tenant)


@contextmanager
def behind_both_proxies(place: Path, servers: Sequence[str]) -> Iterator[list[Proxy]]:
    """nginx and HAProxy in front of these servers, which HAProxy has found ready."""
    directories = [place / f"{kind}-{len(servers)}" for kind in ("nginx", "haproxy")]
    for directory in directories:
        directory.mkdir()
    with (
        proxying(*servers, directory=directories[0]) as nginx,
        balancing(*servers, directory=directories[1]) as haproxy,
    ):
        yield [nginx, haproxy]


def readiness(server: str) -> str:
    """The status that a new connection to the server reports, without the cost of a client that knows TLS."""
    with closing(http.client.HTTPConnection(server.removeprefix("http://"), timeout=60)) as connection:
        connection.request("GET", "/health/ready")
        return str(json.loads(connection.getresponse().read())["status"])


def is_stopping(server: str) -> bool:
    return readiness(server) == "stopping"


def have_ended(processes: Iterable[int]) -> bool:
    return not any(map(command_line, processes))


def are_replaced(server: str, processes: Iterable[int]) -> bool:
    """Whether these processes have ended; meanwhile, the server must be ready, or a balancer would take it out."""
    assert readiness(server) == "ready"
    return have_ended(processes)


def assert_late_requests_are_answered(server: str, instance: ForkServerProcess) -> None:
    """Send requests that wait in the queue of an instance when its time to accept connections is over."""
    assert instance.pid
    os.kill(instance.pid, signal.SIGSTOP)
    connections = [http.client.HTTPConnection(server.removeprefix("http://"), timeout=60) for _ in range(3)]
    for connection in connections:
        connection.request("GET", "/health/live")
    instance.join(DRAIN_SECONDS)
    os.kill(instance.pid, signal.SIGCONT)
    for connection in connections:
        with closing(connection):
            response = connection.getresponse()
            assert (response.status, response.headers["Connection"]) == (200, "close")


def assert_nothing_failed(load: Load, superuser: psycopg.Connection) -> None:
    sys.stdout.write(f"requests by proxy: {dict(load.by_proxy)}; failed: {len(load.failures)}\n")
    assert load.failures == []
    query = "select count(*) from redemptions where organization_id = %s"
    assert superuser.execute(query, [load.tenant.id]).fetchone() == (load.counts["POST"],)


def test_two_instances_that_restart_in_turn_lose_no_request(
    addresses: Addresses, place: Path, load: Load, superuser: psycopg.Connection
) -> None:
    servers = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]
    settings = TOKEN_KEYS_SETTING | {"TESSERA_DATABASE_URL": addresses.application}
    settings |= {"TESSERA_DRAIN_SECONDS": str(DRAIN_SECONDS)}
    with ExitStack() as opened:

        def start(server: str) -> ForkServerProcess:
            command = forked_command("api", log=place / "log", TESSERA_PORT=server.rpartition(":")[2], **settings)
            process = opened.enter_context(command)
            wait_until("it is ready", lambda: process.exitcode is not None or answers(f"{server}/health/ready"))
            return process

        instances = {server: start(server) for server in servers}
        with behind_both_proxies(place, servers) as proxies, load.flowing(proxies):
            for server in itertools.cycle(servers):
                instance = instances[server]
                instance.terminate()
                wait_until("the instance is not ready", partial(is_stopping, server))
                assert_late_requests_are_answered(server, instance)
                instance.join(SECONDS_TO_END)
                assert instance.exitcode == 0
                instances[server] = start(server)
                load.wait_for_more()
                if server == servers[-1] and load.is_complete:
                    break
    assert_nothing_failed(load, superuser)


def test_processes_at_one_port_that_are_replaced_in_turn_lose_no_request_and_end_with_their_parent(
    addresses: Addresses, place: Path, load: Load, superuser: psycopg.Connection
) -> None:
    settings = TOKEN_KEYS_SETTING | {"TESSERA_PROCESSES": "2", "TESSERA_DRAIN_SECONDS": "0.5"}
    with running_server("api", data=place, TESSERA_DATABASE_URL=addresses.application, **settings) as server:
        parent = server.process
        with behind_both_proxies(place, [server.url]) as proxies, load.flowing(proxies):
            while True:
                replaced = serving_children(parent.pid)
                assert len(replaced) == 2
                parent.send_signal(signal.SIGHUP)
                wait_until("all processes are replaced", partial(are_replaced, server.url, replaced))
                load.wait_for_more()
                if load.is_complete:
                    break
        assert_nothing_failed(load, superuser)
        children = serving_children(parent.pid)
        parent.kill()
        parent.wait()
        wait_until("the children have ended", lambda: have_ended(children))
