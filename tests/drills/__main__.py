"""`make drill`: what breaks in production, broken on purpose under load, and a table of what the callers noticed.

`ONLY=` names groups, separated by commas, and `SEED=` repeats the writes of another run. Exits with status 1 if an
acknowledged write is lost or doubled, or if somebody waits for too long.
"""

import faulthandler
import os
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from tests.drills import scenes
from tests.drills.drill import HEADER
from tests.drills.table import MINUTES, Table
from tests.support import guard

MINUTES_OF_LIMITS = 15  # longer than all limits of one drill together
SECONDS_TO_CLEAN = 150  # longer than each wait of what the drills do at their end


def main() -> int:
    """Run the drills; returns the exit status."""
    names = os.environ.get("ONLY", ",".join(scenes.GROUPS)).split(",")
    guard.start()  # ends what the drills leave running, however they end
    table = Table(seed=int(os.environ.get("SEED", "1")))
    for number in (signal.SIGALRM, signal.SIGTERM):
        signal.signal(number, _end)
    # The last resort: what hangs for longer than the time of all drills ends here, with the stack of the place.
    signal.alarm(60 * (MINUTES + MINUTES_OF_LIMITS))
    print(f"seed {table.seed}\n\n{HEADER}", flush=True)
    with tempfile.TemporaryDirectory(prefix="tessera-drill-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        for group in names:
            _run(group, table, directory)
    print(f"\nnot as it must be: {', '.join(table.failed)}" if table.failed else "\n0 lost, 0 double.")
    return 1 if table.failed else 0


def _run(group: str, table: Table, directory: Path) -> None:
    if not table.has_time(group):
        return
    try:
        scenes.GROUPS[group](table, directory)
    except AssertionError as error:
        table.fail(group, str(error))


def _end(_: int, __: FrameType | None) -> None:
    """Print the stacks and end, so that mounts and rules of the firewall are removed; again if that hangs."""
    faulthandler.dump_traceback()
    signal.alarm(SECONDS_TO_CLEAN)
    raise SystemExit(1)


if __name__ == "__main__":
    sys.exit(main())
