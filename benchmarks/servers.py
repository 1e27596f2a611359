"""Servers under load: separate processes on free loopback ports."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx

from benchmarks.load import WARM_UP_SECONDS
from benchmarks.results import Figures

TICKS = os.sysconf("SC_CLK_TCK")
DATABASE_PID = "BENCHMARK_DATABASE_PID"
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Server:
    """A running server of one or several processes."""

    name: str
    port: int
    pid: int

    def measure(self, requests: Sequence[bytes], *, connections: int, seconds: float, expected: int = 200) -> Figures:
        """Run the load generator; returns its figures with the CPU time and the memory of the server."""
        before, began = self._cpu_seconds(), time.perf_counter()
        output = subprocess.run(
            [sys.executable, "-m", "benchmarks.load", str(self.port), str(connections), str(seconds)],
            input=b"\n".join(base64.b64encode(request) for request in requests),
            stdout=subprocess.PIPE,
            check=True,
            timeout=seconds + 180,
        ).stdout
        elapsed = time.perf_counter() - began
        report = json.loads(output)
        assert report["statuses"].keys() == {str(expected)}, (self.name, report)
        cpu, database_cpu = (after - each for after, each in zip(self._cpu_seconds(), before, strict=True))
        count = report["all_requests"]
        # The servers are idle while the generator starts.
        active = seconds + WARM_UP_SECONDS if elapsed > seconds + WARM_UP_SECONDS else elapsed
        return Figures(
            **{name: report[name] for name in ("per_second", "p50", "p95", "p99", "load_cores")},
            cpu_ms=cpu / count * 1000,
            database_ms=database_cpu / count * 1000,
            memory_mib=self.resident_mib(),
            server_cores=cpu / active,
            database_cores=database_cpu / active,
        )

    def _cpu_seconds(self) -> tuple[float, float]:
        return cpu_seconds(self.pid), database_cpu_seconds()

    def resident_mib(self) -> float:
        """The resident memory of the server's processes in MiB."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in process_tree(self.pid))
        return pages * PAGE_BYTES / 2**20


def process_tree(pid: int) -> list[int]:
    """The ids of a process and its descendants."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []  # The process has ended.
    return [pid, *(each for child in children for each in process_tree(int(child)))]


def database_cpu_seconds() -> float:
    """The CPU time of the database's processes so far."""
    return cpu_seconds(int(os.environ[DATABASE_PID]))


def cpu_seconds(root: int) -> float:
    """The CPU time of a process and its children so far, including children that have ended."""
    total = 0
    for pid in process_tree(root):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            continue  # The process has ended, and the figures of its parent include it.
        total += sum(map(int, fields[11:15]))
    return total / TICKS


@contextmanager
def serving(name: str, application: str, environment: dict[str, str], *, processes: int = 1) -> Iterator[Server]:
    """A uvicorn server of the factory `application` until the context ends."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", application, "--port", str(port), "--log-level", "error"]
    command += ["--no-access-log", "--no-proxy-headers"]
    if processes > 1:
        command = [sys.executable, "-m", "benchmarks.multiprocess", application, str(port), str(processes)]
    with running(command, environment) as process:
        wait_until_ready(port, process)
        yield Server(name, port, process.pid)


@contextmanager
def serving_as_shipped(url: str, token_keys: Mapping[str, str]) -> Iterator[Server]:
    """`tessera api` with its default settings, whose log goes to a file, until the context ends."""
    environment = {
        "TESSERA_DATABASE_URL": url,
        "TESSERA_PORT": str(port := free_port()),
        "TESSERA_TOKEN_KEYS": ",".join(f"{kid}:{secret}" for kid, secret in token_keys.items()),
    }
    command = [str(Path(sys.executable).with_name("tessera")), "api"]
    with tempfile.TemporaryFile() as log, running(command, environment, stderr=log) as process:
        wait_until_ready(port, process)
        yield Server("as shipped", port, process.pid)


@contextmanager
def running(
    command: Sequence[str], environment: dict[str, str], *, stderr: IO[bytes] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process until the context ends; it is killed if it ignores SIGTERM for a minute."""
    process = subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=stderr)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def free_port() -> int:
    """A free loopback port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait at most 30 seconds until the server responds."""
    deadline = time.monotonic() + 30
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/health/live")
        except httpx.TransportError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise
            time.sleep(0.01)
        else:
            return


def post(path: str, headers: dict[str, str], body: object) -> bytes:
    """The bytes of a POST request with a JSON body."""
    content = json.dumps(body).encode()
    default_headers = {"Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": str(len(content))}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in (default_headers | headers).items())]
    return "\r\n".join([*lines, "", ""]).encode() + content


def get(path: str, headers: dict[str, str]) -> bytes:
    """The bytes of a GET request."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()
