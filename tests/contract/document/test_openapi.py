"""The OpenAPI document as a product: complete, consistent, and in agreement with the server."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import jsonschema_rs
import pytest
from fastapi import FastAPI

from tessera.api.application import create_app
from tessera.api.http.fields import RequestModel
from tessera.api.serving.resources import Resources

Operation = dict[str, Any]

# All statuses that the documents and the contract have.
DOCUMENTED = {
    "authenticate": ["200", "400", "401", "429", "500", "503"],
    "createAccessToken": ["200", "400", "401", "413", "415", "429", "500", "503"],
    "listPromoCodes": ["200", "400", "401", "429", "500", "503"],
    "createPromoCode": ["201", "400", "401", "409", "413", "415", "422", "429", "500", "503"],
    "listVoucherPartners": ["200", "400", "401", "422", "429", "500", "503"],
    "listVoucherPrograms": ["200", "400", "401", "422", "429", "500", "503"],
    "listVoucherPurchases": ["200", "400", "401", "422", "429", "500", "503"],
    "createVoucherPurchase": ["200", "400", "401", "409", "413", "415", "422", "429", "500", "503"],
    "listVouchers": ["200", "400", "401", "422", "429", "500", "503"],
    "validatePromoCode": ["200", "400", "401", "404", "429", "500", "503"],
    "validateCodes": ["200", "400", "401", "403", "413", "415", "429", "500", "503"],
    "redeemCode": ["201", "400", "401", "403", "409", "413", "415", "422", "429", "500", "503"],
    "listRedemptions": ["200", "400", "401", "403", "429", "500", "503"],
    "getRedemption": ["200", "400", "401", "403", "404", "429", "500", "503"],
    "confirmRedemption": ["200", "400", "401", "403", "404", "409", "413", "422", "429", "500", "503"],
    "releaseRedemption": ["200", "400", "401", "403", "404", "409", "413", "422", "429", "500", "503"],
    "cancelRedemption": ["200", "400", "401", "403", "404", "409", "413", "422", "429", "500", "503"],
    "extendRedemption": ["200", "400", "401", "403", "404", "409", "413", "415", "422", "429", "500", "503"],
    "getReservation": ["200", "400", "401", "403", "404", "429", "500", "503"],
    "updateReservation": ["200", "400", "401", "403", "404", "409", "413", "415", "422", "429", "500", "503"],
    "checkLiveness": ["200"],
    "checkReadiness": ["200", "503"],
}
# The kinds of operations of the management API: list, get, create, change with or without a body, export and import.
MANAGEMENT = (
    ["200", "400", "401", "403", "429", "500", "503"],
    ["201", "400", "401", "403", "409", "413", "415", "422", "429", "500", "503"],
    # Get, and the same below a parent that must exist, and one action on many objects.
    ["200", "400", "401", "403", "404", "429", "500", "503"],
    ["201", "400", "401", "403", "404", "409", "413", "415", "422", "429", "500", "503"],
    ["200", "400", "401", "403", "409", "413", "415", "422", "429", "500", "503"],
    ["200", "400", "401", "403", "404", "409", "412", "413", "415", "422", "428", "429", "500", "503"],
    ["200", "400", "401", "403", "404", "409", "412", "413", "422", "428", "429", "500", "503"],
    # A person, who may be one of several with an address.
    ["200", "400", "401", "403", "404", "409", "429", "500", "503"],
    ["200", "400", "401", "403", "404", "409", "422", "429", "500", "503"],
    ["200", "400", "401", "429", "500", "503"],
    # A part of a resource that has no version of its own.
    ["200", "400", "401", "403", "404", "409", "413", "415", "422", "429", "500", "503"],
    ["200", "201", "400", "401", "403", "409", "413", "415", "422", "429", "500", "503"],
)


@pytest.fixture
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path in document["paths"].values():
        yield from path.values()


def contents(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """All parameters, request bodies and responses, each with its name."""
    for operation in operations(document):
        name = operation["operationId"]
        for parameter in operation.get("parameters", []):
            yield f"{name} {parameter['name']}", parameter
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{name} {media_type}", content
        for status, answer in operation["responses"].items():
            for media_type, content in answer["content"].items():
                yield f"{name} {status} {media_type}", content


def examples(content: dict[str, Any]) -> list[Any]:
    named = [example["value"] for example in content.get("examples", {}).values()]
    return [*named, *([content["example"]] if "example" in content else [])]


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from ([value["$ref"]] if "$ref" in value else [])
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from references(item)


def test_every_operation_says_what_it_is_and_does(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    for operation in operations(document):
        assert operation["summary"]
        assert operation["description"]
        assert set(operation["tags"]) <= tags


def test_operations_and_their_statuses_are_those_of_the_documents(document: dict[str, Any]) -> None:
    items = [(operation["operationId"], sorted(operation["responses"])) for operation in operations(document)]
    assert len(items) == len(dict(items))  # client generators name a function after each id
    managed = {operation["operationId"] for operation in operations(document) if is_management(operation)}
    assert {name: statuses for name, statuses in items if name not in managed} == DOCUMENTED
    assert [(name, statuses) for name, statuses in items if name in managed and statuses not in MANAGEMENT] == []


def is_management(operation: Operation) -> bool:
    return bool(operation["tags"][0].startswith("Management"))


def test_every_parameter_body_and_answer_has_an_example_that_its_schema_accepts(document: dict[str, Any]) -> None:
    components = {"components": document["components"]}
    validators: dict[str, jsonschema_rs.Draft202012Validator] = {}  # many contents have the same schema
    for name, content in contents(document):
        schema = content["schema"]
        validator = validators.get(str(schema)) or jsonschema_rs.Draft202012Validator(
            {**schema, **components}, validate_formats=True
        )
        validators[str(schema)] = validator
        assert examples(content), name
        for example in examples(content):
            assert [error.message for error in validator.iter_errors(example)] == [], name


def test_every_parameter_answer_and_header_is_described(document: dict[str, Any]) -> None:
    for operation in operations(document):
        answers = operation["responses"].values()
        headers = [header for answer in answers for header in answer.get("headers", {}).values()]
        for described in (*operation.get("parameters", []), *answers, *headers):
            assert described["description"], operation["operationId"]


def test_every_operation_with_a_key_in_use_documents_retry_after(
    document: dict[str, Any],
) -> None:
    keyed = [each for each in operations(document) if "Idempotency-Key" in str(each.get("parameters", []))]
    assert len(keyed) > 50
    untold = [each["operationId"] for each in keyed if "Retry-After" not in each["responses"]["409"].get("headers", {})]
    assert untold == []


def test_every_list_that_goes_on_tells_of_its_link(document: dict[str, Any]) -> None:
    lists = {
        each["operationId"]: each["responses"]["200"] for each in operations(document) if "200" in each["responses"]
    }
    going_on = {name: answer for name, answer in lists.items() if "nextLink" in str(answer["content"])}
    assert "listRedemptions" in going_on
    assert [name for name, answer in going_on.items() if "Link" not in answer.get("headers", {})] == []


def test_every_field_is_described_under_its_own_name(document: dict[str, Any]) -> None:
    for name, model in document["components"]["schemas"].items():
        for field, schema in model.get("properties", {}).items():
            assert schema.get("description"), f"{name}.{field}"
            # The docs page and generated clients would show a title in place of the name.
            assert "title" not in schema, f"{name}.{field}"


def test_every_reference_leads_to_a_schema_and_every_schema_is_used(document: dict[str, Any]) -> None:
    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) == schemas


def test_every_amount_says_that_it_is_in_dollars(document: dict[str, Any]) -> None:
    numbers = {
        f"{name}.{field}": schema["description"]
        for name, model in document["components"]["schemas"].items()
        for field, schema in model.get("properties", {}).items()
        if schema.get("type") == "number" and field != "percent"
    }
    assert len(numbers) > 20
    assert [name for name, description in numbers.items() if "dollars" not in description] == []


def test_no_two_schemas_differ_only_in_a_plural(document: dict[str, Any]) -> None:
    singulars = [name.replace("s", "") for name in document["components"]["schemas"]]
    assert [name for name in singulars if singulars.count(name) > 1] == []


def test_every_credential_is_a_security_scheme(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    used = {name for operation in operations(document) for one in operation.get("security", []) for name in one}
    assert used == set(schemes)
    assert {name: (scheme["type"], scheme.get("scheme") or scheme.get("name")) for name, scheme in schemes.items()} == {
        "clientIdAndSecret": ("http", "basic"),
        "clientCredentials": ("oauth2", None),
        "bearerToken": ("http", "bearer"),
        "apiKey": ("apiKey", "cv-api-key"),
    }


def test_the_frameworks_own_validation_error_is_not_there(document: dict[str, Any]) -> None:
    assert not {"HTTPValidationError", "ValidationError"} & set(document["components"]["schemas"])


async def test_the_document_names_the_address_it_was_asked_at(client: httpx.AsyncClient) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "promo.example.com", "X-Forwarded-Prefix": "/tessera"}
    body = (await client.get("/openapi.json", headers=headers)).json()
    assert addresses_in(body) == (
        [{"url": "https://promo.example.com/tessera"}],
        "https://promo.example.com/tessera/oauth/token",
    )


async def test_the_document_names_the_public_address_where_one_is_configured(resources: Resources) -> None:
    public = create_app(replace(resources, public_url="https://tessera.example.com/"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(public), base_url="http://10.0.0.1:8000") as client:
        body = (await client.get("/openapi.json")).json()
    assert addresses_in(body) == (
        [{"url": "https://tessera.example.com"}],
        "https://tessera.example.com/oauth/token",
    )


def addresses_in(document: dict[str, Any]) -> tuple[list[dict[str, str]], str]:
    flows = document["components"]["securitySchemes"]["clientCredentials"]["flows"]
    return document["servers"], flows["clientCredentials"]["tokenUrl"]


def test_a_property_states_its_default_and_none_is_not_one() -> None:
    models = [*RequestModel.__subclasses__()]
    for model in models:
        models += model.__subclasses__()
        stated = {name for name, field in model.model_json_schema()["properties"].items() if "default" in field}
        fields = model.model_fields.items()
        meant = {info.alias or name for name, info in fields if not info.is_required() and info.default is not None}
        assert (model.__name__, stated) == (model.__name__, meant)
    assert len(models) > 40
