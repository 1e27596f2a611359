"""The amount of data and the duration of a measurement, which are smaller with QUICK=1."""

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The size of one run."""

    organizations: int = 100
    many: int = 10_000  # organizations of `make bench-organizations`
    codes: int = 10_000
    vouchers: tuple[int, ...] = (10_000, 1_000_000, 10_000_000)
    purchases: int = 100
    memory_requests: int = 100_000
    rounds: int = 5
    seconds: float = 2.0


FULL = Sizes()
QUICK = Sizes(
    many=1_000, codes=1_000, vouchers=(10_000, 200_000), purchases=30, memory_requests=10_000, rounds=3, seconds=0.5
)
SIZES = QUICK if os.environ.get("QUICK") else FULL
CONNECTIONS = 16
