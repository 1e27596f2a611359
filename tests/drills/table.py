"""The table of the drills, printed row by row, within the time for all of them."""

import time
from dataclasses import dataclass, field

from tests.drills.drill import Drill, Row, run
from tests.drills.installation import Installation

MINUTES = 20
SECONDS_OF_ONE = 150  # no drill begins later than this before the end


@dataclass
class Table:
    """The names of the drills that did not show what they must."""

    seed: int
    end: float = field(default_factory=lambda: time.monotonic() + 60 * MINUTES)
    failed: list[str] = field(default_factory=list)

    def run(self, installation: Installation, drill: Drill) -> None:
        """Run a drill, and print its row."""
        if not self.has_time(drill.name):
            return
        try:
            row = run(installation, drill, self.seed)
        except AssertionError as error:
            self.fail(drill.name, str(error))
        else:
            self.show(row)

    def show(self, row: Row) -> None:
        """Print a row, and what is not as it must be."""
        print("\n    ".join([str(row), *row.failures]), flush=True)
        self.failed += [row.name] if row.failures else []

    def has_time(self, name: str) -> bool:
        """Whether a drill with this name can begin; one that cannot has failed."""
        has_time = time.monotonic() < self.end - SECONDS_OF_ONE
        if not has_time:
            self.fail(name, "no time is left")
        return has_time

    def skip(self, name: str, reason: str) -> None:
        """Print why a row is missing."""
        print(f"{name:34} skipped: {reason}", flush=True)

    def fail(self, name: str, reason: str) -> None:
        """Print why a drill has no row."""
        print(f"{name:34} {reason}", flush=True)
        self.failed.append(name)
