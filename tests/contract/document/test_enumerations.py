"""Every status, kind, reason and error code is an enumeration of the document that says what each value means."""

import ast
import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

import tessera
from tessera.api import vocabulary
from tessera.api.error_rendering import codes
from tessera.api.http.enumerations import Enumeration
from tessera.demo.storefront import page
from tessera.record_metadata.rules import Kind as MetadataKind

NAMES = ("status", "kind", "type", "errorCode", "error", "action")
# Not one of a closed set: the status as a number, and the actions in the audit log, which each resource has of its own.
OTHERS = {
    "ProblemModel.status",
    "NotRedeemableProblemModel.status",
    "CareValidateUnauthorizedModel.status",
    "CareValidateUnauthorizedModel.error",
}
OTHERS |= {"AuditEntryModel.action"}


@cache
def trees() -> list[ast.Module]:
    """The source files; every process imports this file, so that only one process should parse them."""
    return [ast.parse(path.read_text()) for path in Path(tessera.__file__).parent.rglob("*.py")]


def calls(name: str, position: int) -> Iterator[tuple[ast.Call, str]]:
    """The calls of functions with this name that have a literal text at this position."""
    for tree in trees():
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called)) if called == name:
                    match node.args[position : position + 1]:
                        case [ast.Constant(value=str(text))]:
                            yield node, text


def reasons() -> set[str]:
    # The status of a promo code that is not active is a reason too.
    return {text for _, text in calls("Reason", 0)} | {"Inactive", "Archived"}


def refusals() -> set[str]:
    fields = {(text, getattr(call.args[1], "value", None)) for call, text in calls("Violation", 0)}
    return {text for text, field in fields if field == "voucher"}


def audited_kinds() -> Iterator[str]:
    for tree in trees():
        for node in ast.walk(tree):
            match node:
                case ast.keyword(arg="kind", value=ast.Constant(value=str(kind))):
                    yield kind
                case ast.Assign(targets=[ast.Name(id="KIND")], value=ast.Constant(value=str(kind))):
                    yield kind


@pytest.mark.parametrize(
    ("enumeration", "used"),
    [
        (vocabulary.REASON, reasons),
        (vocabulary.VOUCHER_REFUSAL, refusals),
        (vocabulary.AUDITED_KIND, lambda: {*filter(str.isidentifier, audited_kinds()), *MetadataKind}),
        (codes.PROBLEM_TYPE, lambda: {codes.URN + text for _, text in calls("problem", 1)}),
        (codes.CERTIVERSE_ERROR, lambda: {text for _, text in calls("error_response", 1)} | {"ValidationFailed"}),
        (codes.OAUTH_ERROR, lambda: {text for _, text in calls("_oauth", 1)}),
    ],
    ids=lambda value: value.name if isinstance(value, Enumeration) else "",
)
def test_every_code_that_the_program_uses_has_a_meaning(enumeration: Enumeration, used: Callable[[], set[str]]) -> None:
    assert set(enumeration.meanings) == used()


def test_the_demonstration_storefront_has_words_for_every_reason_against_a_code() -> None:
    script = (page.FILES / "page.js").read_text()
    table = script.partition("const MESSAGES = {\n")[2].partition("\n};")[0]
    messages = dict(re.findall(r'^  (\w+): "([A-Z].+\.)",$', table, re.MULTILINE))
    assert len(messages) == len(table.splitlines())
    assert set(vocabulary.REASON.meanings) <= set(messages)


def test_every_member_of_an_enum_has_a_meaning() -> None:
    enumerations = [value for value in vars(vocabulary).values() if isinstance(value, Enumeration)]
    described = {each.name: set(each.meanings) for each in enumerations}
    kinds = {each.name: type(next(iter(each.meanings))) for each in enumerations}
    members = {name: set(kind) for name, kind in kinds.items() if issubclass(kind, StrEnum)}
    assert len(members) > 10
    assert {name: described[name] for name in members} == members


def test_every_enumeration_of_the_document_says_what_its_values_mean(app: FastAPI) -> None:
    schemas = app.openapi()["components"]["schemas"]
    enumerations = {name: schema for name, schema in schemas.items() if "enum" in schema}
    for name, schema in enumerations.items():
        assert all(f"* `{value}`: " in schema["description"] for value in schema["enum"]), name
    assert len(enumerations) > 20


def test_every_status_and_kind_is_an_enumeration(app: FastAPI) -> None:
    schemas = app.openapi()["components"]["schemas"]
    fields: dict[str, Any] = {
        f"{name}.{field}": schema
        for name, model in schemas.items()
        for field, schema in model.get("properties", {}).items()
        if field in NAMES
        or field.endswith("Status")
        or (field == "code" and name in ("CodeReasonModel", "RedemptionRefusalModel"))
    }
    assert len(fields) > 30
    assert {field for field, schema in fields.items() if "$ref" not in str(schema)} == OTHERS
