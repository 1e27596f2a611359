"""Lists: GET /promo-codes with nested exams and addresses, and GET /api/vouchers for several sizes of its table."""

from collections.abc import Mapping
from functools import partial
from statistics import median

import httpx
import psycopg

from benchmarks import data
from benchmarks.data import Shop
from benchmarks.results import Figures, Results
from benchmarks.servers import Server, get
from benchmarks.sizes import CONNECTIONS, SIZES
from benchmarks.vouchers import Market

CODES = "GET /promo-codes, 100 with exams and addresses"
PAGES = {1: "/api/vouchers?isUsed=false", 100: "/api/vouchers?isUsed=false&page=100"}
TRIES = 50
BARE, COUNTING = "bare", "bare that counts"


def measure(results: Results, servers: Mapping[str, Server], shop: Shop, connection: psycopg.Connection) -> None:
    """Compare promo codes with the floor; measure vouchers at each size, and compare the largest with the floor."""
    data.load_listed_codes(connection, shop, codes=1_000)
    _compare(results, servers, CODES, "/promo-codes", shop)
    market = Market(connection, shop)
    latencies: dict[int, list[float]] = {page: [] for page in PAGES}
    for size in SIZES.vouchers:
        market.grow(size)
        for page, path in PAGES.items():
            latencies[page].append(_single_latency(servers["Tessera"], path, shop))
            results.note(f"{path} of {size:,} vouchers, one at a time", latencies[page][-1], "ms")
    for page, path in PAGES.items():
        case = f"GET {path} of {SIZES.vouchers[-1]:,}"
        _compare(results, servers, case, path, shop)
        growth = latencies[page][-1] / latencies[page][0]
        results.judge(case, f"within 2 x from {SIZES.vouchers[0]:,}", growth, reached=growth <= 2)


def _compare(results: Results, servers: Mapping[str, Server], case: str, path: str, shop: Shop) -> None:
    def run(name: str, path: str) -> Figures:
        return servers[name].measure([get(path, shop.bearer)], connections=CONNECTIONS, seconds=SIZES.seconds)

    contenders = {"Tessera": partial(run, "Tessera", path), COUNTING: partial(run, BARE, f"/counted{path}")}
    results.interleave(case, contenders | {BARE: partial(run, BARE, path)}, rounds=SIZES.rounds)
    ratio, ratio_of_counting = results.ratio(case, "Tessera"), results.ratio(case, COUNTING)
    results.judge(case, "0.80 of the floor", ratio, reached=ratio >= 0.8)
    counted = ratio / ratio_of_counting
    results.judge(case, "0.80 of the floor that counts", counted, reached=counted >= 0.8)


def _single_latency(server: Server, path: str, shop: Shop) -> float:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", headers=shop.bearer, timeout=60) as client:
        latencies = []
        for _ in range(TRIES):
            answer = client.get(path)
            assert len(answer.json()["data"]) == 100, answer.text
            latencies.append(answer.elapsed.total_seconds() * 1000)
    return median(latencies[5:])
