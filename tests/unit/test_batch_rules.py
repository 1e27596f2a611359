"""Patterns of batches, and the random names that they make."""

from collections import Counter
from itertools import product

import pytest

from tessera.codes.rules import looks_like_number_or_date
from tessera.promo_codes.batches.codes import random_names
from tessera.promo_codes.batches.rules import ALPHABET, Pattern, space_violations


@pytest.mark.parametrize(
    ("length", "quantity", "taken", "found"),
    [
        # 32**8 names, of which 10**8 are digits, 6 * 10**7 are digits with an `E` in between, and 1,433,000 are dates.
        (8, 1_099_350, 0, []),
        (8, 1_099_351, 0, ["SpaceTooSmall"]),
        (8, 1_099_349, 2, ["SpaceTooSmall"]),
        (4, 1, 0, []),
        (4, 2, 0, ["SpaceTooSmall"]),
    ],
)
def test_there_must_be_a_million_names_for_each_code(length: int, quantity: int, taken: int, found: list[str]) -> None:
    violations = space_violations(Pattern(length=length), quantity=quantity, used_names=taken)
    assert [violation.code for violation in violations] == found


@pytest.mark.parametrize("prefix", ["", "7", "7E", "7e8", "E", "X", "7E8E", "MA", "12ma", "SEPT", "123MA", "decembe"])
@pytest.mark.parametrize("alphabet", ["01E", "0eX", "XY", "01", "1mArCh2"])
@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_the_space_has_no_names_that_look_like_numbers(prefix: str, alphabet: str, length: int) -> None:
    names = [prefix + "".join(letters) for letters in product(alphabet, repeat=length)]
    usable = {name for name in names if not looks_like_number_or_date(name)}
    assert Pattern(prefix=prefix, length=length, alphabet=alphabet).space == len(usable)
    drawn = random_names(100, prefix=prefix, length=length, alphabet=alphabet)
    assert set(drawn) <= usable


@pytest.mark.parametrize(
    "code", ["6976E7", "076478", "MAR2031", "12mar31", "12SEPT", "1MARCH2031", "DECEMBER1", "-7", "7E-1"]
)
def test_what_a_spreadsheet_converts_looks_like_a_number_or_a_date(code: str) -> None:
    assert looks_like_number_or_date(code)


@pytest.mark.parametrize("code", ["6976E", "E7", "1E2E3", "MAR", "MAR20311", "123MAR1", "MARC1", "XMAR1", "DECEMB1"])
def test_other_codes_look_like_neither(code: str) -> None:
    assert not looks_like_number_or_date(code)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (Pattern(prefix="SPRING", length=6), "must be at least 8: the pattern needs 1,000,000,000,000"),
        (Pattern(prefix="7", length=10, alphabet="0123456789"), "must be larger: the pattern needs 1,000,000,000,000"),
    ],
)
def test_a_refused_pattern_is_told_what_it_needs(pattern: Pattern, message: str) -> None:
    (violation,) = space_violations(pattern, quantity=1_000_000, used_names=0)
    assert violation.message.startswith(message)


def test_names_are_different_and_every_letter_is_equally_likely() -> None:
    for alphabet in (ALPHABET, "ABC", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"):
        names = random_names(20_000, prefix="X", length=10, alphabet=alphabet)
        assert len(set(names)) == len(names) == 20_000
        letters = Counter("".join(name[1:] for name in names))
        assert set(letters) == set(alphabet)
        expected = 200_000 / len(alphabet)
        # Six standard deviations of a fair draw, far less than the bias of a byte's remainder.
        assert all(abs(count - expected) < 6 * expected**0.5 for count in letters.values())
