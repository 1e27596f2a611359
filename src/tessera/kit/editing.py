"""Versions and status moves: the preconditions of edits."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from tessera.kit.errors import DomainError, VersionStale

FIRST = 1


@dataclass(frozen=True, slots=True)
class Target:
    """The record to edit and the version that the caller read; without a version, any version matches.

    `alternatives` are further versions that match. `refusal` is the error of a precondition that no version satisfies,
    raised only if the record exists.
    """

    id: UUID
    version: int | None = None
    refusal: DomainError | None = None
    alternatives: frozenset[int] = frozenset()

    def ensure(self, version: int) -> None:
        """Raise VersionStale, or the refusal, unless the locked row has the expected version."""
        if self.refusal is not None:
            raise self.refusal
        if self.version is not None and version != self.version and version not in self.alternatives:
            raise VersionStale


@dataclass(frozen=True, slots=True)
class Move:
    """A status change: the statuses in which it is allowed, and its action in the audit log."""

    origins: Collection[str]
    action: str
