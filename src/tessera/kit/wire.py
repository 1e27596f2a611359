"""The field names of JSON and CSV: domain names in camelCase."""

from functools import cache


@cache
def wire_name(name: str) -> str:
    """The camelCase name of a field: `max_redemptions` is `maxRedemptions`."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
