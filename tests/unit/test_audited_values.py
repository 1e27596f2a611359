"""The values of records, as the audit log stores them."""

import pytest

from tessera.audit.rules import json_values


@pytest.mark.parametrize(("number", "stored"), [(2**53 - 1, 2**53 - 1), (2**53, str(2**53)), (-(2**53), str(-(2**53)))])
def test_an_integer_that_canonical_json_cannot_have_is_stored_as_text(number: int, stored: object) -> None:
    assert json_values({"price": number}) == {"price": stored}
