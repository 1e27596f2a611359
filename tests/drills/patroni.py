"""Two Postgres nodes under Patroni with etcd: Debian's packages, or PyPI's Patroni with the Postgres of the wheel."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tessera.kit.embedded_postgres.programs import find_installation
from tessera.provision import Addresses
from tests.support.commands import free_port
from tests.support.freezing import processes_of
from tests.support.waiting import wait_until

ETCD = shutil.which("etcd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
SECONDS_TO_JOIN = 120
# The lease is the shortest that Patroni allows. `synchronous_mode` is what keeps acknowledged writes in a failover.
CONFIGURATION = """
scope: drill
name: {name}
restapi: {{listen: "127.0.0.1:{rest}", connect_address: "127.0.0.1:{rest}"}}
etcd3: {{hosts: "127.0.0.1:{etcd}"}}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 2
    retry_timeout: 3
    synchronous_mode: true
    postgresql:
      use_pg_rewind: true
      parameters: {{max_connections: 200, wal_keep_size: 128MB, wal_log_hints: "on"}}
  initdb: [{{encoding: UTF8}}, {{locale: C.UTF-8}}, data-checksums]
postgresql:
  listen: "127.0.0.1:{port}"
  connect_address: "127.0.0.1:{port}"
  bin_dir: {programs}
  data_dir: {directory}/data
  pgpass: {directory}/pgpass
  authentication:
    superuser: {{username: postgres, password: drill}}
    replication: {{username: replicator, password: drill}}
  parameters: {{unix_socket_directories: "{directory}"}}
  pg_hba:
    - local all all trust
    - host all all 127.0.0.1/32 trust
    - host replication replicator 127.0.0.1/32 trust
watchdog: {{mode: "off"}}
"""


@dataclass(frozen=True)
class Flavour:
    """A Patroni, and the programs of Postgres that it runs.

    Before 3.1, a primary that is frozen until another one was elected may take its role back, and undo what the other
    one has acknowledged. A watchdog prevents it, by a reset of the machine; here, the machine is killed.
    """

    name: str
    patroni: Path
    programs: Path
    may_thaw: bool


def flavours() -> Iterator[Flavour]:
    """The flavours that are installed, PyPI's first."""
    for flavour in (
        Flavour("PyPI", Path(sys.executable).with_name("patroni"), find_installation(None).directory, may_thaw=True),
        Flavour("Debian", Path("/usr/bin/patroni"), Path("/usr/lib/postgresql/15/bin"), may_thaw=False),
    ):
        if flavour.patroni.exists() and (flavour.programs / "pg_rewind").exists():
            yield flavour


class Background(subprocess.Popen[bytes]):
    """A program in the background, as a user who may run Postgres, with its output in a file."""

    def __init__(self, command: list[str], log: Path) -> None:
        account = pwd.getpwnam("postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name)
        with log.open("ab") as output:
            super().__init__(
                command,
                stdout=output,
                stderr=output,
                cwd=log.parent,
                user=account.pw_uid,
                group=account.pw_gid,
                extra_groups=[] if os.geteuid() == 0 else None,
                start_new_session=True,
            )


@dataclass
class Node:
    """A Postgres under Patroni; killed or frozen, it is like a machine that is."""

    name: str
    directory: Path
    flavour: Flavour
    etcd: int
    port: int = field(default_factory=free_port)
    rest: int = field(default_factory=free_port)
    process: Background | None = None

    def start(self) -> None:
        """Start Patroni, which starts Postgres."""
        _open_directory(self.directory)
        configuration = self.directory / "patroni.yml"
        values = {"name": self.name, "rest": self.rest, "etcd": self.etcd, "port": self.port}
        values |= {"programs": self.flavour.programs, "directory": self.directory}
        configuration.write_text(CONFIGURATION.format(**values))
        self.process = Background([str(self.flavour.patroni), str(configuration)], self.directory / "log")

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def pids(self) -> list[int]:
        """Patroni and the processes of Postgres, the postmaster second."""
        assert self.process is not None
        with suppress(FileNotFoundError, ProcessLookupError):
            return [self.process.pid, *processes_of(self.data)]
        return [self.process.pid]

    def kill(self) -> None:
        """End Patroni and Postgres with SIGKILL."""
        assert self.process is not None
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def status(self) -> dict[str, str]:
        """What Patroni reports of this node; empty if it does not answer."""
        try:
            found: dict[str, str] = httpx.get(f"http://127.0.0.1:{self.rest}/patroni", timeout=2).json()
        except (httpx.HTTPError, ValueError):
            return {}
        return found

    @property
    def owner(self) -> str:
        """The address of this node for a superuser."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"


@dataclass
class Cluster:
    """Two nodes, and the etcd that they agree through."""

    nodes: tuple[Node, Node]
    _states: list[dict[str, str]] = field(default_factory=list)  # of the nodes, when they were last read

    @property
    def addresses(self) -> Addresses:
        """The addresses with both nodes, of which clients use the one that takes writes."""
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        query = "postgres?target_session_attrs=read-write"
        return Addresses(f"postgresql://tessera_app@{hosts}/{query}", f"postgresql://postgres@{hosts}/{query}")

    def primary_and_standby(self) -> tuple[Node, Node]:
        """The nodes by their present roles, once the standby is synchronous."""
        wait_until("a primary with a synchronous standby", self._is_whole, seconds=SECONDS_TO_JOIN)
        first, second = self.nodes
        return (first, second) if self._states[0].get("role") in ("primary", "master") else (second, first)

    def _is_whole(self) -> bool:
        self._states = [node.status() for node in self.nodes]
        roles = {state.get("role") for state in self._states}
        is_synchronous = any(state.get("sync_standby") for state in self._states)
        return is_synchronous and all(state.get("state") == "running" for state in self._states) and len(roles) == 2

    def switch_over(self) -> Node:
        """Let Patroni make the standby the primary; returns the new one."""
        primary, standby = self.primary_and_standby()
        url, body = f"http://127.0.0.1:{primary.rest}/switchover", {"leader": primary.name, "candidate": standby.name}
        answer = httpx.post(url, json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return standby


@contextmanager
def clustered(flavour: Flavour, directory: Path) -> Iterator[Cluster]:
    """A running cluster in a new directory."""
    _open_directory(directory)
    client, peer = free_port(), free_port()
    urls = [f"http://127.0.0.1:{port}" for port in (client, peer)]
    command = [str(ETCD), "--data-dir", str(directory / "etcd"), "--listen-client-urls", urls[0]]
    command += ["--advertise-client-urls", urls[0], "--listen-peer-urls", urls[1], "--log-level", "error"]
    command += ["--initial-advertise-peer-urls", urls[1], "--initial-cluster", f"default={urls[1]}"]
    cluster = Cluster(
        (Node("one", directory / "one", flavour, client), Node("two", directory / "two", flavour, client))
    )
    with ExitStack() as stack:
        etcd = Background(command, directory / "etcd.log")
        stack.callback(etcd.wait)
        stack.callback(etcd.kill)
        for node in cluster.nodes:
            node.start()
            stack.callback(node.kill)
            wait_until("the node runs", lambda node=node: node.status().get("state") == "running")  # type: ignore[misc]
        cluster.primary_and_standby()
        yield cluster


def _open_directory(directory: Path) -> None:
    directory.mkdir(mode=0o755, exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(directory, "postgres", "postgres")
