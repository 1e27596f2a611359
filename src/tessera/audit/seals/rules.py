"""The chain of seals: its digests and its flaws."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import rfc8785

from tessera.audit.rules import ACTOR_NAME, ERASED, SaltedValue

# Shared, because a new encoder for each entry would take most of the time of its digest. So would `asdict`.
_encoder = json.JSONEncoder(sort_keys=True, default=str)
# What the digests of seals cover: all entries of earlier releases are sealed under the first rule.
FIRST_RULE, CANONICAL_RULE = 1, 2
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
    digests: dict[str, str] | None = None
    actor_salt: bytes | None = None


_FIELDS = tuple(name for name in SealedEntry.__dataclass_fields__ if name not in ("digests", "actor_salt"))
# A seal covers these only where they have a value, because earlier releases did not have them.
_LATER_FIELDS = ("token_id", "token_issuer")


@dataclass(frozen=True, slots=True)
class Seal:
    """A link of the chain; its digest covers its position, its entry and the previous digest."""

    position: int
    entry_id: UUID
    digest: bytes
    rule: int


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


def digest(entry: SealedEntry, *, rule: int, position: int, previous: bytes) -> bytes:
    """The digest of the seal at this position; raises CanonicalizationError for JSON that RFC 8785 excludes."""
    if rule == FIRST_RULE:
        return _first_digest(entry, position=position, previous=previous)
    return hashlib.sha256(rfc8785.dumps(_sealed_values(entry, position=position, previous=previous))).digest()


def _sealed_values(entry: SealedEntry, *, position: int, previous: bytes) -> dict[str, Any]:
    """What a seal of the second rule covers, as `docs/audit.md` describes it."""
    digests = entry.digests or {}
    return {
        "rule": CANONICAL_RULE,
        "previous": previous.hex(),
        "position": position,
        "organization_id": str(entry.organization_id),
        "id": str(entry.id),
        "at": entry.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "actor_kind": entry.actor_kind,
        "actor_id": _text(entry.actor_id),
        "actor_name": None if ACTOR_NAME in digests else entry.actor_name,
        "token_id": _text(entry.token_id),
        "token_issuer": entry.token_issuer,
        "action": entry.action,
        "entity_kind": entry.entity_kind,
        "entity_id": str(entry.entity_id),
        "before": None if entry.before is None else json.loads(entry.before),
        "after": None if entry.after is None else json.loads(entry.after),
        "digests": digests,
    }


def _text(id_: UUID | None) -> str | None:
    return None if id_ is None else str(id_)


def content_digest(entry: SealedEntry) -> str:
    """The SHA-256 of the first rule's columns, which the record of an erasure has for an entry that it changed."""
    return hashlib.sha256(_encoder.encode(_first_values(entry)).encode()).hexdigest()


def _first_digest(entry: SealedEntry, *, position: int, previous: bytes) -> bytes:
    """SHA-256 of the previous digest and all columns that entries had under the first rule."""
    return hashlib.sha256(previous + _encoder.encode(_first_values(entry) | {"position": position}).encode()).digest()


def _first_values(entry: SealedEntry) -> dict[str, Any]:
    values = {name: getattr(entry, name) for name in _FIELDS}
    for name in _LATER_FIELDS:
        if values[name] is None:
            del values[name]
    return values | {"at": entry.at.astimezone(UTC).isoformat()}


# A seal, the current state of its entry, if it exists, and the values of the entry that name a person, by path.
Link = tuple[Seal, SealedEntry | None, Mapping[str, SaltedValue]]


def seals(entries: Sequence[SealedEntry], *, head: Head) -> list[Seal]:
    """The links that continue the chain from this head, one for each entry."""
    links, previous = [], head.digest
    for position, entry in enumerate(entries, start=head.position + 1):
        # Processes of the previous release add entries without digests.
        rule = FIRST_RULE if entry.digests is None else CANONICAL_RULE
        previous = digest(entry, rule=rule, position=position, previous=previous)
        links.append(Seal(position, entry.id, previous, rule))
    return links


def flaws(links: Sequence[Link], *, head: Head, amended: Mapping[UUID, Collection[str]]) -> Iterator[Finding]:
    """The flaws of the links after this head; an altered link is reported once and does not affect the next one.

    `amended` has the digests of the contents that erasures of persons have left in entries under the first rule.
    """
    position, previous = head.position, head.digest
    for seal, entry, values in links:
        is_next = seal.position == position + 1
        if not is_next:
            yield Finding(Flaw.SEAL_MISSING, position + 1, None)
        if entry is None:
            yield Finding(Flaw.ENTRY_MISSING, seal.position, seal.entry_id)
        # After a gap, the previous digest is unknown.
        elif is_next and not _is_intact(entry, seal, values, previous=previous, amended=amended.get(entry.id, ())):
            yield Finding(Flaw.ALTERED, seal.position, seal.entry_id)
        position, previous = seal.position, seal.digest


def _is_intact(
    entry: SealedEntry, seal: Seal, values: Mapping[str, SaltedValue], *, previous: bytes, amended: Collection[str]
) -> bool:
    try:
        is_sealed = digest(entry, rule=seal.rule, position=seal.position, previous=previous) == seal.digest
    except rfc8785.CanonicalizationError:
        return False
    if seal.rule == FIRST_RULE:
        return is_sealed or content_digest(entry) in amended
    return is_sealed and _has_own_values(entry, values)


def _has_own_values(entry: SealedEntry, values: Mapping[str, SaltedValue]) -> bool:
    """Whether each value has its digest in the entry; those without a value are erased."""
    digests = entry.digests or {}
    if ACTOR_NAME in digests and entry.actor_salt is None and entry.actor_name != ERASED:
        return False
    return all(digests.get(path) == value.digest() for path, value in _present(entry, values).items())


def is_erased(entry: SealedEntry, values: Mapping[str, SaltedValue]) -> bool:
    """Whether a value of the entry is erased."""
    return len(entry.digests or ()) > len(_present(entry, values))


def _present(entry: SealedEntry, values: Mapping[str, SaltedValue]) -> dict[str, SaltedValue]:
    if entry.actor_salt is None:
        return dict(values)
    return {**values, ACTOR_NAME: SaltedValue(entry.actor_name, entry.actor_salt)}
