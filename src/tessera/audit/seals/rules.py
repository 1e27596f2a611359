"""The chain of seals: its digests and its flaws."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

# Shared, because a new encoder for each entry would take most of the time of its digest. So would `asdict`.
_encoder = json.JSONEncoder(sort_keys=True, default=str)
# The digest before the first seal.
BEGINNING = bytes(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedEntry:
    """All columns of an entry; `before` and `after` are the canonical text that Postgres writes for a jsonb value."""

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
    token_id: UUID | None = None
    token_issuer: str | None = None


_FIELDS = tuple(SealedEntry.__dataclass_fields__)
# A seal covers these only where they have a value, because earlier releases did not have them.
_LATER_FIELDS = ("token_id", "token_issuer")


@dataclass(frozen=True, slots=True)
class Seal:
    """A link of the chain; its digest covers its position, its entry and the previous digest."""

    position: int
    entry_id: UUID
    digest: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """The last link of a chain; a copy of it elsewhere reveals a truncated or rewritten chain."""

    position: int
    digest: bytes

    def text(self) -> str:
        """The head as `POSITION:DIGEST`, with the digest in hexadecimal."""
        return f"{self.position}:{self.digest.hex()}"


class Flaw(StrEnum):
    """A kind of flaw in a chain."""

    ALTERED = "Altered"
    ENTRY_MISSING = "EntryMissing"
    SEAL_MISSING = "SealMissing"
    NOT_SEALED = "NotSealed"
    HEAD_DIFFERS = "HeadDiffers"


@dataclass(frozen=True, slots=True)
class Finding:
    """A flaw with its position in the chain and its entry, where known."""

    flaw: Flaw
    position: int | None
    entry_id: UUID | None


def digest(entry: SealedEntry, *, position: int, previous: bytes) -> bytes:
    """The digest of the seal at this position: SHA-256 of the previous digest and all columns of the entry."""
    values = {name: getattr(entry, name) for name in _FIELDS}
    for name in _LATER_FIELDS:
        if values[name] is None:
            del values[name]
    values |= {"at": entry.at.astimezone(UTC).isoformat(), "position": position}
    return hashlib.sha256(previous + _encoder.encode(values).encode()).digest()


def seals(entries: Sequence[SealedEntry], *, head: Head) -> list[Seal]:
    """The links that continue the chain from this head, one for each entry."""
    links, previous = [], head.digest
    for position, entry in enumerate(entries, start=head.position + 1):
        previous = digest(entry, position=position, previous=previous)
        links.append(Seal(position, entry.id, previous))
    return links


def flaws(links: Sequence[tuple[Seal, SealedEntry | None]], *, head: Head) -> Iterator[Finding]:
    """The flaws of the links after this head; an altered link is reported once and does not affect the next one."""
    position, previous = head.position, head.digest
    for seal, entry in links:
        is_next = seal.position == position + 1
        if not is_next:
            yield Finding(Flaw.SEAL_MISSING, position + 1, None)
        if entry is None:
            yield Finding(Flaw.ENTRY_MISSING, seal.position, seal.entry_id)
        # After a gap, the previous digest is unknown.
        elif is_next and digest(entry, position=seal.position, previous=previous) != seal.digest:
            yield Finding(Flaw.ALTERED, seal.position, seal.entry_id)
        position, previous = seal.position, seal.digest
