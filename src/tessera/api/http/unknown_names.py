"""Names in a request that the operation does not know, with the nearest known ones."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from functools import lru_cache

MAX_LENGTH = 100
PROPERTY, PARAMETER = "UnknownProperty", "UnknownParameter"


def segment(name: str) -> str:
    """The name as a segment of a JSON Pointer (RFC 6901), shortened if it is long."""
    return name[:MAX_LENGTH].replace("~", "~0").replace("/", "~1")


def message(name: str, known: Sequence[str], noun: str) -> str:
    """A predicate about an unknown name, with the nearest known one if any is near."""
    nearest = _nearest(name[:MAX_LENGTH], known)
    return f"is not a known {noun}" + (f" (did you mean {nearest}?)" if nearest else "")


def _nearest(name: str, known: Sequence[str]) -> str | None:
    # The same words in another order are nearest: percentDiscount means discountPercent, not flatDiscount.
    same_words = [each for each in known if sorted(_words(each)) == sorted(_words(name))]
    by_letters = {"".join(_words(each)): each for each in known}
    similar = [by_letters[match] for match in get_close_matches("".join(_words(name)), by_letters, n=1)]
    return next(iter(same_words + similar), None)


@lru_cache(maxsize=1024)  # the known names, again and again
def _words(name: str) -> list[str]:
    return [word.lower() for word in re.findall("[A-Z]?[^A-Z_-]+|[A-Z]", name)]
