"""Normalization of codes, names, e-mail addresses and times, for all APIs and the command line."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from string import ascii_lowercase, ascii_uppercase
from unicodedata import combining, normalize

import idna

# Normalization takes quadratic time for a run of combining marks and holds the interpreter, so that a text of 1 MiB
# would stop this process for minutes. The longest text that is normalized is four times the longest that is stored,
# because no canonical decomposition is longer; and 30 marks in a row are more than any language has (Unicode Standard
# Annex 15, section 13).
MAX_NORMALIZED = 2_000
MAX_MARKS = 30
# The longest e-mail address (RFC 5321, 4.5.3.1.3).
MAX_EMAIL_LENGTH = 254
# The IDNA form of a domain takes up to a millisecond. Lists of addresses are checked in a thread, which fills the cache
# for the event loop; the longest list has half of this number.
MAX_CACHED_DOMAINS = 20_000
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
# Zero-width characters and the byte-order mark, which are often copied along with a text.
_ZERO_WIDTH = "\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_BLANKS = "".join(filter(str.isspace, map(chr, range(0x3001)))) + _ZERO_WIDTH


def key_of(text: str) -> str:
    """The key by which codes are compared: A-Z in lower case, all other characters unchanged.

    Postgres's `lower(x collate "C")` does the same. Lower case for all of Unicode would make look-alikes equal: the
    Kelvin sign would become a `k`.
    """
    return text.translate(_LOWER)


def trimmed(text: str) -> str:
    """A text as its user means it: without white space, zero-width characters and byte-order marks around it."""
    return text.strip() if text.isascii() else text.strip(_BLANKS)


def composed(text: str) -> str:
    """The text in Unicode NFC, in which names are stored.

    A text that is too long for every field, or that has too many marks in a row, is returned unchanged.
    """
    return normalize("NFC", text) if _is_normalizable(text) else text


def _is_normalizable(text: str) -> bool:
    if text.isascii():
        return True
    runs = (sum(1 for _ in run) for is_mark, run in groupby(text, lambda each: combining(each) > 0) if is_mark)
    return len(text) <= MAX_NORMALIZED and max(runs, default=0) <= MAX_MARKS


def stored_name(text: str) -> str:
    """The stored form of a name: composed, and without what cannot be seen around it."""
    return trimmed(composed(trimmed(text)))


def store_names(draft: object, *fields: str) -> None:
    """Replace these fields of a frozen draft, in its `__post_init__`, by their stored forms."""
    for field in fields:
        name = getattr(draft, field)
        if name is not None:
            object.__setattr__(draft, field, stored_name(name))


def folded(text: str) -> str:
    """The key by which names are compared: the text after Unicode case folding, composed (NFC).

    A text that `composed` leaves unchanged for its length or its marks is only case-folded.
    """
    if text.isascii():
        return text.lower()
    if not _is_normalizable(text):
        return text.casefold()
    return normalize("NFC", normalize("NFD", text).casefold())


def email_key(address: str) -> str:
    """The key by which e-mail addresses are compared: case-folded and composed, with the domain in its IDNA form.

    A text that is too long for an address is only put in lower case.
    """
    if address.isascii() or len(address) > MAX_EMAIL_LENGTH:
        return address.lower()
    local, at, domain = address.rpartition("@")
    return f"{folded(local)}{at}{domain_key(domain)}"


def domain_key(domain: str) -> str:
    """The IDNA form of a domain in lower case; a domain that has none is only case-folded."""
    if domain.isascii() or len(domain) > MAX_EMAIL_LENGTH:
        return domain.lower()
    return _idna_form(domain)


@lru_cache(maxsize=MAX_CACHED_DOMAINS)
def _idna_form(domain: str) -> str:
    try:
        return idna.encode(domain, uts46=True).decode().lower()
    except UnicodeError:
        return folded(domain)


def stored_email(address: str) -> str:
    """The stored form of an address: as typed if it is ASCII, else its key, because the database folds only ASCII."""
    return address if address.isascii() else email_key(address)


def parse_time(text: str) -> datetime:
    """The time of an ISO 8601 text in UTC; a text without an offset is in UTC. Raises ValueError, OverflowError.

    Parts of a second are dropped, so that the time that is shown is the one that is enforced.
    """
    time = datetime.fromisoformat(text).replace(microsecond=0)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def distinct(values: Iterable[str], *, key: Callable[[str], str] = key_of) -> tuple[str, ...]:
    """The values without duplicates under `key`, in their order; the first spelling of each value remains."""
    by_key: dict[str, str] = {}
    for value in values:
        by_key.setdefault(key(value), value)
    return tuple(by_key.values())
