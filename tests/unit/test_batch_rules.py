"""Patterns of batches, and the random names that they make."""

from collections import Counter

import pytest

from tessera.promo_codes.batches.codes import random_names
from tessera.promo_codes.batches.rules import ALPHABET, Pattern, space_violations


@pytest.mark.parametrize(
    ("length", "quantity", "taken", "found"),
    [
        (4, 104_857, 0, []),
        (4, 104_858, 0, ["SpaceTooSmall"]),
        (4, 104_856, 2, ["SpaceTooSmall"]),
        (1, 3, 0, []),
        (1, 4, 0, ["SpaceTooSmall"]),
    ],
)
def test_nine_names_in_ten_must_stay_free(length: int, quantity: int, taken: int, found: list[str]) -> None:
    violations = space_violations(Pattern(length=length), quantity=quantity, used_names=taken)
    assert [violation.code for violation in violations] == found


def test_names_are_different_and_every_letter_is_equally_likely() -> None:
    for alphabet in (ALPHABET, "ABC", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"):
        names = random_names(20_000, prefix="X", length=10, alphabet=alphabet)
        assert len(set(names)) == len(names) == 20_000
        letters = Counter("".join(name[1:] for name in names))
        assert set(letters) == set(alphabet)
        expected = 200_000 / len(alphabet)
        # Six standard deviations of a fair draw, far less than the bias of a byte's remainder.
        assert all(abs(count - expected) < 6 * expected**0.5 for count in letters.values())
