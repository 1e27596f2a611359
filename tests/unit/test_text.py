"""Text that is compared without case."""

from hypothesis import given
from hypothesis import strategies as st

from tessera.kit.normalization import distinct, key_of


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
