"""Voucher codes: their alphabet and length, and that all letters are equally likely."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.vouchers.codes import (
    ALPHABET,
    GUESSES_PER_HIT,
    MIN_LENGTH,
    mask,
    new_purchase_code,
    random_length,
    random_texts,
    stored_code,
)


def test_the_alphabet_has_no_two_letters_that_look_alike() -> None:
    assert len(ALPHABET) == len(set(ALPHABET)) == 32
    assert ALPHABET.isascii()
    assert ALPHABET.isalnum()
    assert ALPHABET.upper() == ALPHABET
    assert not set(ALPHABET) & set("ILOU")


@pytest.mark.parametrize(
    ("issued", "length"),
    [
        (0, 10),
        (1, 10),
        (1_125_899, 10),
        (1_125_900, 11),
        (36_028_797, 11),
        (36_028_798, 12),
        (10**12, 14),
    ],
)
def test_codes_grow_with_their_number(issued: int, length: int) -> None:
    assert random_length(issued) == length


@given(st.integers(min_value=0, max_value=10**15))
def test_a_guess_hits_less_often_than_one_in_a_billion_and_codes_are_no_longer_than_that_takes(issued: int) -> None:
    length = random_length(issued)
    assert length >= MIN_LENGTH
    assert issued * GUESSES_PER_HIT <= 32**length
    assert length == MIN_LENGTH or issued * GUESSES_PER_HIT > 32 ** (length - 1)


@given(st.integers(min_value=0, max_value=10**15), st.integers(min_value=0, max_value=1_000))
def test_codes_never_become_shorter(issued: int, more: int) -> None:
    assert random_length(issued) <= random_length(issued + more)


@pytest.mark.parametrize(("count", "length"), [(0, 6), (1, 6), (1_000, 6), (7, 13)])
def test_there_are_as_many_texts_as_were_asked_for_of_the_length_that_was(count: int, length: int) -> None:
    texts = random_texts(count, length=length)
    assert len(texts) == count
    assert {len(text) for text in texts} <= {length}
    assert set("".join(texts)) <= set(ALPHABET)


def test_a_hundred_thousand_long_texts_all_differ() -> None:
    texts = random_texts(100_000, length=12)
    assert len(set(texts)) == 100_000


def test_every_letter_is_equally_likely_at_every_place() -> None:
    texts = random_texts(64_000, length=6)
    for place in range(6):
        counts = Counter(text[place] for text in texts)
        # 2,000 of each are expected; with 31 degrees of freedom chi-square passes 100 once in 10^9 runs.
        assert sum((counts[letter] - 2_000) ** 2 / 2_000 for letter in ALPHABET) < 100


def test_a_purchase_code_is_readable_and_new_each_time() -> None:
    codes = {new_purchase_code() for _ in range(1_000)}
    assert len(codes) == 1_000
    for code in codes:
        assert code.startswith("VP-")
        assert len(code) == 13
        assert set(code[3:]) <= set(ALPHABET)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("spring-4h7kq2m", "SPRING-4H7KQ2M"),
        ("VP-1", "VP-1"),
        ("\u017fpring", "\u017fPRING"),
        ("ß é \u0131", "ß é \u0131"),
    ],
)
def test_only_a_to_z_are_raised(typed: str, kept: str) -> None:
    assert stored_code(typed) == kept


@pytest.mark.parametrize(
    ("code", "masked"),
    [
        ("SPRING-4H7KQ2MZ27", "SPRING-****27"),
        ("4H7KQ2MZ27XY", "4H7K****XY"),
        ("PRO-4H7KQ2M", "PRO-****"),
        ("OLD-4712", "****"),
        ("SECRETSECRET-1", "****"),
        ("SPRING-****27", "SPRING-****27"),
        ("SECRET****VALUE99", "SECR****99"),
    ],
)
def test_a_masked_code_hides_at_least_six_characters(code: str, masked: str) -> None:
    assert mask(code) == masked
