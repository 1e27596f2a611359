"""Random names for a pattern, from the cryptographic source of the operating system."""

import secrets

from tessera.codes.rules import looks_like_number_or_date

# If this many draws do not suffice, almost all names of the pattern look like numbers or dates.
MAX_DRAWS = 100


def random_names(count: int, *, prefix: str, length: int, alphabet: str) -> list[str]:
    """Distinct names: the prefix, and characters of the alphabet, all equally likely.

    No name looks like a number or a date. There are fewer than `count` if the pattern has hardly any such name.
    """
    names: set[str] = set()
    for _ in range(MAX_DRAWS):
        if len(names) < count:
            letters = _random_letters((count - len(names)) * length, alphabet)
            drawn = (prefix + letters[start : start + length] for start in range(0, len(letters), length))
            names.update(name for name in drawn if not looks_like_number_or_date(name))
    return list(names)


def _random_letters(count: int, alphabet: str) -> str:
    # Bytes above the largest multiple of the alphabet's size would favour its first characters, so they are dropped.
    usable = 256 - 256 % len(alphabet)
    table = bytes(ord(alphabet[byte % len(alphabet)]) for byte in range(256))
    letters = b""
    while len(letters) < count:
        missing = count - len(letters)
        letters += secrets.token_bytes(missing * 256 // usable + 1).translate(table, bytes(range(usable, 256)))
    return letters[:count].decode()
