"""Servers under load: each a uvicorn process of its own on a free loopback port."""

import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Server:
    """A running server process."""

    name: str
    port: int
    pid: int

    def measure(self, requests: Sequence[bytes], *, connections: int, seconds: float) -> dict[str, Any]:
        """What the load generator sees, with the server's CPU milliseconds for each request."""
        before = self.cpu_seconds()
        found: dict[str, Any] = json.loads(
            subprocess.run(
                [sys.executable, "-m", "benchmarks.load", str(self.port), str(connections), str(seconds)],
                input=b"\n".join(base64.b64encode(request) for request in requests),
                stdout=subprocess.PIPE,
                check=True,
            ).stdout
        )
        # The warm-up's requests are not counted, and cost a little CPU: half a second of it at this rate.
        warm_up = found["per_second"] * 0.5
        found["cpu_ms"] = round((self.cpu_seconds() - before) / (found["requests"] + warm_up) * 1000, 3)
        return found

    def cpu_seconds(self) -> float:
        """CPU time of the process so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_mib(self) -> float:
        """Memory of the process."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def serving(name: str, application: str, environment: dict[str, str]) -> Iterator[Server]:
    """A server of `application`, a factory as uvicorn takes it, until the context ends."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--factory", application, "--port", str(port), "--log-level", "error"]
    process = subprocess.Popen([*command, "--no-access-log", "--no-proxy-headers"], env=os.environ | environment)
    try:
        wait_until_ready(port)
        yield Server(name, port, process.pid)
    finally:
        process.terminate()
        process.wait()


def wait_until_ready(port: int) -> None:
    """Wait until the server answers."""
    deadline = time.monotonic() + 30
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/health/live")
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def post(path: str, headers: dict[str, str], body: object) -> bytes:
    """A POST request with a JSON body as it goes over the wire."""
    content = json.dumps(body).encode()
    more = {"Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": str(len(content))}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in (more | headers).items())]
    return "\r\n".join([*lines, "", ""]).encode() + content


def get(path: str, headers: dict[str, str]) -> bytes:
    """A GET request as it goes over the wire."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()
