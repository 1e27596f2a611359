"""The rules of batches: by what pattern, and how many."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tessera.kit.editing import Move
from tessera.kit.errors import Violation
from tessera.kit.normalization import key_of
from tessera.promo_codes.rules import NAME, PromoCodeDraft

# Crockford's: no I, L, O or U, so that nothing in it is taken for another.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MAX_QUANTITY = 1_000_000
# At least nine codes in ten stay free, so that a new one is found at once and a guess seldom hits.
SPACE_PER_CODE = 10


class BatchStatus(StrEnum):
    """Where a batch is in its life; `Complete` is final. `Exhausted`: no free code was found any more."""

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
    """How names are made: a prefix and so many random letters of an alphabet."""

    prefix: str | None = ""
    length: int | None = None
    alphabet: str | None = ALPHABET

    @property
    def space(self) -> int:
        """How many names it can make."""
        return int(len(self.alphabet or "") ** (self.length or 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDraft:
    """A batch that somebody asks for: how many codes by which pattern, and what they all give."""

    pattern: Pattern
    quantity: int | None
    codes: PromoCodeDraft


def violations(draft: BatchDraft) -> Iterator[Violation]:
    """What is wrong with the pattern and the quantity by themselves."""
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
    # Names are told apart without regard to case.
    if not NAME.fullmatch(alphabet) or len(alphabet) < 2 or len(set(key_of(alphabet))) < len(alphabet):
        yield Violation("BadAlphabet", "alphabet", "must have 2 to 36 of A-Z, a-z, 0-9, each once in either case")


def space_violations(pattern: Pattern, *, quantity: int, taken: int) -> Iterator[Violation]:
    """Whether a good pattern has room for so many codes more, beside those of earlier batches of its form."""
    needed = SPACE_PER_CODE * (quantity + taken)
    if pattern.space >= needed:
        return
    length = pattern.length or 0
    while len(pattern.alphabet or "") ** length < needed:
        length += 1
    yield Violation(
        "SpaceTooSmall",
        "length",
        f"must be at least {length}: {needed:,} possible codes are needed, {SPACE_PER_CODE} for each that there"
        f" will be, and this pattern has {pattern.space:,}",
    )
