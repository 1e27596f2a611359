"""The version of a database's schema, and its compatibility with a release of the code."""

from collections.abc import Sequence
from dataclasses import dataclass

# Each migration writes the oldest revision whose code can use the schema into this comment. There is no comment if the
# last migration was done by a release without it.
QUERY = "select version_num, obj_description('alembic_version'::regclass, 'pg_class') from alembic_version"


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """The revision of a schema, and the oldest revision whose code can use it; revisions sort in their order."""

    revision: str | None
    compatible_since: str | None

    def is_newer_than(self, code: str) -> bool:
        """Whether a later release than that of the revision `code` has migrated the database."""
        return self.revision is not None and self.revision > code

    def serves(self, code: str) -> bool:
        """Whether the code whose latest revision is `code` can use the schema.

        During an upgrade, processes of the old release still run on the schema of the new one.
        """
        if self.is_newer_than(code):
            return self.compatible_since is not None and self.compatible_since <= code
        return self.revision == code


def from_row(row: Sequence[str | None] | None) -> SchemaVersion:
    """The version that a row of `QUERY` contains; there is none before the first migration."""
    return SchemaVersion(*row) if row else SchemaVersion(None, None)
