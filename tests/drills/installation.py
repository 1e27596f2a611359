"""The processes of an installation: an API of two processes and a worker, started again as a service manager does."""

import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tessera.provision import Addresses
from tests.attacks.parties import Party
from tests.attacks.stage import server_settings
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
        """Send a signal, and wait for the end of the process; one that does not end is killed, which is a failure."""
        process = self.logs[-1]
        process.send_signal(number)
        try:
            process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise AssertionError(f"{self._arguments[0]} did not end within {SECONDS_TO_END} s") from error


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
    place = {"TESSERA_DATA_DIR": str(directory), "TESSERA_PORT": str(free_port())}
    return server_settings(addresses) | place


@contextmanager
def installed(
    addresses: Addresses, parties: Sequence[Party], directory: Path, *, worker_url: str = "", **settings: str
) -> Iterator[Installation]:
    """An installation on this database; its worker may have another address than its API."""
    common = common_settings(addresses, directory) | {"TESSERA_PROCESSES": "2", **settings}
    of_worker = common | ({"TESSERA_DATABASE_URL": worker_url} if worker_url else {})
    with ExitStack() as stack:
        api = Service(["api"], common, directory)
        stack.callback(api.end)
        worker = Service(["worker"], of_worker, directory)
        stack.callback(worker.end)
        result = Installation(addresses.owner, common, directory, parties, api, worker)
        result.wait_until_ready()
        yield result
