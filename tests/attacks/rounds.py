"""One round: the honest organization for some seconds, beside one attack or none."""

import sys
from collections.abc import Collection
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from tests.attacks.honest import Experience, shop
from tests.attacks.parties import Stage
from tests.attacks.strangers import Answers, attack


@dataclass(frozen=True)
class Round:
    """What B noticed, what the stranger got, and the growth of the server's memory."""

    name: str
    b: Experience
    answers: Answers
    growth_mib: float

    @property
    def row(self) -> str:
        """A row of the table."""
        got = ", ".join(f"{count} x {status}" for status, count in self.answers.most_common(5))
        return (
            f"{self.name:26} {self.b.percentile_ms(50):8.1f} {self.b.percentile_ms(99):8.1f}"
            f" {len(self.b.seconds):8} {len(self.b.errors):7} {self.growth_mib:+8.0f}   {got}"
        )


HEADER = (
    f"{'attack':26} {'B p50 ms':>8} {'p99 ms':>8} {'requests':>8} {'errors':>7} {'MiB':>8}   answers to the stranger"
)


class Arena:
    """A process for the stranger and one for the honest organization."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._processes = ProcessPoolExecutor(2, mp_context=get_context("spawn"))

    def __enter__(self) -> "Arena":
        return self

    def __exit__(self, *_: object) -> None:
        self._processes.shutdown()

    def quiet(self, seconds: float) -> Round:
        """The honest organization without an attack."""
        before = self._stage.memory_mib()
        experience = self._processes.submit(shop, self._stage, seconds).result(seconds + 120)
        return Round("nobody", experience, Answers(), self._stage.memory_mib() - before)

    def attacked(self, name: str, seconds: float, *, most: int = sys.maxsize, until: Collection[str] = ()) -> Round:
        """The honest organization beside an attack, for some seconds.

        It ends earlier after `most` requests of the organization and these answers to the stranger.
        """
        before = self._stage.memory_mib()
        answers = self._processes.submit(attack, self._stage, name, seconds, until)
        experience = self._processes.submit(shop, self._stage, seconds, most)
        return Round(
            name,
            experience.result(seconds + 120),
            answers.result(seconds + 120),
            self._stage.memory_mib() - before,
        )
