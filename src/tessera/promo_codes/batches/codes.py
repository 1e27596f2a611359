"""Random names for a pattern, from the cryptographic source of the operating system."""

import secrets


def random_names(count: int, *, prefix: str, length: int, alphabet: str) -> list[str]:
    """Distinct names: the prefix, and characters of the alphabet, all equally likely."""
    names: set[str] = set()
    while len(names) < count:
        letters = _random_letters((count - len(names)) * length, alphabet)
        names.update(prefix + letters[start : start + length] for start in range(0, len(letters), length))
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
