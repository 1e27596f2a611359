"""One drill: something is broken and repaired under load, and everything that was acknowledged is counted."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import psycopg

from tests.drills import counting
from tests.drills.installation import Installation
from tests.drills.load import PURCHASE, REDEMPTION, Load
from tests.support.waiting import wait_until

# Breaks something, has it repaired, and returns the time from which the database takes writes again.
Break = Callable[[Installation], float]
SECONDS_BEFORE, SECONDS_AFTER = 2.0, 3.0
SECONDS_TO_SETTLE = 90


@dataclass(frozen=True)
class Goals:
    """The most seconds: to acknowledgements and to a worker's jobs after the repair, and for any response."""

    back: float = 5
    worker: float = 10
    response: float = 16


@dataclass(frozen=True)
class Drill:
    """What is broken and how, under a load of which kinds, and what to wait for before the writes are counted."""

    name: str
    act: Break
    goals: Goals = Goals()
    kinds: Sequence[str] = (REDEMPTION, REDEMPTION, REDEMPTION, PURCHASE)
    settle: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Row:
    """What a drill has shown; the times are seconds."""

    name: str
    acknowledged: int
    present: int
    doubled: int
    errors: int
    gap: float
    back: float
    worker: float
    response: float
    goals: Goals
    kinds_of_errors: str = ""
    flaws: tuple[str, ...] = ()

    def __str__(self) -> str:
        return (
            f"{self.name:34} {self.acknowledged:12} {self.present:8} {self.doubled:8} {self.errors:7} {self.gap:7.1f}"
            f" {self.back:7.1f} {self.worker:7.1f} {self.response:9.1f}   {self.kinds_of_errors}"
        )

    @property
    def failures(self) -> list[str]:
        """What is not as it must be."""
        pairs = {
            "lost": (self.acknowledged - self.present, 0),
            "doubled": (self.doubled, 0),
            "s until every caller was acknowledged again": (self.back, self.goals.back),
            "s until a worker had done a job again": (self.worker, self.goals.worker),
            "s for one response": (self.response, self.goals.response),
        }
        return [f"{value:g} {text}" for text, (value, most) in pairs.items() if value > most] + list(self.flaws)


HEADER = (
    f"{'drill':34} {'acknowledged':>12} {'present':>8} {'doubled':>8} {'errors':>7}"
    f" {'gap':>7} {'back':>7} {'worker':>7} {'response':>9}   failed attempts"
)


def run(installation: Installation, drill: Drill, seed: int) -> Row:
    """Run one drill under load."""
    load = Load(installation.url, installation.parties, Random(f"{seed} {drill.name}"), kinds=drill.kinds)
    with load.flowing():
        time.sleep(SECONDS_BEFORE)
        broken = time.time()
        repaired = drill.act(installation)
        load.wait_until_acknowledged(repaired)
        wait_until("a worker does a job", lambda: _worker_seconds(installation, repaired) is not None)
        time.sleep(SECONDS_AFTER)
    drill.settle()
    wait_until(
        "every purchase has its vouchers",
        lambda: not counting.has_unfinished_purchases(installation.owner),
        seconds=SECONDS_TO_SETTLE,
    )
    numbers = counting.count(installation.owner, load.acknowledged, load.all_writes)
    unexpected = {error for error in load.errors if error.startswith("unexpected")}
    return Row(
        name=drill.name,
        acknowledged=len(load.acknowledged),
        present=numbers.present,
        doubled=numbers.doubled,
        errors=load.errors.total(),
        gap=load.gap(broken),
        back=load.gap(repaired),
        worker=_worker_seconds(installation, repaired) or 0,
        response=load.slowest,
        goals=drill.goals,
        kinds_of_errors=most_common(load.errors),
        flaws=(*unexpected, *counting.disagreements(installation.parties, installation.settings)),
    )


def most_common(errors: Counter[str]) -> str:
    """The most common of these errors, with their numbers."""
    return ", ".join(f"{count} x {error}" for error, count in errors.most_common(4))


def _worker_seconds(installation: Installation, repaired: float) -> float | None:
    try:
        moment = counting.first_finished_job(installation.owner, repaired)
    except psycopg.OperationalError:  # a former primary that is just being stopped
        return None
    return None if moment is None else moment - repaired
