"""The rules of batches: their patterns and quantities."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tessera.kit.editing import Move
from tessera.kit.errors import Violation
from tessera.kit.normalization import key_of
from tessera.promo_codes.rules import NAME, PromoCodeDraft

# Crockford's: without I, L, O and U, which are easily mistaken for other characters.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MAX_QUANTITY = 1_000_000
# At least nine names in ten stay unused, so that a random name is rarely taken and a guess rarely succeeds.
NAMES_PER_CODE = 10


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
        """The number of names with this pattern."""
        return int(len(self.alphabet or "") ** (self.length or 0))


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
        elif not 3 <= total <= 25:
            yield Violation("NameLength", "length", "and the prefix together must have 3 to 25 characters")
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
    length = pattern.length or 0
    while len(pattern.alphabet or "") ** length < needed:
        length += 1
    yield Violation(
        "SpaceTooSmall",
        "length",
        f"must be at least {length}: the pattern needs {needed:,} possible names, {NAMES_PER_CODE} for each code, and"
        f" has {pattern.space:,}",
    )
