"""Values that name a person, which are stored beside the entries of the audit log so that they can be erased."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import rfc8785

# The fields of records with these names, at any depth. A test compares them with the declarations of the tables.
FIELDS = frozenset(
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
                name: separate(item, f"{path}/{name}", texts, is_personal=is_personal or name in FIELDS)
                if is_personal or name in FIELDS or isinstance(item, (dict, list))
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
