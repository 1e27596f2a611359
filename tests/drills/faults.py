"""What breaks on one machine: processes, the network to Postgres, the disk, a clock, and a pooler."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from tests.drills.counting import opened, wait_for_writes
from tests.drills.database import Postgres
from tests.drills.drill import Drill, Goals
from tests.drills.installation import Installation, Service
from tests.drills.load import HOLD, PURCHASE, REDEMPTION
from tests.drills.wire import Wire
from tests.support.commands import serving_children
from tests.support.freezing import frozen
from tests.support.pooling import Pooler
from tests.support.waiting import wait_until

# Longer than the 15 s of a request, so that the requests of the beginning end before the repair.
SECONDS_OF_SILENCE = 18.0
SECONDS_WITHOUT_ROOM = 8.0
IPTABLES = shutil.which("iptables", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
FULL_DISK = "full disk"
DROP = "dead peers: packets are dropped"
# Half of the new connections wait until the successor of a killed process has started.
RESTART = Goals(back=30, response=30)
# A worker as the command starts it, with a clock that is an hour ahead.
WORKER_AHEAD = """
from datetime import timedelta
from tessera.kit import clock
right = clock.clock
clock.clock = lambda: right() + timedelta(hours=1)
from tessera.cli import run
run()
"""


def kill_api_child(installation: Installation) -> float:
    """Kill one of the processes of the API that serve requests; its parent starts another one."""
    os.kill(serving_children(installation.api.pid)[0], signal.SIGKILL)
    return time.time()


def kill_api_parent(installation: Installation) -> float:
    """Kill the parent of the processes of the API; its children end, and the service is started again."""
    installation.api.kill()
    installation.api.start()
    installation.wait_until_ready()
    return time.time()


def kill_worker(installation: Installation) -> float:
    """Kill the worker, and start it again."""
    installation.worker.kill()
    return _start_worker(installation)


def _start_worker(installation: Installation) -> float:
    began = time.time()
    installation.worker.start()
    query = "select from procrastinate_workers where last_heartbeat > to_timestamp(%s)"
    with opened(installation.owner) as connection:
        wait_until("the worker runs", lambda: connection.execute(query, [began]).fetchone() is not None)
    return time.time()


def kill_backend(installation: Installation) -> float:
    """Kill a process of Postgres that serves the API, after which Postgres restarts all its processes."""
    query = "select pid from pg_stat_activity where application_name = 'tessera' and pid <> pg_backend_pid() limit 1"
    with opened(installation.owner) as connection:
        ((pid,),) = connection.execute(query).fetchall()
    os.kill(pid, signal.SIGKILL)
    return wait_for_writes(installation.owner)


def kill_postmaster(postgres: Postgres, installation: Installation) -> float:
    """Kill the postmaster, and start the server again."""
    postgres.kill()
    postgres.start_again()
    return wait_for_writes(installation.owner)


def of_processes(postgres: Postgres) -> Sequence[Drill]:
    """kill -9 of each process."""
    return (
        Drill("kill -9 of an API process", kill_api_child, RESTART),
        Drill("kill -9 of the API's parent", kill_api_parent, RESTART),
        Drill("kill -9 of the worker", kill_worker),
        Drill("kill -9 of a Postgres backend", kill_backend),
        Drill("kill -9 of the postmaster", partial(kill_postmaster, postgres)),
    )


def freeze(postgres: Postgres) -> Drill:
    """SIGSTOP of Postgres."""

    def act(_: Installation) -> float:
        with frozen(postgres.data):
            time.sleep(SECONDS_OF_SILENCE)
        return time.time()

    return Drill("SIGSTOP of Postgres", act)


def swallow(wire: Wire) -> Drill:
    """A network that swallows bytes."""

    def act(_: Installation) -> float:
        wire.swallow()
        time.sleep(SECONDS_OF_SILENCE)
        wire.heal()
        return time.time()

    return Drill("dead peers: bytes are swallowed", act)


def drop(wire: Wire) -> Drill:
    """A firewall that drops packets, as a machine without power does."""

    def act(_: Installation) -> float:
        with _dropped(wire.port):
            time.sleep(SECONDS_OF_SILENCE)
        return time.time()

    return Drill(DROP, act)


def can_drop_packets() -> bool:
    """Whether the user may change the rules of the firewall."""
    return os.geteuid() == 0 and IPTABLES is not None and _iptables("-L", "INPUT", "-n") == 0


@contextmanager
def _dropped(port: int) -> Iterator[None]:
    rules = [("INPUT", "-i", "lo", "-p", "tcp", side, str(port), "-j", "DROP") for side in ("--dport", "--sport")]
    try:
        for rule in rules:
            assert _iptables("-I", *rule) == 0, "iptables adds no rule"
        yield
    finally:
        for rule in rules:
            _iptables("-D", *rule)


def _iptables(*arguments: str) -> int:
    return subprocess.run([str(IPTABLES), "-w", "5", *arguments], capture_output=True, check=False).returncode


def fill_disk(postgres: Postgres) -> Drill:
    """A full disk, until somebody makes room."""

    def act(installation: Installation) -> float:
        ballast = postgres.fill_disk()
        time.sleep(SECONDS_WITHOUT_ROOM)
        ballast.unlink()
        if not postgres.is_running():
            postgres.start_again()
        return wait_for_writes(installation.owner)

    return Drill(FULL_DISK, act)


def skew_clock(installation: Installation) -> float:
    """Replace the worker by one whose clock is an hour ahead until it has refused to end holds, and then back."""
    installation.worker.end()
    program = (sys.executable, "-c", WORKER_AHEAD)
    ahead = Service(["worker"], installation.settings, installation.directory, program=program)
    try:
        wait_until("the worker says that its clock is wrong", lambda: "the clock is wrong" in ahead.log)
    finally:
        ahead.end()
    return _start_worker(installation)


SKEWED_CLOCK = Drill("a worker's clock is an hour ahead", skew_clock, Goals(), (REDEMPTION, HOLD, HOLD, PURCHASE))


class PoolerService:
    """A pooler that may be killed and started again."""

    def __init__(self, pooler: Pooler) -> None:
        self._pooler = pooler
        self.start()

    def start(self) -> None:
        self._process = self._pooler.start()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def running(pooler: Pooler) -> Iterator[PoolerService]:
    """The pooler until the block ends."""
    service = PoolerService(pooler)
    try:
        yield service
    finally:
        service.kill()


def of_pooler(service: PoolerService, postgres: Postgres) -> Sequence[Drill]:
    """A pooler that is killed and started again, and a database that restarts behind it."""

    def kill_pooler(_: Installation) -> float:
        service.kill()
        time.sleep(1)
        service.start()
        return time.time()

    return (
        Drill("kill -9 of PgBouncer", kill_pooler),
        Drill("kill -9 of Postgres behind PgBouncer", partial(kill_postmaster, postgres)),
    )
