"""The values of fields and their meanings, as the OpenAPI document lists them."""

from enum import StrEnum

from tessera.api import vocabulary
from tessera.api.http.enumerations import Enumeration


def test_each_value_of_an_enumeration_has_a_meaning_of_its_own() -> None:
    enumerations = [each for each in vars(vocabulary).values() if isinstance(each, Enumeration)]
    assert len(enumerations) > 10
    for each in enumerations:
        (kind,) = {type(value) for value in each.meanings}
        if issubclass(kind, StrEnum):
            assert set(each.meanings) == set(kind), each.name
        assert len(set(each.meanings.values())) == len(each.meanings), each.name
