"""The cost of a process: its start, its memory, and the throughput that a second one adds."""

import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from benchmarks import validating
from benchmarks.data import Shop
from benchmarks.results import Figures, Results
from benchmarks.servers import Server, free_port, running, serving, wait_until_ready
from benchmarks.sizes import CONNECTIONS, SIZES

STARTS = 3
TWO = "two processes on two cores"
TWO_BARE = "two processes of the floor on two cores"
# The share of all cores above which the machine counts as busy; the operating system uses the rest.
BUSY = 0.85


def measure_start(results: Results) -> None:
    """Measure the time from the start of the command to the first response, with an existing data directory."""
    with tempfile.TemporaryDirectory(prefix="tessera-benchmark-") as directory:
        _start(directory)
        seconds = median(_start(directory) for _ in range(STARTS))
    results.judge("tessera serve --demo, warm start to first response", "under 2 s", seconds, reached=seconds < 2)


def _start(directory: str) -> float:
    port, began = free_port(), time.perf_counter()
    environment = {"TESSERA_DATA_DIR": directory, "PORT": str(port), "TESSERA_LOG_LEVEL": "WARNING"}
    command = [str(Path(sys.executable).with_name("tessera")), "serve", "--demo"]
    with running(command, environment) as process:
        wait_until_ready(port, process)
        return time.perf_counter() - began


def measure_memory(results: Results, shops: Sequence[Shop], environment: dict[str, str]) -> None:
    """Measure the memory of one process after its first 1,000 requests and after many."""
    load = validating.requests(shops)
    with serving("Tessera", "benchmarks.applications:tessera", environment) as server:
        _send(server, load, 1_000)
        before = server.resident_mib()
        sent = _send(server, load, SIZES.memory_requests)
        growth = server.resident_mib() - before
    results.judge(
        f"memory after {sent:,} requests, compared to 1,000", "growth under 10 MiB", growth, reached=growth < 10
    )


def _send(server: Server, load: Sequence[bytes], count: int) -> int:
    sent = 0
    while sent < count:
        figures = server.measure(load, connections=CONNECTIONS, seconds=min(count / 10_000, 4))
        sent += round((figures.per_second or 0) * min(count / 10_000, 4))
    return sent


def measure_two(
    results: Results, servers: Mapping[str, Server], shops: Sequence[Shop], environment: dict[str, str]
) -> None:
    """Compare validation by two processes and by one, for Tessera and for the floor, and the cores in use."""
    load = validating.requests(shops)

    def measure(case: str, application: str, one: Server) -> dict[str, Figures]:
        with serving("two", application, environment, processes=2) as two:

            def run(server: Server) -> Figures:
                return server.measure(load, connections=2 * CONNECTIONS, seconds=SIZES.seconds)

            contenders = {"two processes": lambda: run(two), "one process": lambda: run(one)}
            return results.interleave(case, contenders, rounds=SIZES.rounds)

    measure(TWO_BARE, "benchmarks.floors:bare", servers["bare"])
    medians = measure(TWO, "benchmarks.applications:tessera", servers["Tessera"])
    ratio = results.ratio(TWO, "two processes")
    for name, figures in medians.items():
        cores = {"servers": figures.server_cores, "database": figures.database_cores, "load": figures.load_cores}
        shares = ", ".join(f"{part} {number or 0:.2f}" for part, number in cores.items())
        results.note(f"cores in use with {name}", f"{shares}, together {_cores(figures):.2f}")
    busy = _cores(medians["two processes"]) / (os.cpu_count() or 1)
    results.judge(TWO, f"1.6 x, or all cores above {BUSY:.0%}", ratio, reached=ratio >= 1.6 or busy >= BUSY)


def _cores(figures: Figures) -> float:
    return sum(cores or 0 for cores in (figures.server_cores, figures.database_cores, figures.load_cores))
