"""Metadata: up to 20 keys with texts, which an integration attaches to a record."""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from tessera.kit.control_characters import has_controls
from tessera.kit.errors import Violation
from tessera.kit.normalization import stored_name

MAX_KEYS = 20
MAX_KEY_LENGTH = 40
MAX_VALUE_LENGTH = 500
# Before the key, in the title of a column of a CSV file.
COLUMN_PREFIX = "metadata."
# A list shows the metadata of up to 1,000 records.
MAX_BYTES = 8_000


class Kind(StrEnum):
    """The kinds of records that can have metadata."""

    PROMO_CODE = "PromoCode"
    VOUCHER_PROGRAM = "VoucherProgram"
    VOUCHER_PURCHASE = "VoucherPurchase"
    VOUCHER = "Voucher"
    REDEMPTION = "Redemption"

    @property
    def noun(self) -> str:
        """The name of such a record in errors."""
        return re.sub(r"(?<!^)(?=[A-Z])", " ", self).lower()


class KeyAndText(NamedTuple):
    """A key and its text, as a filter of records."""

    key: str
    text: str


class NotMetadata(ValueError):
    """A value is not metadata: its `code`, and a predicate such as "must be an object"."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def parse(value: Any) -> dict[str, str]:  # noqa: ANN401 - any JSON value
    """The stored form of a JSON object with texts: keys and texts like names, in the order of keys.

    Raises NotMetadata.
    """
    if not isinstance(value, dict):
        raise NotMetadata("NotObject", "must be an object")
    if len(value) > MAX_KEYS:
        raise NotMetadata("TooManyKeys", f"must have at most {MAX_KEYS} keys")
    if not all(isinstance(item, str) for item in value.values()):
        raise NotMetadata("NotText", "must have strings as values")
    stored = {stored_name(key): stored_name(text) for key, text in value.items()}
    if len(stored) < len(value):
        raise NotMetadata("Repeated", "must have each key once, apart from white space around it")
    return dict(sorted(stored.items()))


def key_of_column(column: str) -> str | None:
    """The key whose texts a column of a CSV file has, if any."""
    return column.removeprefix(COLUMN_PREFIX) if column.startswith(COLUMN_PREFIX) else None


def parse_filter(text: str) -> KeyAndText:
    """The filter `KEY=TEXT`, whose text may be empty or contain `=`; raises NotMetadata."""
    key, separator, value = text.partition("=")
    if has_controls(text):
        raise NotMetadata("ControlCharacters", "must not contain control characters")
    if not separator or not stored_name(key):
        raise NotMetadata("NotKeyAndText", "must be KEY=TEXT, such as orderId=ORD-1001")
    return KeyAndText(stored_name(key), stored_name(value))


def violations(metadata: Mapping[str, str] | None) -> Iterator[Violation]:
    """The violations of metadata in their stored form, whose fields are `metadata` and `metadata/KEY`."""
    metadata = metadata or {}
    if len(metadata) > MAX_KEYS:
        yield Violation("TooManyKeys", "metadata", f"must have at most {MAX_KEYS} keys")
        return
    if sum(len(key.encode()) + len(text.encode()) for key, text in metadata.items()) > MAX_BYTES:
        yield Violation("TooLong", "metadata", f"must have at most {MAX_BYTES:,} bytes in all")
    for key, text in metadata.items():
        # A segment of a JSON Pointer.
        field = "metadata/" + key[:MAX_KEY_LENGTH].replace("~", "~0").replace("/", "~1")
        if not 1 <= len(key) <= MAX_KEY_LENGTH:
            yield Violation("KeyLength", field, f"must have a key of 1 to {MAX_KEY_LENGTH} characters")
        if len(text) > MAX_VALUE_LENGTH:
            yield Violation("ValueTooLong", field, f"must have at most {MAX_VALUE_LENGTH} characters")
        if has_controls(key) or has_controls(text):
            yield Violation("ControlCharacters", field, "must not contain control characters")
