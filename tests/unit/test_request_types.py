"""The types of request fields: each accepts one documented form and refuses all others."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tessera.api.http import fields
from tessera.api.http.fields import MAX_PAGE
from tessera.promo_codes.rules import Status

STATUS = Annotated[Status, *fields.choice(Status)]
ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())


def read(wanted: Any, value: object) -> Any:
    """The parsed value, or the code of the violation."""
    try:
        return TypeAdapter(wanted).validate_python(value)
    except ValidationError as error:
        return error.errors()[0]["type"]


@pytest.mark.parametrize(
    ("wanted", "value", "expected"),
    [
        (fields.Text, "", ""),
        (fields.Text, " é ", " é "),
        (fields.Text, "\0", "NulCharacter"),
        (fields.Text, 1, "NotText"),
        (fields.Text, None, "NotText"),
        (fields.Texts, [], ()),
        (fields.Texts, ["a", "a"], ("a", "a")),
        (fields.Texts, ["a", 1], "NotText"),
        (fields.Texts, ["\0"], "NulCharacter"),
        (fields.Texts, "a", "NotList"),
        (fields.Texts, ("a",), "NotList"),
        (fields.Texts, ["a"] * 20_000, ("a",) * 20_000),
        (fields.Texts, [None] * 20_001, "TooManyItems"),
        (fields.WholeNumber, -(10**30), -(10**30)),
        (fields.WholeNumber, 10.0, "NotInteger"),
        (fields.WholeNumber, True, "NotInteger"),
        (fields.WholeNumber, "10", "NotInteger"),
        (fields.Boolean, False, False),
        (fields.Boolean, 0, "NotBoolean"),
        (fields.Boolean, "false", "NotBoolean"),
        (fields.Flag, "true", True),
        (fields.Flag, "FALSE", False),
        (fields.Flag, "1", "NotFlag"),
        (fields.Flag, "true ", "NotFlag"),
        (STATUS, "aRCHIVED", Status.ARCHIVED),
        (STATUS, "Archive", "NotAmongValues"),
        (fields.PageNumber, "1", 1),
        (fields.PageNumber, "+7", 7),
        (fields.PageNumber, "007", 7),
        (fields.PageNumber, "0" * 5_000 + "7", 7),
        (fields.PageNumber, "+" + "0" * 5_000 + "7", 7),
        (fields.PageNumber, str(MAX_PAGE + 1), MAX_PAGE),
        (fields.PageNumber, "9" * 100_000, MAX_PAGE),
        (fields.PageNumber, "0", "NotPage"),
        (fields.PageNumber, "0" * 5_000, "NotPage"),
        (fields.PageNumber, "-1", "NotPage"),
        (fields.PageNumber, "\uff11", "NotPage"),
        (fields.PageNumber, "1\n", "NotPage"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_each_form(wanted: Any, value: object, expected: object) -> None:
    result = read(wanted, value)
    assert (result, type(result)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2030-01-01T00:00:00", datetime(2030, 1, 1, tzinfo=UTC)),
        ("2030-01-01T00:00:00.5", datetime(2030, 1, 1, tzinfo=UTC)),
        ("2030-01-01T00:00:00,5", datetime(2030, 1, 1, tzinfo=UTC)),
        ("2030-01-01T00:00:00.999999999", datetime(2030, 1, 1, tzinfo=UTC)),
        ("2030-01-01T00:00:00+05:30", datetime(2029, 12, 31, 18, 30, tzinfo=UTC)),
        ("2030-01-01T00:00:00-05", datetime(2030, 1, 1, 5, tzinfo=UTC)),
        ("2028-02-29T00:00Z", datetime(2028, 2, 29, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00+00:01", "NotDateTime"),
        ("9999-12-31T23:59:59-00:01", "NotDateTime"),
        ("2029-02-29T00:00:00Z", "NotDateTime"),
    ],
)
def test_an_instant_is_aware_and_in_utc(value: str, expected: object) -> None:
    result = read(fields.Instant, value)
    assert result == expected
    assert isinstance(result, str) or result.tzinfo is UTC


@given(st.datetimes(timezones=st.timezones()))
def test_an_instant_of_any_time_zone_is_read_as_the_same_second(moment: datetime) -> None:
    text = moment.isoformat()
    if not re.search(r"[+-]\d\d:\d\d$", text):
        return  # offsets from before time zones have seconds, which ISO 8601 cannot express
    if moment.year in (1, 9999):
        return  # in UTC the year may be out of range
    assert read(fields.Instant, text) == moment.astimezone(UTC).replace(microsecond=0)


@given(ANYTHING)
def test_no_value_of_json_makes_a_reader_fail(value: object) -> None:
    for wanted in (fields.Text, fields.Texts, fields.WholeNumber, fields.Boolean, fields.Instant):
        read(wanted, value)


def test_the_first_hundred_wrong_items_of_a_list_are_reported() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(fields.Texts).validate_python(["good", *[7] * 15_000])
    errors = caught.value.errors(include_url=False, include_input=False)
    assert [error["loc"] for error in errors] == [(position,) for position in range(1, 101)]


@given(st.text())
def test_no_text_of_a_query_makes_a_reader_fail(value: str) -> None:
    number = read(fields.PageNumber, value)
    assert number == "NotPage" or number >= 1
    for wanted in (fields.Text, fields.Flag, STATUS):
        read(wanted, value)
