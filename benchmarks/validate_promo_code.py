"""GET /api/v1/promo-codes beside its floors, in interleaved rounds: `python -m benchmarks.validate_promo_code`."""

import os
import random
import statistics
from contextlib import ExitStack
from typing import Any

from benchmarks import data
from benchmarks.servers import Server, get, serving

QUICK = bool(os.environ.get("QUICK"))
ORGANIZATIONS = 100
CODES = 1_000 if QUICK else 10_000
ROUNDS = 3 if QUICK else 5
SECONDS = 2.0 if QUICK else 4.0
CASES = (("Tessera", "tessera"), ("bare ASGI + psycopg", "bare"), ("FastAPI, no database", "without_database"))


def requests(storefronts: list[data.Storefront]) -> list[bytes]:
    """Requests with keys and codes drawn at random."""
    draw = random.Random(7)
    return [
        get(
            f"/api/v1/promo-codes?code=CODE{draw.randint(1, CODES)}",
            {"cv-api-key": draw.choice(storefronts).api_key},
        )
        for _ in range(20_000)
    ]


def medians(runs: list[dict[str, Any]]) -> dict[str, float]:
    """The median of each figure over the rounds."""
    names = ("per_second", "p50", "p95", "p99", "cpu_ms")
    return {name: statistics.median(run[name] for run in runs) for name in names}


def main() -> None:
    """Load, measure, print."""
    with data.database() as addresses, ExitStack() as stack:
        storefronts = data.load_promo_codes(addresses, organizations=ORGANIZATIONS, codes=CODES)
        environment = {"APPLICATION_URL": addresses.application, "OWNER_URL": addresses.owner}
        servers = [
            stack.enter_context(serving(name, f"benchmarks.applications:{factory}", environment))
            for name, factory in CASES
        ]
        load = requests(storefronts)
        print(f"{ORGANIZATIONS * CODES:,} promo codes in {ORGANIZATIONS} organizations, medians of {ROUNDS} rounds")
        for connections in (16, 1):
            report(servers, load, connections=connections)


def report(servers: list[Server], load: list[bytes], *, connections: int) -> None:
    """Measure the servers in turn, round by round, and print a row for each."""
    runs: dict[str, list[dict[str, Any]]] = {server.name: [] for server in servers}
    for _ in range(ROUNDS):
        for server in servers:
            run = server.measure(load, connections=connections, seconds=SECONDS)
            assert set(run["statuses"]) == {"200"}, run
            runs[server.name].append(run)
    headings = ("req/s", "p50 ms", "p95 ms", "p99 ms", "CPU ms", "RSS MiB", "of bare")
    print(f"\n{connections} connections\n{'':24}" + "".join(f"{heading:>9}" for heading in headings))
    floor = medians(runs["bare ASGI + psycopg"])["per_second"]
    for server in servers:
        row = medians(runs[server.name])
        figures = (*row.values(), server.resident_mib(), row["per_second"] / floor)
        print(f"{server.name:24}" + "".join(f"{figure:>9.2f}" for figure in figures))


if __name__ == "__main__":
    main()
