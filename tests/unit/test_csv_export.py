"""Cells of CSV files: their text, and that none is a formula."""

import threading
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.kit import csv


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t1", "\r1", "\n1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff20A"]
)
def test_a_text_that_would_be_a_formula_gets_an_apostrophe_and_loses_it_again(text: str) -> None:
    assert csv.cell(text) == f"'{text}"
    assert csv.plain(csv.cell(text)) == text


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("10;=1+1", "10;'=1+1"),
        ("a\n\u200b=1", "a\n'\u200b=1"),
        ("\t=1", "'\t'=1"),
        ("a\r\n\r\nb", "a\r\n\r\nb"),
        ("\ufeff=1", "'\ufeff=1"),
        (' "=1', "' \"=1"),
        ("a\x1b[2J\x9b", "a\\u001b[2J\\u009b"),
        ("\\u001b", "\\\\u001b"),
        ("\\\x1b=1", "\\\\\\u001b=1"),
        ("C:\\dir\\u0041", "C:\\dir\\u0041"),
    ],
)
def test_hidden_formulas_and_control_characters_are_shown_and_read_back(text: str, cell: str) -> None:
    assert csv.cell(text) == cell
    assert csv.plain(cell) == text


@given(st.text(st.sampled_from("'=-a ;\t\n\"\u200b")) | st.text(st.sampled_from("\\u01b\x1b\x01")) | st.text())
def test_a_text_is_read_back_whatever_it_contains(text: str) -> None:
    assert csv.plain(csv.cell(text)) == text


@pytest.mark.parametrize("text", ["\n", "\\", "'", ";' ", "\\u00"])
def test_a_cell_of_a_megabyte_is_read_in_linear_time(text: str) -> None:
    # Quadratic time is hours, which the time limit of tests ends.
    assert csv.plain(csv.cell(text * 2**18)) == text * 2**18


@given(st.lists(st.text(st.sampled_from("\\\\||ab"), min_size=1), max_size=4))
def test_values_of_one_cell_are_read_back_whatever_they_contain(values: list[str]) -> None:
    assert csv.split(csv.join(values)) == values


def test_typed_values_are_separated_without_escapes() -> None:
    assert csv.split(" a | b||c\\d | ") == ["a", "b", "c\\d"]


@pytest.mark.parametrize("text", ["", "a=1", "'quoted'", "'"])
def test_another_text_stays_as_it_is(text: str) -> None:
    assert csv.cell(text) == text
    assert csv.plain(text) == text


def test_every_kind_of_value_has_its_form() -> None:
    values = [None, True, False, 7, Decimal("12.50"), datetime(2026, 1, 1, tzinfo=UTC), UUID(int=0), ["-a", "b"], ()]
    cells = ["", "true", "false", "7", "12.50", "2026-01-01T00:00:00Z", str(UUID(int=0)), "'-a|b", ""]
    assert [csv.cell(value) for value in values] == cells


def test_lines_are_those_of_the_standard() -> None:
    assert csv.lines([["a", 'b,"c"'], ["d\ne", None]]) == b'a,"b,""c"""\r\n"d\ne",\r\n'


async def test_the_lines_of_a_page_are_written_in_a_thread() -> None:
    writers = set[int]()

    def cells(record: int) -> list[object]:
        writers.add(threading.get_ident())
        return [record]

    assert await csv.page([1, 2], cells) == b"1\r\n2\r\n"
    assert threading.get_ident() not in writers
