"""GET /api/v1/promo-codes, with keys and codes drawn at random."""

import random
from collections.abc import Mapping, Sequence
from functools import partial

from benchmarks.data import Shop
from benchmarks.results import Figures, Results
from benchmarks.servers import Server, get
from benchmarks.sizes import CONNECTIONS, SIZES

MANY, ONE = "validation, 16 connections", "validation, 1 connection"


def requests(shops: Sequence[Shop]) -> list[bytes]:
    """Requests with keys and codes drawn at random."""
    draw = random.Random(7)
    return [
        get(f"/api/v1/promo-codes?code=CODE{draw.randint(1, SIZES.codes)}", {"cv-api-key": draw.choice(shops).api_key})
        for _ in range(20_000)
    ]


def measure(results: Results, servers: Mapping[str, Server], shops: Sequence[Shop]) -> None:
    """Compare Tessera with the usual way and with the floor."""
    load = requests(shops)

    def run(name: str, connections: int) -> Figures:
        return servers[name].measure(load, connections=connections, seconds=SIZES.seconds)

    for case, connections in ((MANY, CONNECTIONS), (ONE, 1)):
        figures = results.interleave(
            case,
            {name: partial(run, name, connections) for name in ("Tessera", "usual", "bare")},
            rounds=SIZES.rounds,
        )
        _judge(results, case, figures)


def _judge(results: Results, case: str, figures: Mapping[str, Figures]) -> None:
    ours, usual, bare = (figures[name] for name in ("Tessera", "usual", "bare"))
    if case == MANY:
        ratio = results.ratio(case, "Tessera")
        results.judge(case, "0.90 of the floor", ratio, reached=ratio >= 0.9)
        times = (ours.per_second or 0) / (usual.per_second or 1)
        results.judge(case, "5 x the usual way", times, reached=times >= 5)
        slower = (ours.p99 or 0) / (bare.p99 or 1)
        results.judge(case, "p99 within 3 x of the floor's", slower, reached=slower <= 3)
    else:
        slower = (ours.p50 or 0) / (bare.p50 or 1)
        results.judge(case, "p50 within 1.5 x of the floor's", slower, reached=slower <= 1.5)
