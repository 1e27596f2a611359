"""The field names of JSON and CSV: domain names in camelCase."""

from collections.abc import Mapping
from functools import cache
from typing import Any


@cache
def wire_name(name: str) -> str:
    """The camelCase name of a field: `max_redemptions` is `maxRedemptions`."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def wire_fields(record: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a record by their wire names; names within a field stay as they are."""
    return {wire_name(name): value for name, value in record.items()}
