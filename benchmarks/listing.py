"""Lists: GET /promo-codes with nested exams and addresses, and GET /api/vouchers while its table grows."""

from collections.abc import Mapping
from functools import partial
from statistics import median

import httpx
import psycopg

from benchmarks import data
from benchmarks.data import Shop
from benchmarks.results import Figures, Results
from benchmarks.servers import Server, get
from benchmarks.sizes import CHOSEN, CONNECTIONS
from benchmarks.vouchers import Market

CODES = "GET /promo-codes, 100 with exams and addresses"
PAGES = {1: "/api/vouchers?isUsed=false", 100: "/api/vouchers?isUsed=false&page=100"}
TRIES = 50
NAMES = ("Tessera", "bare")


def measure(results: Results, servers: Mapping[str, Server], shop: Shop, connection: psycopg.Connection) -> None:
    """Measure promo codes beside the floor, and vouchers at each size; the largest size also beside the floor."""
    data.load_listed_codes(connection, shop, codes=1_000)
    _beside(results, servers, CODES, get("/promo-codes", shop.bearer))
    market = Market(connection, shop)
    latencies: dict[int, list[float]] = {page: [] for page in PAGES}
    for size in CHOSEN.vouchers:
        market.grow(size)
        for page, path in PAGES.items():
            latencies[page].append(_alone(servers["Tessera"], path, shop))
            results.note(f"{path} of {size:,} vouchers, one at a time", latencies[page][-1], "ms")
    for page, path in PAGES.items():
        case = f"GET {path} of {CHOSEN.vouchers[-1]:,}"
        _beside(results, servers, case, get(path, shop.bearer))
        growth = latencies[page][-1] / latencies[page][0]
        results.judge(case, f"within 2 x from {CHOSEN.vouchers[0]:,}", growth, reached=growth <= 2)


def _beside(results: Results, servers: Mapping[str, Server], case: str, request: bytes) -> None:
    def run(name: str) -> Figures:
        return servers[name].measure([request], connections=CONNECTIONS, seconds=CHOSEN.seconds)

    results.interleave(case, {name: partial(run, name) for name in NAMES}, rounds=CHOSEN.rounds)
    ratio = results.ratio(case, "Tessera")
    results.judge(case, "0.60 of the floor", ratio, reached=ratio >= 0.6)


def _alone(server: Server, path: str, shop: Shop) -> float:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", headers=shop.bearer, timeout=60) as client:
        latencies = []
        for _ in range(TRIES):
            answer = client.get(path)
            assert len(answer.json()["data"]) == 100, answer.text
            latencies.append(answer.elapsed.total_seconds() * 1000)
    return median(latencies[5:])
