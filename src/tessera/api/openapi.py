"""The OpenAPI description of operations that read their requests themselves."""

from collections.abc import Mapping
from typing import Any

from tessera.api.types import RequestModel, ResponseModel

Security = list[dict[str, list[str]]]

BEARER: Security = [{"bearerToken": []}, {"clientCredentials": []}]
BASIC: Security = [{"clientIdAndSecret": []}]
API_KEY: Security = [{"apiKey": []}]

_SCHEMA_REFERENCE = "#/components/schemas/{model}"


def parameters(model: type[RequestModel]) -> list[dict[str, Any]]:
    """The query parameters that `read_query` reads with this model."""
    schema = model.model_json_schema(by_alias=True, ref_template=_SCHEMA_REFERENCE)
    required = schema.get("required", [])
    return [_parameter(name, field, required=name in required) for name, field in schema["properties"].items()]


def json_body(model: type[RequestModel], example: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON body that `read_body` reads with this model; `install` in docs.py adds the model itself."""
    reference = {"$ref": _SCHEMA_REFERENCE.format(model=model.__name__)}
    return {"required": True, "content": {"application/json": {"schema": reference, "example": example}}}


def answer(model: type[ResponseModel], description: str, example: object, **examples: object) -> dict[str, Any]:
    """One status of an operation: its schema, when it comes, and what it looks like."""
    content: dict[str, Any] = {"example": example}
    if examples:
        content = {"examples": {name: {"value": value} for name, value in {"first": example, **examples}.items()}}
    return {"model": model, "description": description, "content": {"application/json": content}}


def _parameter(name: str, field: dict[str, Any], *, required: bool) -> dict[str, Any]:
    field = _without_null(field)
    description = field.pop("description", "")
    examples = field.pop("examples", [])
    field.pop("title", None)
    described = {"name": name, "in": "query", "required": required, "description": description, "schema": field}
    return described | ({"example": examples[0]} if examples else {})


def _without_null(field: dict[str, Any]) -> dict[str, Any]:
    # An absent parameter is None in Python; on the wire there is no null.
    field = dict(field)
    for option in field.pop("anyOf", []):
        if option != {"type": "null"}:
            field |= option
    if field.get("default", ...) is None:
        del field["default"]
    return field
