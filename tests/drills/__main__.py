"""`make drill`: what breaks in production, broken on purpose under load, and a table of what the callers noticed.

`ONLY=` names groups, separated by commas, and `SEED=` repeats the writes of another run. Exits with status 1 if an
acknowledged write is lost or doubled, or if somebody waits for too long.
"""

import os
import signal
import sys
import tempfile
from pathlib import Path

from tests.drills import scenes
from tests.drills.drill import HEADER
from tests.drills.table import MINUTES, Table
from tests.support import guard


def main() -> int:
    """Run the drills; returns the exit status."""
    names = os.environ.get("ONLY", ",".join(scenes.GROUPS)).split(",")
    guard.start()  # ends what the drills leave running, however they end
    table = Table(seed=int(os.environ.get("SEED", "1")))
    # The last resort: what hangs for longer than the time of all drills ends here, with the stack of the place.
    signal.alarm(60 * (MINUTES + 1))
    print(f"seed {table.seed}\n\n{HEADER}", flush=True)
    with tempfile.TemporaryDirectory(prefix="tessera-drill-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        for group in names:
            scenes.GROUPS[group](table, directory)
    print(f"\nnot as it must be: {', '.join(table.failed)}" if table.failed else "\n0 lost, 0 double.")
    return 1 if table.failed else 0


if __name__ == "__main__":
    sys.exit(main())
