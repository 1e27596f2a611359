"""The processes of an installation: an API of two processes and a worker, started again as a service manager does."""

import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tessera.provision import Addresses
from tests.attacks.parties import Party
from tests.attacks.stage import TOKEN_KEYS
from tests.support.commands import SECONDS_TO_END, RunningCommand, answers, free_port
from tests.support.waiting import wait_until


class Service:
    """A process of the installation; each start has files of its own for its output."""

    def __init__(
        self, arguments: Sequence[str], settings: Mapping[str, str], directory: Path, **program: Sequence[str]
    ) -> None:
        self._arguments, self._settings, self._directory, self._program = arguments, settings, directory, program
        self.logs: list[RunningCommand] = []
        self.start()

    @property
    def pid(self) -> int:
        return self.logs[-1].pid

    @property
    def log(self) -> str:
        """The standard error of all starts so far."""
        return "".join(process.log for process in self.logs)

    def start(self) -> None:
        """Start the process, which is not ready yet."""
        directory = Path(tempfile.mkdtemp(dir=self._directory))
        self.logs.append(RunningCommand(self._arguments, self._settings, directory, **self._program))

    def kill(self) -> None:
        """End the process with SIGKILL."""
        self.end(signal.SIGKILL)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal, and wait for the end of the process."""
        self.logs[-1].send_signal(number)
        self.logs[-1].wait(SECONDS_TO_END)

    def serving_children(self) -> list[int]:
        """The processes of the API that serve requests."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@dataclass
class Installation:
    """An API and a worker on a database, whose owner's address is never broken."""

    owner: str
    settings: dict[str, str]
    directory: Path
    parties: Sequence[Party]
    api: Service
    worker: Service

    @property
    def url(self) -> str:
        """The address of the API."""
        return f"http://127.0.0.1:{self.settings['TESSERA_PORT']}"

    def wait_until_ready(self) -> None:
        """Wait until the API is ready."""
        wait_until("the API is ready", lambda: answers(f"{self.url}/health/ready"))


def common_settings(addresses: Addresses, directory: Path) -> dict[str, str]:
    """The settings of all processes of an installation, with a free port."""
    return {
        "TESSERA_DATABASE_URL": addresses.application,
        "TESSERA_OWNER_DATABASE_URL": addresses.owner,
        "TESSERA_TOKEN_KEYS": TOKEN_KEYS,
        "TESSERA_LOG_LEVEL": "WARNING",
        "TESSERA_DATA_DIR": str(directory),
        "TESSERA_PORT": str(free_port()),
    }


@contextmanager
def installed(
    addresses: Addresses, parties: Sequence[Party], directory: Path, *, worker_url: str = "", **settings: str
) -> Iterator[Installation]:
    """An installation on this database; its worker may have another address than its API."""
    common = common_settings(addresses, directory) | {"TESSERA_PROCESSES": "2", **settings}
    api = Service(["api"], common, directory)
    worker = Service(["worker"], common | ({"TESSERA_DATABASE_URL": worker_url} if worker_url else {}), directory)
    result = Installation(addresses.owner, common, directory, parties, api, worker)
    try:
        result.wait_until_ready()
        yield result
    finally:
        for service in (result.api, result.worker):
            service.end()
