"""Versions: each change of a thing raises its version, so that nobody overwrites what was changed meanwhile."""

from dataclasses import dataclass
from uuid import UUID

from tessera.kit.errors import VersionStale

FIRST = 1


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be changed, and the version that its reader saw; None is whichever is there."""

    id: UUID
    version: int | None = None

    def ensure(self, found: int) -> None:
        """Raise VersionStale unless the locked row still has the version."""
        if self.version is not None and self.version != found:
            raise VersionStale
