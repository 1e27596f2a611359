"""The values of records, as the audit log stores them."""

import pytest

from tessera.audit.rules import json_values, separate


@pytest.mark.parametrize(("number", "stored"), [(2**53 - 1, 2**53 - 1), (2**53, str(2**53)), (-(2**53), str(-(2**53)))])
def test_an_integer_that_canonical_json_cannot_have_is_stored_as_text(number: int, stored: object) -> None:
    assert json_values({"price": number}) == {"price": stored}


def test_texts_that_name_a_person_are_separated_at_any_depth() -> None:
    texts: dict[str, str] = {}
    values = {
        "name": "SAVE10",
        "candidate": {"email": "ada@example.com", "uses": 2},
        "purchases": [{"id": "7", "buyer": {"email": ""}}, {"emails": ["b@example.com"], "email": "c@example.com"}],
    }
    assert separate(values, "/after", texts) == {
        "name": "SAVE10",
        "candidate": {"email": None, "uses": 2},
        "purchases": [{"id": "7", "buyer": {"email": ""}}, {"emails": ["b@example.com"], "email": None}],
    }
    assert texts == {"/after/candidate/email": "ada@example.com", "/after/purchases/1/email": "c@example.com"}
