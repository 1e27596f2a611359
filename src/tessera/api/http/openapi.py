"""OpenAPI documentation of operations that parse their requests without the framework."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from tessera.api.http.fields import RequestModel, ResponseModel

Security = list[dict[str, list[str]]]

BEARER: Security = [{"bearerToken": []}, {"clientCredentials": []}]
PUBLIC: Security = []  # needs no credential
BASIC: Security = [{"clientIdAndSecret": []}]
KEY_OR_BEARER: Security = [{"apiKey": []}, *BEARER]
API_KEY: Security = [{"apiKey": []}]

_NULL = "\0null"
_SCHEMA_REFERENCE = "#/components/schemas/{model}"


def parameters(model: type[RequestModel]) -> list[dict[str, Any]]:
    """The query parameters that `read_query` parses with this model."""
    schema = schema_of(model)
    required = schema.get("required", [])
    return [_parameter(name, field, required=name in required) for name, field in schema["properties"].items()]


def example_filter(name: str) -> dict[str, Any]:
    """The optional parameter whose example the docs page fills in, for a list that requires a filter."""
    return {"x-example-filter": name}


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a model; the schemas of nested models are under `$defs`."""
    return model.model_json_schema(by_alias=True, ref_template=_SCHEMA_REFERENCE)


def components_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schemas of a model and of its nested models by name, as components of the OpenAPI document."""
    schema = schema_of(model)
    return {**schema.pop("$defs", {}), model.__name__: schema}


def json_body(model: type[RequestModel], example: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON body that `read_body` parses with this model; `documents.install` adds the model itself."""
    return _body("application/json", model, example)


def form_body(model: type[RequestModel], example: Mapping[str, Any]) -> dict[str, Any]:
    """The form body with the fields of this model; `documents.install` adds the model itself."""
    return _body("application/x-www-form-urlencoded", model, example)


def response(
    model: type[ResponseModel],
    description: str,
    example: object = None,
    *,
    headers: Mapping[str, str] | None = None,
    **examples: object,
) -> dict[str, Any]:
    """One response of an operation: its schema, description, headers and examples.

    Pass either one example or several by name; the docs page offers a choice of named examples.
    """
    content: dict[str, Any] = {"example": mark_nulls(example)}
    if examples:
        content = {"examples": {name: {"value": mark_nulls(value)} for name, value in examples.items()}}
    documentation: dict[str, Any] = {
        "model": model,
        "description": description,
        "content": {"application/json": content},
    }
    if headers:
        documentation["headers"] = {name: header(text) | {"required": True} for name, text in headers.items()}
    return documentation


def mark_nulls(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The value with a mark in place of each null, because FastAPI drops nulls even from examples."""
    return _replaced(value, None, _NULL)


def unmark_nulls(value: Any) -> Any:  # noqa: ANN401
    """The value with nulls in place of the marks."""
    return _replaced(value, _NULL, None)


def _replaced(value: Any, old: object, new: object) -> Any:  # noqa: ANN401
    match value:
        case dict():
            return {name: _replaced(member, old, new) for name, member in value.items()}
        case list():
            return [_replaced(item, old, new) for item in value]
        case _:
            return new if value == old else value


def header(description: str) -> dict[str, Any]:
    """One header of a response."""
    return {"description": description, "schema": {"type": "string"}}


def _body(media_type: str, model: type[RequestModel], example: Mapping[str, Any]) -> dict[str, Any]:
    reference = {"$ref": _SCHEMA_REFERENCE.format(model=model.__name__)}
    return {"required": True, "content": {media_type: {"schema": reference, "example": example}}}


def _parameter(name: str, field: dict[str, Any], *, required: bool) -> dict[str, Any]:
    field = dict(field)
    description = field.pop("description", "")
    examples = field.pop("examples", [])
    documentation = {"name": name, "in": "query", "required": required, "description": description, "schema": field}
    return documentation | ({"example": examples[0]} if examples else {})
