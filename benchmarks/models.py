"""Bare models of writing: psycopg alone, one transaction after the other on each of as many connections."""

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
    """How often a second that many clients at once do the `work`, which is given a connection and a new number."""
    return asyncio.run(_measure(url, work, connections=connections, seconds=seconds, numbers=numbers))


async def _measure(
    url: str, work: Work, *, connections: int, seconds: float, numbers: "itertools.count[int]"
) -> Figures:
    opened = [await psycopg.AsyncConnection.connect(url, prepare_threshold=0) for _ in range(connections)]

    async def run(deadline: float) -> list[float]:
        async def client(connection: Connection) -> list[float]:
            taken = []
            while (began := time.perf_counter()) < deadline:
                await work(connection, next(numbers))
                taken.append((time.perf_counter() - began) * 1000)
            return taken

        found = await asyncio.gather(*map(client, opened))
        return sorted(itertools.chain.from_iterable(found))

    await run(time.perf_counter() + WARM_UP_SECONDS)
    used, database = time.process_time(), database_cpu_seconds()
    began = time.perf_counter()
    taken = await run(began + seconds)
    elapsed = time.perf_counter() - began
    used, database = time.process_time() - used, database_cpu_seconds() - database
    for connection in opened:
        await connection.close()
    count, (p50, p95, p99) = len(taken), (taken[len(taken) * q // 100] for q in (50, 95, 99))
    return Figures(
        per_second=count / elapsed,
        p50=p50,
        p95=p95,
        p99=p99,
        cpu_ms=used / count * 1000,
        database_ms=database / count * 1000,
    )
