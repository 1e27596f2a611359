"""The load generator: keep-alive connections, each of which sends one request after another.

Usage: `python -m benchmarks.load PORT CONNECTIONS SECONDS < requests`, with one request per line (base64). Prints JSON.
It runs in a separate process, so that its CPU time does not count as the server's, and does as little as possible.
"""

import asyncio
import base64
import itertools
import json
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import uvloop

WARM_UP_SECONDS = 0.3
SECONDS_TO_FINISH = 60


@dataclass
class Tally:
    """The result of one run; latencies are in seconds."""

    deadline: float
    latencies: list[float] = field(default_factory=list)
    statuses: dict[bytes, int] = field(default_factory=dict)
    last_response_at: float = 0.0


class Client(asyncio.Protocol):
    """One connection, which sends the next request as soon as it has the complete response to the previous one."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self._requests = requests
        self._tally = Tally(0)
        self._request_sent_at = 0.0
        self._received = b""
        self._bytes_left = 0  # of the response body
        self.done = asyncio.Event()

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - uvloop's own
        """Store the transport for the requests."""
        self._transport = transport

    def run(self, tally: Tally) -> None:
        """Send requests until the tally's deadline."""
        self._tally = tally
        self.done.clear()
        self._send()

    def _send(self) -> None:
        self._request_sent_at = time.perf_counter()
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        """Receive a chunk of a response, and send the next request when the response is complete."""
        if self._bytes_left:
            self._bytes_left -= len(data)
        else:
            self._received += data
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._received[:end].lower()
            at = head.index(b"content-length:") + 15
            length = int(head[at:].partition(b"\r\n")[0])
            self._bytes_left = length - (len(self._received) - end - 4)
            status = head[9:12]
            self._tally.statuses[status] = self._tally.statuses.get(status, 0) + 1
            self._received = b""
        if not self._bytes_left:
            self._complete()

    def _complete(self) -> None:
        now = time.perf_counter()
        self._tally.latencies.append(now - self._request_sent_at)
        self._tally.last_response_at = now
        if now < self._tally.deadline:
            self._send()
        else:
            self.done.set()

    def connection_lost(self, error: Exception | None) -> None:
        """End the benchmark, because its figures are wrong if the server closes a connection."""
        if not self.done.is_set():
            sys.exit(f"the server closed a connection: {error}")


async def run(port: int, connections: int, seconds: float, requests: list[bytes]) -> dict[str, object]:
    """Measure once, after a short warm-up; returns the figures of the report."""
    loop, ordered_requests = asyncio.get_running_loop(), itertools.cycle(requests)
    clients = [
        (await loop.create_connection(lambda: Client(ordered_requests), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]

    async def measure(seconds: float) -> Tally:
        tally = Tally(time.perf_counter() + seconds)
        for client in clients:
            client.run(tally)
        try:
            async with asyncio.timeout(seconds + SECONDS_TO_FINISH):
                await asyncio.gather(*(client.done.wait() for client in clients))
        except TimeoutError:
            sys.exit(f"a request had no complete response {SECONDS_TO_FINISH} s after the end of the run")
        return tally

    warm_up = await measure(WARM_UP_SECONDS)
    began, cpu = time.perf_counter(), cpu_seconds()
    tally = await measure(seconds)
    elapsed = tally.last_response_at - began
    ordered = sorted(tally.latencies)
    return {
        "requests": len(ordered),
        "all_requests": len(ordered) + len(warm_up.latencies),
        "per_second": len(ordered) / elapsed,
        **{f"p{q}": ordered[len(ordered) * q // 100] * 1000 for q in (50, 95, 99)},
        "load_cores": (cpu_seconds() - cpu) / elapsed,
        "statuses": {status.decode(): count for status, count in tally.statuses.items()},
    }


def cpu_seconds() -> float:
    """The CPU time of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    port, connections, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    lines = [base64.b64decode(line) for line in sys.stdin]
    print(json.dumps(uvloop.run(run(port, connections, seconds, lines))))
