"""The chain of seals: what a seal covers, and what may be wrong with a chain."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

# Made once: making it, and copying an entry as `asdict` does, takes most of the time of a digest.
_encoder = json.JSONEncoder(sort_keys=True, default=str)
# What stands in place of a seal before the first one.
BEGINNING = bytes(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedEntry:
    """All that an entry holds; `before` and `after` as the database writes them, which is one text for one value."""

    organization_id: UUID
    id: UUID
    at: datetime
    actor_kind: str
    actor_id: UUID | None
    actor_name: str
    action: str
    entity_kind: str
    entity_id: UUID
    before: str | None
    after: str | None


_FIELDS = tuple(SealedEntry.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Seal:
    """One link: its digest covers its position, its entry, and the digest of the link before."""

    position: int
    entry_id: UUID
    digest: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """The last link; whoever has noted it elsewhere can tell when the chain was cut off or written anew."""

    position: int
    digest: bytes

    def text(self) -> str:
        """The form in which it is noted: `POSITION:DIGEST`."""
        return f"{self.position}:{self.digest.hex()}"


class Flaw(StrEnum):
    """What may be wrong with a chain."""

    ALTERED = "Altered"
    ENTRY_MISSING = "EntryMissing"
    SEAL_MISSING = "SealMissing"
    NOT_SEALED = "NotSealed"
    HEAD_DIFFERS = "HeadDiffers"


@dataclass(frozen=True, slots=True)
class Finding:
    """One flaw: where in the chain, and of which entry where that is known."""

    flaw: Flaw
    position: int | None
    entry_id: UUID | None


def digest(entry: SealedEntry, *, position: int, previous: bytes) -> bytes:
    """The digest of the seal at this position: SHA-256 of the digest before it and all that the entry holds."""
    plain = {name: getattr(entry, name) for name in _FIELDS}
    plain |= {"at": entry.at.astimezone(UTC).isoformat(), "position": position}
    return hashlib.sha256(previous + _encoder.encode(plain).encode()).digest()


def seals(entries: Sequence[SealedEntry], *, head: Head) -> list[Seal]:
    """The links that go on from this head, one for each entry."""
    made, previous = [], head.digest
    for position, entry in enumerate(entries, start=head.position + 1):
        previous = digest(entry, position=position, previous=previous)
        made.append(Seal(position, entry.id, previous))
    return made


def flaws(links: Sequence[tuple[Seal, SealedEntry | None]], *, head: Head) -> Iterator[Finding]:
    """What is wrong with links that follow this head; an altered one is told once, and the next is judged by itself."""
    place, previous = head.position, head.digest
    for seal, entry in links:
        followed = seal.position == place + 1
        if not followed:
            yield Finding(Flaw.SEAL_MISSING, place + 1, None)
        if entry is None:
            yield Finding(Flaw.ENTRY_MISSING, seal.position, seal.entry_id)
        # Behind a gap nobody knows the digest that this one covers.
        elif followed and digest(entry, position=seal.position, previous=previous) != seal.digest:
            yield Finding(Flaw.ALTERED, seal.position, seal.entry_id)
        place, previous = seal.position, seal.digest
