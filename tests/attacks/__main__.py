"""`make attack`: every attack for ten seconds, and a table of what an honest organization noticed.

`SECONDS=` sets another time, and `ONLY=` names attacks, separated by commas. Exits with status 1 if B noticed one.
"""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from tessera import schema
from tessera.kit.embedded_postgres import server as embedded
from tessera.provision import Addresses
from tests.attacks.rounds import HEADER, Arena, Round
from tests.attacks.stage import populate, serving
from tests.attacks.strangers import ATTACKS

ENOUGH_MS = 250


def main() -> int:
    """Run the attacks; returns the exit status."""
    seconds = float(os.environ.get("SECONDS", "10"))
    names = os.environ.get("ONLY", ",".join(ATTACKS)).split(",")
    with tempfile.TemporaryDirectory(prefix="tessera-attack-") as directory:
        postgres = embedded.start(Path(directory) / "postgres")
        try:
            addresses = Addresses(
                application=postgres.url(user="tessera_app", database="postgres"),
                owner=postgres.url(user="postgres", database="postgres"),
            )
            schema.migrate(addresses.owner, addresses.application)
            parties = asyncio.run(populate(addresses))
            with serving(addresses, parties, Path(directory)) as stage, Arena(stage) as arena:
                return _run(arena, names, seconds)
        finally:
            postgres.stop()


def _run(arena: Arena, names: list[str], seconds: float) -> int:
    arena.quiet(1)  # the first requests open connections
    quiet = arena.quiet(seconds)
    allowed_ms = max(ENOUGH_MS, 3 * quiet.b.percentile_ms(99))
    print(f"B may have no error, and a p99 of {allowed_ms:.0f} ms.\n\n{HEADER}\n{quiet.row}", flush=True)
    failed = [name for name in names if not _is_unnoticed(arena.attacked(name, seconds), allowed_ms)]
    print(f"\nB noticed: {', '.join(failed)}" if failed else "\nB noticed nothing.")
    return 1 if failed else 0


def _is_unnoticed(result: Round, allowed_ms: float) -> bool:
    print(result.row, flush=True)
    for error in result.b.errors[:3]:
        print(f"    {error}", flush=True)
    return not result.b.errors and result.b.percentile_ms(99) <= allowed_ms


if __name__ == "__main__":
    sys.exit(main())
