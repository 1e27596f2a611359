"""Text that is compared without regard to case."""

from collections.abc import Iterable
from string import ascii_lowercase, ascii_uppercase

_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)


def key_of(text: str) -> str:
    """The form in which codes and addresses are compared: A-Z lowered, nothing else.

    Postgres does the same in `lower(x collate "C")`. Lowering all of Unicode would make look-alikes equal: the Kelvin
    sign is a `k` then.
    """
    return text.translate(_LOWER)


def distinct(values: Iterable[str]) -> tuple[str, ...]:
    """The values in their order without repeats, each in its first spelling."""
    firsts: dict[str, str] = {}
    for value in values:
        firsts.setdefault(key_of(value), value)
    return tuple(firsts.values())
