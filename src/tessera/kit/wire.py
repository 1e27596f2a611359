"""Domain values as the fields that callers see: names in camelCase, and no field where there is no value."""

from collections.abc import Iterable
from functools import cache
from typing import Any


@cache
def wire_name(name: str) -> str:
    """The camelCase name of a field: `max_redemptions` is `maxRedemptions`."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def wire_fields(value: object, names: Iterable[str]) -> dict[str, Any]:
    """These attributes of a value by their wire names, in this order, without those that are None."""
    pairs = ((wire_name(name), getattr(value, name)) for name in names)
    return {name: found for name, found in pairs if found is not None}
