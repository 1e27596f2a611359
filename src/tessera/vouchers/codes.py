"""Voucher codes, which are hard to guess, and easy to read aloud and to type."""

import re
import secrets
from string import ascii_lowercase, ascii_uppercase

# The number of characters that a mask hides at least; a code has as many random ones, or more.
MIN_HIDDEN = 6
MASK = "****"
# Crockford's Base32, which has no I, L, O or U because they look like other characters.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MIN_LENGTH = 10
PURCHASE_CODE_LENGTH = 10
# At most one in this many random guesses is a valid code.
GUESSES_PER_HIT = 1_000_000_000

# Codes that are in use (one in 10^9) or look like numbers or dates (one in 10^4) are drawn again, once as a rule.
MAX_ROUNDS = 20

MAX_READINGS = 12
_MASKED = re.compile(rf"([^-]*-|.{{4}})?{re.escape(MASK)}(..)?", re.DOTALL)
_DIGITS = str.maketrans("OIL", "011")
_CAPITALS = str.maketrans(ascii_lowercase, ascii_uppercase)
_LETTERS = bytes(ALPHABET[byte % len(ALPHABET)].encode()[0] for byte in range(256))


class NoUnusedCode(Exception):
    """Random codes were in use in every round, which means that the source of randomness is broken."""


def mask(code: str) -> str:
    """The code without its secret: its prefix up to the first dash, or four characters, and its last two.

    At least six characters stay hidden, so a short code shows less. A masked code stays as it is.
    """
    if _MASKED.fullmatch(code):
        return code
    prefix = code[: code.find("-") + 1] or code[:4]
    for start, end in ((prefix, code[-2:]), (prefix, "")):
        if len(code) - len(start) - len(end) >= MIN_HIDDEN:
            return f"{start}{MASK}{end}"
    return MASK


def random_length(issued: int) -> int:
    """The number of random characters in codes of a prefix that has `issued` codes, including the new ones.

    At least ten, and enough that a random guess is valid with a probability of at most one in a billion.
    """
    length = MIN_LENGTH
    while issued * GUESSES_PER_HIT > len(ALPHABET) ** length:
        length += 1
    return length


def random_texts(count: int, *, length: int) -> list[str]:
    """Random texts over the alphabet, from the cryptographic source of the system."""
    # 256 is a multiple of 32, so every letter is equally likely.
    letters = secrets.token_bytes(count * length).translate(_LETTERS).decode()
    return [letters[start : start + length] for start in range(0, len(letters), length)]


def stored_code(code: str) -> str:
    """The stored form of a code: ASCII letters in upper case, and all other characters unchanged."""
    return code.translate(_CAPITALS)


def readings(code: str) -> list[str]:
    """The stored form of a typed code, and its readings with `O` as `0` and `I` or `L` as `1`, which codes never have.

    A program's prefix may have these letters, so each reading begins at one of them and goes on to the end.
    """
    stored = stored_code(code)
    starts = [position for position, letter in enumerate(stored) if letter in "OIL"][-MAX_READINGS:]
    return [stored, *(stored[:start] + stored[start:].translate(_DIGITS) for start in reversed(starts))]


def new_purchase_code() -> str:
    """A code of a purchase: `VP-` and ten random characters."""
    return f"VP-{random_texts(1, length=PURCHASE_CODE_LENGTH)[0]}"
