"""Voucher codes: unguessable, and easy to read aloud and to type."""

import secrets
from string import ascii_lowercase, ascii_uppercase

# Crockford's alphabet: no I, L, O or U, so that nothing in it is taken for another.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MIN_LENGTH = 6
PURCHASE_CODE_LENGTH = 10
# A blind guess may hit one code in so many.
GUESSES_PER_HIT = 1_000_000

_CAPITALS = str.maketrans(ascii_lowercase, ascii_uppercase)
_LETTERS = bytes(ALPHABET[byte % len(ALPHABET)].encode()[0] for byte in range(256))


def random_length(issued: int) -> int:
    """How many random characters codes need when this many, the next ones included, share a prefix.

    At least six, and more when a blind guess would hit one of them with a chance above one in a million.
    """
    length = MIN_LENGTH
    while issued * GUESSES_PER_HIT > len(ALPHABET) ** length:
        length += 1
    return length


def random_texts(count: int, *, length: int) -> list[str]:
    """That many random texts of the alphabet, from the system's cryptographic source."""
    # 256 is a multiple of 32, so every letter is equally likely.
    letters = secrets.token_bytes(count * length).translate(_LETTERS).decode()
    return [letters[start : start + length] for start in range(0, len(letters), length)]


def spelled(code: str) -> str:
    """A code as it is kept, however somebody typed it: A-Z raised, and nothing else taken for one of them."""
    return code.translate(_CAPITALS)


def new_purchase_code() -> str:
    """A code that names a purchase: `VP-` and ten random characters."""
    return f"VP-{random_texts(1, length=PURCHASE_CODE_LENGTH)[0]}"
