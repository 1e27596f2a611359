"""The SQL functions of the schema: one folder for each function, one file `vN.sql` for each of its versions.

A file has the whole definition with its grants. After a revision that installs it is released, the file never changes:
a new version is a new file, which a new revision installs.
"""

from pathlib import Path

from alembic import op
from sqlalchemy import text


def install(name: str, version: int) -> None:
    """Create the function, or replace the version with the same signature."""
    definition = (Path(__file__).parent / name / f"v{version}.sql").read_text()
    op.execute(text(definition))
