"""Cursors: a cursor is read as it was written, and any other text is refused."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.kit.db import cursors
from tessera.kit.errors import Invalid

KINDS = [datetime, UUID, str, int]


@given(
    st.datetimes(timezones=st.just(UTC)),
    st.uuids(),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    st.integers(-(2**63) + 1, 2**63 - 1),
)
def test_a_cursor_is_read_as_it_was_written(at: datetime, name: UUID, text: str, number: int) -> None:
    assert cursors.decode(cursors.encode([at, name, text, number]), KINDS) == [at, name, text, number]


@given(st.text())
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        cursors.decode(text, [UUID, datetime])


@pytest.mark.parametrize(
    ("place", "kinds"),
    [
        ([uuid4()], [UUID, UUID]),
        ([uuid4(), 1], [UUID]),
        (["x"], [UUID]),
        ([datetime(2026, 1, 1)], [datetime]),  # noqa: DTZ001 - the hostile case
        (["a\0b"], [str]),
        ([2**63], [int]),
    ],
)
def test_a_cursor_of_another_list_is_refused(place: list[object], kinds: list[type]) -> None:
    with pytest.raises(Invalid, match="must be a cursor from a nextLink of this list"):
        cursors.decode(cursors.encode(place), kinds)
