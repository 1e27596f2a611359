"""The rules of batches: their patterns and quantities."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from math import prod

from tessera.codes.rules import numbers_and_dates
from tessera.kit.editing import Move
from tessera.kit.errors import Violation
from tessera.kit.normalization import key_of
from tessera.promo_codes.rules import NAME, PromoCodeDraft

# Crockford's: without I, L, O and U, which are easily mistaken for other characters.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MAX_QUANTITY = 1_000_000
MAX_NAME_LENGTH = 25
# At most one name in a million is a code, so that a guess hardly ever succeeds.
NAMES_PER_CODE = 1_000_000
_DIGITS = frozenset("0123456789")


class BatchStatus(StrEnum):
    """The status of a batch; `Complete` is final, and `Exhausted` means that no unused names were left."""

    IN_PROGRESS = "InProgress"
    CANCELLED = "Cancelled"
    EXHAUSTED = "Exhausted"
    COMPLETE = "Complete"


MOVES: Mapping[str, Move] = {
    BatchStatus.CANCELLED: Move({BatchStatus.IN_PROGRESS}, "Cancelled"),
    BatchStatus.IN_PROGRESS: Move({BatchStatus.CANCELLED, BatchStatus.EXHAUSTED}, "Resumed"),
    BatchStatus.EXHAUSTED: Move({BatchStatus.IN_PROGRESS}, "Exhausted"),
    BatchStatus.COMPLETE: Move({BatchStatus.IN_PROGRESS}, "Completed"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """The form of names: a prefix, and a number of random characters of an alphabet."""

    prefix: str | None = ""
    length: int | None = None
    alphabet: str | None = ALPHABET

    @property
    def space(self) -> int:
        """The number of names with this pattern that do not look like numbers or dates."""
        length, alphabet = self.length or 0, set(key_of(self.alphabet or ""))
        prefix, choices = key_of(self.prefix or ""), {"#": len(alphabet & _DIGITS)}
        forms = (form for form in numbers_and_dates(len(prefix) + length) if _begins(form, prefix))
        converted = (prod(choices.get(each, each in alphabet) for each in form[len(prefix) :]) for form in forms)
        return int(len(alphabet) ** length) - sum(converted)


def _begins(form: str, prefix: str) -> bool:
    """Whether a form of numbers or dates, which is longer, begins with this prefix."""
    return all(
        each == letter or (each == "#" and letter in _DIGITS) for each, letter in zip(form, prefix, strict=False)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDraft:
    """A batch to create: the quantity and the pattern of its codes, and their terms."""

    pattern: Pattern
    quantity: int | None
    codes: PromoCodeDraft


def violations(draft: BatchDraft) -> Iterator[Violation]:
    """The violations of the pattern and the quantity that need no query."""
    pattern = draft.pattern
    if pattern.prefix is not None and not NAME.fullmatch(pattern.prefix):
        yield Violation("PrefixNotAlphanumeric", "prefix", "must be alphanumeric (A-Z, a-z, 0-9)")
    if pattern.length is not None:
        total = len(pattern.prefix or "") + pattern.length
        if pattern.length < 1:
            yield Violation("LengthRange", "length", "must be at least 1")
        elif not 3 <= total <= MAX_NAME_LENGTH:
            message = f"and the prefix together must have 3 to {MAX_NAME_LENGTH} characters"
            yield Violation("NameLength", "length", message)
    if pattern.alphabet is not None:
        yield from _alphabet(pattern.alphabet)
    if draft.quantity is not None and not 1 <= draft.quantity <= MAX_QUANTITY:
        yield Violation("QuantityRange", "quantity", f"must be between 1 and {MAX_QUANTITY:,}")


def _alphabet(alphabet: str) -> Iterator[Violation]:
    # Names are not case-sensitive.
    if not NAME.fullmatch(alphabet) or len(alphabet) < 2 or len(set(key_of(alphabet))) < len(alphabet):
        yield Violation("BadAlphabet", "alphabet", "must have 2 to 36 of A-Z, a-z, 0-9, each once in either case")


def space_violations(pattern: Pattern, *, quantity: int, used_names: int) -> Iterator[Violation]:
    """A violation if a valid pattern has too few names for this quantity and the names that earlier batches use."""
    needed = NAMES_PER_CODE * (quantity + used_names)
    if pattern.space >= needed:
        return
    lengths = range((pattern.length or 0) + 1, MAX_NAME_LENGTH - len(pattern.prefix or "") + 1)
    length = next((length for length in lengths if replace(pattern, length=length).space >= needed), None)
    yield Violation(
        "SpaceTooSmall",
        "length" if length else "alphabet",
        f"must be {f'at least {length}' if length else 'larger'}: the pattern needs {needed:,} possible names that do"
        f" not look like numbers or dates, {NAMES_PER_CODE:,} for each code, and has {pattern.space:,}",
    )
