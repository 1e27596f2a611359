"""Metadata: up to 20 keys with texts, which an integration attaches to a record."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from tessera.kit.control_characters import has_controls
from tessera.kit.errors import Violation
from tessera.kit.normalization import stored_name

MAX_KEYS = 20
MAX_KEY_LENGTH = 40
MAX_VALUE_LENGTH = 500


class Kind(StrEnum):
    """The kinds of records that can have metadata."""

    PROMO_CODE = "PromoCode"
    VOUCHER_PROGRAM = "VoucherProgram"
    VOUCHER_PURCHASE = "VoucherPurchase"
    VOUCHER = "Voucher"
    REDEMPTION = "Redemption"


def stored(metadata: Mapping[str, str]) -> dict[str, str]:
    """The stored form of metadata: keys and values like names, in the order of the keys."""
    return dict(sorted((stored_name(key), stored_name(value)) for key, value in metadata.items()))


def violations(metadata: Mapping[str, str]) -> Iterator[Violation]:
    """The violations of metadata, whose fields are `metadata` and `metadata/KEY`."""
    if len(metadata) > MAX_KEYS:
        yield Violation("TooManyKeys", "metadata", f"must have at most {MAX_KEYS} keys")
        return
    if len(stored(metadata)) < len(metadata):
        yield Violation("Repeated", "metadata", "must have each key once, apart from white space around it")
    for key, value in metadata.items():
        # A segment of a JSON Pointer.
        field = "metadata/" + key[:MAX_KEY_LENGTH].replace("~", "~0").replace("/", "~1")
        if not 1 <= len(stored_name(key)) <= MAX_KEY_LENGTH:
            yield Violation("KeyLength", field, f"must have a key of 1 to {MAX_KEY_LENGTH} characters")
        if len(stored_name(value)) > MAX_VALUE_LENGTH:
            yield Violation("ValueTooLong", field, f"must have at most {MAX_VALUE_LENGTH} characters")
        if has_controls(key) or has_controls(value):
            yield Violation("ControlCharacters", field, "must not contain control characters")
