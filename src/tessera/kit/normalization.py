"""Normalization of text for comparisons that ignore case."""

from collections.abc import Iterable
from string import ascii_lowercase, ascii_uppercase

_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)


def key_of(text: str) -> str:
    """The form in which codes and addresses are compared: A-Z in lower case, all else unchanged.

    Postgres's `lower(x collate "C")` does the same. Lower case for all of Unicode would make look-alikes equal: the
    Kelvin sign would become a `k`.
    """
    return text.translate(_LOWER)


def distinct(values: Iterable[str]) -> tuple[str, ...]:
    """The values without repeats, in their order, each in its first spelling."""
    firsts: dict[str, str] = {}
    for value in values:
        firsts.setdefault(key_of(value), value)
    return tuple(firsts.values())
