"""Normalization of text for comparisons that ignore case."""

from collections.abc import Iterable
from string import ascii_lowercase, ascii_uppercase

_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)


def key_of(text: str) -> str:
    """The key by which codes and addresses are compared: A-Z in lower case, all other characters unchanged.

    Postgres's `lower(x collate "C")` does the same. Lower case for all of Unicode would make look-alikes equal: the
    Kelvin sign would become a `k`.
    """
    return text.translate(_LOWER)


def distinct(values: Iterable[str]) -> tuple[str, ...]:
    """The values without duplicates under `key_of`, in their order; the first spelling of each value remains."""
    by_key: dict[str, str] = {}
    for value in values:
        by_key.setdefault(key_of(value), value)
    return tuple(by_key.values())
