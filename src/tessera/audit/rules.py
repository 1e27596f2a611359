"""The contents of entries in the audit log."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

# Fields that never reach the log, even if a caller passes them by mistake.
SECRETS = frozenset(
    {"secret", "client_secret", "secret_digest", "key_digest", "digest", "token", "api_key", "password"}
)
METADATA = "metadata"
_NOT_STORED = SECRETS | {METADATA}
# Canonical JSON (RFC 8785), which seals digest, has no larger integers.
MAX_INTEGER = 2**53 - 1


class Action(StrEnum):
    """An action that several kinds of records share."""

    CREATED = "Created"
    UPDATED = "Updated"
    ACTIVATED = "Activated"
    DEACTIVATED = "Deactivated"
    ARCHIVED = "Archived"
    ROTATED = "Rotated"
    REVOKED = "Revoked"
    FROZEN = "Frozen"
    UNFROZEN = "Unfrozen"
    ERASED = "Erased"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of one record, whose `kind` is a domain word such as `StoreExam`; `before` is None for a new record."""

    action: str
    kind: str
    id: UUID
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


def json_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as the log stores them: JSON, with money as text and times in UTC, without secrets.

    Of metadata it has the keys only, because a text may name a person.
    """
    stored = {name: _json_value(value) for name, value in values.items() if name not in _NOT_STORED}
    metadata = values.get(METADATA)
    return stored if metadata is None else stored | {f"{METADATA}_keys": sorted(metadata)}


def _json_value(value: Any) -> Any:  # noqa: ANN401 - any value of a domain record
    match value:
        # Most values are texts, ids and money, and it takes longest to see that one is no Mapping.
        case str() | UUID() | Decimal():
            return str(value)
        case int() if abs(value) > MAX_INTEGER:
            return str(value)
        case None | bool() | int() | float():
            return value
        case datetime():
            return value.astimezone(UTC).isoformat()
        case Mapping():
            return json_values(value)
        case list() | tuple():
            return [_json_value(item) for item in value]
        case _:
            raise TypeError(f"cannot be recorded: {type(value).__name__}")
