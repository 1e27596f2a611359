"""Responses that clients have not read yet: who is refused because of them."""

from uuid import UUID

import pytest

from tessera.api.serving.unread import UnreadResponses
from tessera.kit.errors import TooManyRequests

FIRST, SECOND, READER = UUID(int=1), UUID(int=2), UUID(int=3)


def refused(unread: UnreadResponses) -> list[UUID]:
    found = []
    for each in (FIRST, SECOND, READER):
        try:
            unread.admit(each)
        except TooManyRequests:
            found.append(each)
    return found


def test_beyond_the_total_only_those_who_leave_something_unread_are_refused() -> None:
    unread = UnreadResponses(10, per_organization=8)
    unread.add(FIRST, 5)
    unread.add(SECOND, 5)
    assert refused(unread) == []
    unread.add(SECOND, 1)
    assert refused(unread) == [FIRST, SECOND]
    unread.add(FIRST, -5)
    assert refused(unread) == []


@pytest.mark.parametrize(("size", "expected"), [(8, []), (9, [FIRST])])
def test_beyond_its_share_an_organization_is_refused(size: int, expected: list[UUID]) -> None:
    unread = UnreadResponses(10, per_organization=8)
    unread.add(FIRST, size)
    assert refused(unread) == expected
