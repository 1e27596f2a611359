"""Names in a request that the operation does not know, with the nearest known ones."""

from collections.abc import Sequence
from difflib import get_close_matches

MAX_LENGTH = 100
PROPERTY, PARAMETER = "UnknownProperty", "UnknownParameter"


def segment(name: str) -> str:
    """The name as a segment of a JSON Pointer (RFC 6901), shortened if it is long."""
    return name[:MAX_LENGTH].replace("~", "~0").replace("/", "~1")


def message(name: str, known: Sequence[str], noun: str) -> str:
    """A predicate about an unknown name, with the nearest known one if any is near."""
    by_key = {_letters(each): each for each in known}
    nearest = get_close_matches(_letters(name[:MAX_LENGTH]), by_key, n=1)
    return f"is not a known {noun}" + (f" (did you mean {by_key[nearest[0]]}?)" if nearest else "")


def _letters(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()
