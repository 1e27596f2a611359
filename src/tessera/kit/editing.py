"""Versions: each change of a thing raises its version, so that nobody overwrites what was changed meanwhile."""

from dataclasses import dataclass
from uuid import UUID

from tessera.kit.errors import DomainError, VersionStale

FIRST = 1


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be changed, and the version that its reader saw; None is whichever is there.

    `refusal` is why no version can be the right one, which is told of what is there alone.
    """

    id: UUID
    version: int | None = None
    refusal: DomainError | None = None

    def ensure(self, found: int) -> None:
        """Raise VersionStale, or the refusal, unless the locked row still has the version."""
        if self.refusal is not None:
            raise self.refusal
        if self.version is not None and self.version != found:
            raise VersionStale
