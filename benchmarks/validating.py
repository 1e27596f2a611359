"""GET /api/v1/promo-codes, with keys and codes drawn at random."""

import random
from collections.abc import Mapping, Sequence
from functools import partial

import psycopg

from benchmarks import data
from benchmarks.data import Shop
from benchmarks.results import Figures, Results
from benchmarks.servers import Server, get
from benchmarks.sizes import CONNECTIONS, SIZES

MANY, ONE = "validation, 16 connections", "validation, 1 connection"
CALLERS = 1_000
SPREAD = f"validation, {CALLERS:,} keys on as many connections"
SHIPPED = "as shipped"


def requests(shops: Sequence[Shop]) -> list[bytes]:
    """Requests with keys and codes drawn at random."""
    return requests_of([shop.api_key for shop in shops])


def requests_of(keys: Sequence[str]) -> list[bytes]:
    """Requests with these keys and with codes, drawn at random."""
    draw = random.Random(7)
    return [
        get(f"/api/v1/promo-codes?code=CODE{draw.randint(1, SIZES.codes)}", {"cv-api-key": draw.choice(keys)})
        for _ in range(20_000)
    ]


def measure(
    results: Results, servers: Mapping[str, Server], shops: Sequence[Shop], connection: psycopg.Connection
) -> None:
    """Compare the product as shipped with the usual way, with a constant and with the floor."""
    keys = data.add_keys(connection, shops, count=CALLERS)
    load, load_of_callers = requests(shops), requests_of(keys)

    def run(name: str, sent: Sequence[bytes], connections: int) -> Figures:
        return servers[name].measure(sent, connections=connections, seconds=SIZES.seconds)

    for case, names, requests_, connections in (
        (MANY, (SHIPPED, "Tessera", "usual", "constant", "bare"), load, CONNECTIONS),
        (ONE, (SHIPPED, "Tessera", "usual", "constant", "bare"), load, 1),
        (SPREAD, (SHIPPED, "bare"), load_of_callers, CALLERS),
    ):
        contenders = {name: partial(run, name, requests_, connections) for name in names}
        _judge(results, case, results.interleave(case, contenders, rounds=SIZES.rounds))


def _judge(results: Results, case: str, figures: Mapping[str, Figures]) -> None:
    ours, bare = figures[SHIPPED], figures["bare"]
    if case == MANY:
        ratio = results.ratio(case, SHIPPED)
        results.judge(case, "1.20 of the floor", ratio, reached=ratio >= 1.2)
        times = (ours.per_second or 0) / (figures["constant"].per_second or 1)
        results.judge(case, "0.30 of a constant response", times, reached=times >= 0.3)
        times = (ours.per_second or 0) / (figures["usual"].per_second or 1)
        results.judge(case, "5 x the usual way", times, reached=times >= 5)
        slower = (ours.p99 or 0) / (bare.p99 or 1)
        results.judge(case, "p99 within 3 x of the floor's", slower, reached=slower <= 3)
    elif case == ONE:
        slower = (ours.p50 or 0) / (bare.p50 or 1)
        results.judge(case, "p50 within 1.4 x of the floor's", slower, reached=slower <= 1.4)
