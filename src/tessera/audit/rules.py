"""The contents of entries in the audit log.

Values that name a person are stored beside the entries, so that they can be erased.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import rfc8785

# Fields that never reach the log, even if a caller passes them by mistake.
SECRETS = frozenset(
    {"secret", "client_secret", "secret_digest", "key_digest", "digest", "token", "api_key", "password"}
)
METADATA = "metadata"
_NOT_STORED = SECRETS | {METADATA}
# Canonical JSON (RFC 8785), which seals digest, has no larger integers.
MAX_INTEGER = 2**53 - 1
# Fields with these names, at any depth, name a person. A test compares them with the declarations of the tables.
PERSONAL_FIELDS = frozenset(
    {
        *("person_id", "client_candidate_id", "first_name", "last_name", "email", "email_addresses", "recipient_email"),
        *("used_by_person_id", "used_by_client_candidate_id", "used_by_first_name", "used_by_last_name"),
        *("purchased_by_first_name", "purchased_by_last_name", "purchased_by_email", "issuer", "notes"),
    }
)
# What is shown in place of an erased value.
ERASED = "erased"
SALT_BYTES = 16
ACTOR_NAME = "/actor_name"
TOKEN_ISSUER = "/token_issuer"  # noqa: S105 - a path


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


@dataclass(frozen=True, slots=True)
class SaltedValue:
    """A value with the random salt of its digest."""

    text: str
    salt: bytes

    def digest(self) -> str:
        """SHA-256 of the salt and the canonical JSON of the value (RFC 8785), in hexadecimal."""
        return hashlib.sha256(self.salt + rfc8785.dumps(self.text)).hexdigest()


def salted(texts: Mapping[str, str], salts: bytes) -> dict[str, SaltedValue]:
    """The values by path, each with SALT_BYTES of these salts."""
    return {
        path: SaltedValue(text, salts[index * SALT_BYTES : (index + 1) * SALT_BYTES])
        for index, (path, text) in enumerate(texts.items())
    }


def separate(values: Any, path: str, texts: dict[str, str], *, is_personal: bool = False) -> Any:  # noqa: ANN401 - JSON
    """The JSON value with null in place of each text that names a person; adds these texts by their paths.

    A path is a JSON pointer (RFC 6901), such as `/after/email_addresses/0`.
    """
    match values:
        case str() if is_personal and values:
            texts[path] = values
            return None
        case dict():
            return {
                name: separate(item, f"{path}/{name}", texts, is_personal=is_personal or name in PERSONAL_FIELDS)
                if is_personal or name in PERSONAL_FIELDS or isinstance(item, (dict, list))
                else item
                for name, item in values.items()
            }
        case list():
            return [
                separate(item, f"{path}/{index}", texts, is_personal=is_personal) for index, item in enumerate(values)
            ]
        case _:
            return values


def restore(entry: dict[str, Any], path: str, text: str) -> None:
    """Put a text back into its place in the fields of an entry."""
    *parents, last = path[1:].split("/")
    place: Any = entry
    for step in parents:
        place = place[_key(place, step)]
    place[_key(place, last)] = text


def _key(place: Mapping[str, Any] | Sequence[Any], step: str) -> str | int:
    return int(step) if isinstance(place, list) else step
