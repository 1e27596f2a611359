"""Enumerations of the OpenAPI document: components with the meaning of each value."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema

_MARK = "x-enumeration"
_REFERENCE = "#/components/schemas/{name}"


@dataclass(frozen=True, slots=True, eq=False)  # hashable, as metadata of types must be
class Enumeration:
    """The values of a field with their meanings; as metadata of a field, it replaces the schema of the field's type."""

    name: str
    about: str
    meanings: Mapping[str, str]

    @property
    def schema(self) -> dict[str, Any]:
        """The schema of one value, with a mark that `with_components` replaces by a reference."""
        meanings = "\n".join(f"* `{value}`: {meaning}" for value, meaning in self.meanings.items())
        component = {
            "type": "string",
            "description": f"{self.about}\n\n{meanings}",
            "enum": list(map(str, self.meanings)),
        }
        return {"type": "string", "enum": component["enum"], _MARK: {self.name: component}}

    def only(self, name: str, values: Iterable[str]) -> "Enumeration":
        """The enumeration of some of the values, under another name."""
        return Enumeration(name, self.about, {value: self.meanings[value] for value in values})

    def __get_pydantic_json_schema__(self, _: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return self.schema


def with_components(document: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document with a component for each enumeration, and references in place of their marks."""
    schemas: dict[str, Any] = document["components"]["schemas"]
    for found in list(_marks(document)):
        schemas |= found
    referring: dict[str, Any] = _referring(document)
    return referring


def _marks(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if _MARK in value:
            yield value[_MARK]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _marks(item)


def _referring(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    match value:
        case dict() if _MARK in value:
            [name] = value[_MARK]
            others = {key: item for key, item in value.items() if key not in ("type", "enum", _MARK)}
            return {"$ref": _REFERENCE.format(name=name), **others}
        case dict():
            return {key: _referring(item) for key, item in value.items()}
        case list():
            return [_referring(item) for item in value]
        case _:
            return value
