"""The drills in a short form: a network that fails, a server that is killed, and a count that sees what is wrong."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url

from tessera.provision import Addresses
from tests.attacks.parties import Party
from tests.attacks.stage import populate
from tests.drills import counting, drill
from tests.drills.drill import Drill, Goals
from tests.drills.faults import kill_api_parent
from tests.drills.installation import Installation, Service, common_settings
from tests.drills.load import PURCHASE, Write
from tests.drills.wire import Wire, wired
from tests.support import citus, guard
from tests.support.commands import answers
from tests.support.waiting import wait_until

pytestmark = citus.plain_postgres_only("their network leads to a socket of one server")

BUSY = Goals(back=60, worker=60, response=60)  # the machine that runs the tests may have other work


@pytest.fixture(scope="module")
async def parties(addresses: Addresses) -> tuple[Party, ...]:
    return (await populate(addresses))[:2]


@pytest.fixture(scope="module")
def wire(addresses: Addresses) -> Iterator[Wire]:
    """A network to the Postgres of the tests that a test may cut."""
    host = make_url(addresses.owner).query["host"]
    with wired(Path(str(host), ".s.PGSQL.5432")) as network:
        yield network


@pytest.fixture(scope="module")
def installation(addresses: Addresses, parties: tuple[Party, ...], wire: Wire) -> Iterator[Installation]:
    """One process that is the API and the worker, beyond that network."""
    with guard.place() as directory:
        settings = common_settings(replace(addresses, application=wire.url(addresses.application)), directory)
        service = Service(["serve"], settings, directory)
        found = Installation(addresses.owner, settings, directory, parties, service, service)
        try:
            found.wait_until_ready()
            yield found
        finally:
            service.end()


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill, "SECONDS_BEFORE", 0.1)
    monkeypatch.setattr(drill, "SECONDS_AFTER", 0.1)


def test_nothing_is_lost_or_doubled_when_the_network_fails(installation: Installation, wire: Wire) -> None:
    def act(_: Installation) -> float:
        wire.cut()
        wait_until("the callers notice it", lambda: not answers(f"{installation.url}/health/ready"))
        wire.heal()
        return time.time()

    row = drill.run(installation, Drill("network", act, BUSY), seed=1)
    assert (row.failures, row.acknowledged > 2) == ([], True)


def test_nothing_is_lost_or_doubled_when_the_server_is_killed(installation: Installation) -> None:
    row = drill.run(installation, Drill("server", kill_api_parent, BUSY), seed=1)
    assert (row.failures, row.errors > 0, row.acknowledged > 2) == ([], True, True)


def test_a_write_that_is_missing_or_there_twice_is_counted(installation: Installation) -> None:
    twice, lost = (
        Write(installation.parties[0], PURCHASE, f"purchase-{name}", "SPRING0") for name in ("twice", "lost")
    )
    method, path, body, headers = twice.request()
    for key in ("one", "two"):
        answer = httpx.request(
            method, installation.url + path, content=body, headers={**headers, "Idempotency-Key": key}, timeout=60
        )
        assert answer.status_code == 200
    wait_until("there are vouchers", lambda: not counting.has_unfinished_purchases(installation.owner))
    assert counting.count(installation.owner, [twice, lost], [twice, lost]) == (1, 1)
