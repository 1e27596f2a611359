"""The groups of drills, each with the installation that it breaks."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tessera import schema
from tessera.provision import Addresses
from tests.attacks.parties import Party
from tests.attacks.stage import populate
from tests.drills import backups, failover, faults, patroni
from tests.drills.counting import add_probe
from tests.drills.database import Postgres, small_file_system
from tests.drills.installation import installed
from tests.drills.table import Table
from tests.drills.wire import wired
from tests.support.pooling import PGBOUNCER, configured

ORGANIZATIONS = 5
RESTARTED_REQUESTS = 2000  # of each proxy
Parties = tuple[Party, ...]
Group = Callable[[Table, Path], None]


@contextmanager
def _database(directory: Path) -> Iterator[tuple[Postgres, Parties]]:
    """A Postgres with organizations, in a new directory."""
    place = Path(tempfile.mkdtemp(dir=directory))
    place.chmod(0o755)
    postgres = Postgres(place)
    try:
        yield postgres, _populate(postgres.addresses)
    finally:
        postgres.stop()


def _populate(addresses: Addresses) -> Parties:
    schema.migrate(addresses.owner, addresses.application)
    add_probe(addresses.owner)
    return asyncio.run(populate(addresses))[:ORGANIZATIONS]


def processes(table: Table, directory: Path) -> None:
    """kill -9 of each process, SIGSTOP of Postgres, and a wrong clock."""
    with (
        _database(directory) as (postgres, parties),
        installed(postgres.addresses, parties, directory) as installation,
    ):
        for drill in (*faults.of_processes(postgres), faults.freeze(postgres), faults.SKEWED_CLOCK):
            table.run(installation, drill)


def disk(table: Table, directory: Path) -> None:
    """A full disk."""
    place = Path(tempfile.mkdtemp(dir=directory))
    with small_file_system(place) as is_mounted:
        if not is_mounted:
            table.skip(faults.FULL_DISK, "only root can mount a small file system")
            return
        with (
            _database(place) as (postgres, parties),
            installed(postgres.addresses, parties, directory) as installation,
        ):
            table.run(installation, faults.fill_disk(postgres))


def peers(table: Table, directory: Path) -> None:
    """Dead peers."""
    with _database(directory) as (postgres, parties), wired(postgres.socket) as wire:
        addresses = replace(postgres.addresses, application=wire.url(postgres.addresses.application))
        with installed(addresses, parties, directory) as installation:
            table.run(installation, faults.swallow(wire))
            if faults.can_drop_packets():
                table.run(installation, faults.drop(wire))
            else:
                table.skip(faults.DROP, "only root can, with iptables")


def pooler(table: Table, directory: Path) -> None:
    """PgBouncer in front of the API's connections; the worker has its own."""
    if PGBOUNCER is None:
        table.skip("PgBouncer", "it is not installed")
        return
    with _database(directory) as (postgres, parties), tempfile.TemporaryDirectory() as name:
        bouncer = configured(Path(name), postgres.addresses.application, server_login_retry="1")
        with faults.running(bouncer) as service:
            direct = postgres.addresses.application
            addresses = replace(postgres.addresses, application=bouncer.url)
            settings = {"TESSERA_PREPARE_STATEMENTS": "false"}
            with installed(addresses, parties, directory, worker_url=direct, **settings) as installation:
                for drill in faults.of_pooler(service, postgres):
                    table.run(installation, drill)


def under_patroni(table: Table, directory: Path) -> None:
    """Failovers, in each version of Patroni that is installed."""
    found = list(patroni.flavours()) if patroni.ETCD else []
    for name in {"PyPI", "Debian"} - {flavour.name for flavour in found}:
        table.skip(f"Patroni ({name})", "no patroni, or no etcd")
    for number, flavour in enumerate(found):
        place = Path(tempfile.mkdtemp(dir=directory))
        with patroni.clustered(flavour, place) as cluster:
            parties = _populate(cluster.addresses)
            with installed(cluster.addresses, parties, directory) as installation:
                for drill in failover.drills(cluster, flavour.name, all_of_them=number == 0):
                    table.run(installation, drill)


def backup(table: Table, directory: Path) -> None:
    """A backup under load, and what a restore of it has of the writes that were acknowledged before it began."""
    with (
        _database(directory) as (postgres, parties),
        installed(postgres.addresses, parties, directory) as installation,
    ):
        table.show(backups.drill_backup(installation, directory, table.seed))


def upgrade(table: Table, _: Path) -> None:
    """The upgrade from the last release under load, which has a table of its own."""
    name = "upgrade under load"
    print(f"{name}:", flush=True)
    if subprocess.run([sys.executable, "-m", "tests.upgrade"], check=False).returncode:
        table.fail(name, "a request has failed, or a purchase has no vouchers")


def restarts(table: Table, _: Path) -> None:
    """Restarts in turn, behind nginx and HAProxy, until each has passed on 2,000 requests."""
    name = "restarts"
    print(f"{name}:", flush=True)
    command = [sys.executable, "-m", "pytest", "-q", "-s", "--timeout", "600", "tests/cli/test_rolling_restarts.py"]
    variables = os.environ | {"RESTARTED_REQUESTS": str(RESTARTED_REQUESTS)}
    if subprocess.run(command, env=variables, check=False).returncode:
        table.fail(name, "a request has failed")


GROUPS: Mapping[str, Group] = {
    "processes": processes,
    "disk": disk,
    "peers": peers,
    "pgbouncer": pooler,
    "backup": backup,
    "patroni": under_patroni,
    "upgrade": upgrade,
    "restarts": restarts,
}
