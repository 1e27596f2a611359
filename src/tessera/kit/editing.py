"""Versions and status moves: what an edit must find before it may change a record."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from tessera.kit.errors import DomainError, VersionStale

FIRST = 1


@dataclass(frozen=True, slots=True)
class Target:
    """The record to edit and the version that the caller read; without a version, any version matches.

    `refusal` is the error of a precondition that no version satisfies, raised only if the record exists.
    """

    id: UUID
    version: int | None = None
    refusal: DomainError | None = None

    def ensure(self, version: int) -> None:
        """Raise VersionStale, or the refusal, unless the locked row has the expected version."""
        if self.refusal is not None:
            raise self.refusal
        if self.version is not None and self.version != version:
            raise VersionStale


@dataclass(frozen=True, slots=True)
class Move:
    """The statuses from which a record can get a status, and the name of that action in the audit log."""

    origins: Collection[str]
    action: str
