"""The floor of the writes: psycopg without a server, with one transaction after another on each connection."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable

import psycopg

from benchmarks.results import Figures
from benchmarks.servers import database_cpu_seconds

Connection = psycopg.AsyncConnection[tuple[object, ...]]
Work = Callable[[Connection, int], Awaitable[None]]

WARM_UP_SECONDS = 0.3


def measure(url: str, work: Work, *, connections: int, seconds: float, numbers: "itertools.count[int]") -> Figures:
    """Measure how often per second concurrent clients complete `work`, each call with a new number."""
    return asyncio.run(_measure(url, work, connections=connections, seconds=seconds, numbers=numbers))


async def _measure(
    url: str, work: Work, *, connections: int, seconds: float, numbers: "itertools.count[int]"
) -> Figures:
    pool = [await psycopg.AsyncConnection.connect(url, prepare_threshold=0) for _ in range(connections)]

    async def run(deadline: float) -> list[float]:
        async def client(connection: Connection) -> list[float]:
            latencies = []
            while (began := time.perf_counter()) < deadline:
                await work(connection, next(numbers))
                latencies.append((time.perf_counter() - began) * 1000)
            return latencies

        runs = await asyncio.gather(*map(client, pool))
        return sorted(itertools.chain.from_iterable(runs))

    await run(time.perf_counter() + WARM_UP_SECONDS)
    cpu, database_cpu = time.process_time(), database_cpu_seconds()
    began = time.perf_counter()
    latencies = await run(began + seconds)
    elapsed = time.perf_counter() - began
    cpu, database_cpu = time.process_time() - cpu, database_cpu_seconds() - database_cpu
    for connection in pool:
        await connection.close()
    count, (p50, p95, p99) = len(latencies), (latencies[len(latencies) * q // 100] for q in (50, 95, 99))
    return Figures(
        per_second=count / elapsed,
        p50=p50,
        p95=p95,
        p99=p99,
        cpu_ms=cpu / count * 1000,
        database_ms=database_cpu / count * 1000,
    )
