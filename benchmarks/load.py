"""The load generator: keep-alive connections that send ready-made requests, in their order, one after the other.

Run as `python -m benchmarks.load PORT CONNECTIONS SECONDS < requests`, with one request a line (base64); prints JSON.
It is a process of its own, so that its work is not the server's.
"""

import asyncio
import base64
import itertools
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import uvloop


@dataclass
class Tally:
    """What one run saw; latencies are in seconds."""

    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)


async def send_until(deadline: float, port: int, requests: Iterator[bytes], tally: Tally) -> None:
    """Send the next requests over one connection, each after the answer to the one before."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < deadline:
        began = time.perf_counter()
        writer.write(next(requests))
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        tally.latencies.append(time.perf_counter() - began)
        status = int(head[9:12])
        tally.statuses[status] = tally.statuses.get(status, 0) + 1
    writer.close()


async def run(port: int, connections: int, seconds: float, requests: list[bytes]) -> dict[str, object]:
    """One measurement after a short warm-up."""
    ordered_requests = itertools.cycle(requests)
    warm = time.perf_counter() + 0.5
    await asyncio.gather(*(send_until(warm, port, ordered_requests, Tally()) for _ in range(connections)))
    tally, began = Tally(), time.perf_counter()
    await asyncio.gather(*(send_until(began + seconds, port, ordered_requests, tally) for _ in range(connections)))
    elapsed = time.perf_counter() - began
    ordered = sorted(tally.latencies)
    quantiles = {f"p{q}": round(ordered[len(ordered) * q // 100] * 1000, 3) for q in (50, 95, 99)}
    return {
        "requests": len(ordered),
        "per_second": round(len(ordered) / elapsed, 1),
        **quantiles,
        "statuses": tally.statuses,
    }


if __name__ == "__main__":
    port, connections, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    lines = [base64.b64decode(line) for line in sys.stdin]
    print(json.dumps(uvloop.run(run(port, connections, seconds, lines))))
