"""Response models that serialize domain values according to their fields."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any

from pydantic import ConfigDict

from tessera.api.http.fields import ResponseModel
from tessera.kit.wire import wire_name

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class From:
    """Metadata of a response field that is computed from the domain value; other fields are attributes of it."""

    read: Callable[[Any], Any]


class Representation(ResponseModel):
    """A response model: its fields have domain names, and the properties of the JSON object are camelCase.

    A field with the default None is absent from the object when the value is None; a required one is null.
    """

    model_config = ConfigDict(alias_generator=wire_name)

    @classmethod
    def of(cls, value: object, **computed: object) -> Body:
        """The JSON object of a domain value, in the order of the fields; it is not validated.

        `computed` has the values of fields that cannot be read from the domain value.
        """
        body = {}
        for name, alias, read, is_optional in _fields(cls):
            item = computed[name] if name in computed else read(value)
            if item is not None or not is_optional:
                body[alias] = item
        return body


@cache
def _fields(model: type[Representation]) -> list[tuple[str, str, Callable[[Any], Any], bool]]:
    return [
        (name, info.alias or name, _reader(name, info.metadata), not info.is_required())
        for name, info in model.model_fields.items()
    ]


def _reader(name: str, metadata: list[Any]) -> Callable[[Any], Any]:
    sources = (item.read for item in metadata if isinstance(item, From))
    return next(sources, attrgetter(name))
