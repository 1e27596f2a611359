"""Text that is compared without case."""

from collections.abc import Callable
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.kit.normalization import (
    distinct,
    domain_key,
    email_key,
    folded,
    key_of,
    stored_email,
    stored_name,
    trimmed,
)


def test_only_a_to_z_are_lowered() -> None:
    assert key_of("AZaz09-É\N{KELVIN SIGN}\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}\uff21") == (
        "azaz09-É\N{KELVIN SIGN}\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}\uff21"
    )


@given(st.text())
def test_a_key_is_its_own_key_and_that_of_ascii_is_what_lower_gives(text: str) -> None:
    assert key_of(key_of(text)) == key_of(text)
    assert key_of(text).encode("utf-8", "surrogatepass") == text.encode("utf-8", "surrogatepass").lower()


def test_repeats_collapse_to_the_first_spelling_in_order() -> None:
    assert distinct(["b", "A", "B", "a", "k", "\N{KELVIN SIGN}", "b"]) == ("b", "A", "k", "\N{KELVIN SIGN}")


@given(st.lists(st.text(alphabet="aAbB\N{KELVIN SIGN}")))
def test_what_is_distinct_has_each_key_once(values: list[str]) -> None:
    assert [key_of(value) for value in distinct(values)] == list(dict.fromkeys(key_of(value) for value in values))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Ada@Example.COM", "ada@example.com"),
        ("JOSÉ@example.com", "josé@example.com"),
        ("jose\N{COMBINING ACUTE ACCENT}@example.com", "josé@example.com"),
        ("STRASSE@example.com", "straße@example.com"),
        ("u@münchen.de", "U@XN--MNCHEN-3YA.de"),
        ("u@MÜNCHEN.de", "u@xn--mnchen-3ya.de"),
        ("u@mu\N{COMBINING DIAERESIS}nchen.de", "u@xn--mnchen-3ya.de"),
    ],
)
def test_spellings_of_one_address_have_one_key(left: str, right: str) -> None:
    assert email_key(left) == email_key(right)
    assert email_key(stored_email(left)) == email_key(left)


@given(st.emails(), st.text())
def test_keys_are_their_own_keys(address: str, text: str) -> None:
    assert email_key(email_key(address)) == email_key(address)
    assert folded(folded(text)) == folded(text)
    assert domain_key(domain_key(text)) == domain_key(text)


def test_what_has_no_width_is_trimmed() -> None:
    assert trimmed("\ufeff\u200b \N{IDEOGRAPHIC SPACE}A B\u2060\u200d\n") == "A B"
    assert trimmed("A\u200bB") == "A\u200bB"
    assert trimmed("\u200b\u200e") == ""


def test_names_are_trimmed_and_composed_and_compared_after_case_folding() -> None:
    decomposed = "\N{NO-BREAK SPACE} Cafe\N{COMBINING ACUTE ACCENT}\t"
    assert (stored_name(decomposed), folded(stored_name(decomposed))) == ("Café", "café")
    assert folded("CAFE\N{COMBINING ACUTE ACCENT}") == folded("Café")
    assert folded("ΣΊΣΥΦΟΣ") == folded("σίσυφος")


MARKS = "a@" + "\N{COMBINING COMMA ABOVE RIGHT}\N{COMBINING GRAVE ACCENT}" * 200_000


@pytest.mark.parametrize("normal_form", [stored_name, folded, email_key, domain_key, stored_email])
def test_a_text_with_more_marks_in_a_row_than_any_language_has_is_not_normalized(
    normal_form: Callable[[str], str],
) -> None:
    # Normalization would sort the marks for minutes, in which the process does nothing else; a list of shorter texts,
    # each within the length of names, takes as long.
    assert normal_form(MARKS) == MARKS
    assert normal_form(MARKS[:1_000]) == MARKS[:1_000]


def test_the_longest_stored_text_is_normalized_from_every_spelling() -> None:
    alpha = "\N{GREEK SMALL LETTER ALPHA WITH PSILI AND VARIA AND YPOGEGRAMMENI}"
    spelling = normalize("NFD", alpha * 500)
    assert len(spelling) == 2_000
    assert stored_name(" " * 100 + spelling) == alpha * 500
