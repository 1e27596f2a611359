"""Types of what callers send: each reads one documented form, and says what it wants when it gets another."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainValidator,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from tessera.identity.rules import is_email_address
from tessera.kit.errors import Violation
from tessera.kit.normalization import key_of
from tessera.kit.wire import wire_name

MAX_WRONG_ITEMS = 100
MAX_PAGE = 10**9  # more than any list has; larger numbers mean the same
_DATE_AND_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}([.,]\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NOT_DAY = "must be a date, such as 2026-01-31"
# Not "date-time": that is RFC 3339, which demands an offset, and clients would refuse the documented times.
_DATE_AND_TIME_SCHEMA = {"type": "string", "pattern": f"^{_DATE_AND_TIME.pattern}$"}


def _describe(schema: dict[str, Any]) -> None:
    # Titles made of names ("Promocodename") would show in place of the names. None stands for absent here: what
    # clients are told is that they may leave the field out, in the documents' words, and not that it may be null.
    for name, field in schema.get("properties", {}).items():
        field.pop("title", None)
        if name not in schema.get("required", []):
            _describe_optional(field)


def _describe_optional(field: dict[str, Any]) -> None:
    given = [option for option in field.pop("anyOf", []) if option != {"type": "null"}]
    if len(given) == 1:
        field |= given[0]
    elif given:
        field["anyOf"] = given
    if field.get("default", ...) is None:
        del field["default"]


class RequestModel(BaseModel):
    """What one operation reads: domain names as attributes, wire names as aliases, in the document's order."""

    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=wire_name, json_schema_extra=_describe)


class ResponseModel(BaseModel):
    """What one operation answers; used for the OpenAPI document, never to check our own output."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_describe)


def wire_names(model: type[RequestModel]) -> dict[str, str]:
    """Wire name by domain name, in the document's order."""
    return {name: info.alias or name for name, info in model.model_fields.items()}


def wire_path(field: str, names: Mapping[str, str]) -> str:
    """The way to a field, or into its value ("storeExamCodes/3"), by wire names."""
    name, slash, rest = field.partition("/")
    return names[name] + slash + rest


def in_wire_order(violations: Iterable[Violation], *models: type[RequestModel]) -> list[tuple[str, Violation]]:
    """Each violation with the way to it by wire names, in the order of the model, of these the one with all fields."""
    by_name = [(violation.field.partition("/")[0], violation) for violation in violations]
    names = next(wire for wire in map(wire_names, models) if {name for name, _ in by_name} <= wire.keys())
    order = list(names)
    by_name.sort(key=lambda each: order.index(each[0]))
    return [(wire_path(violation.field, names), violation) for _, violation in by_name]


def refuse(code: str, message: str) -> PydanticCustomError:
    """The error of a field that cannot be read; `message` is a predicate: "must be ..."."""
    return PydanticCustomError(code, message)


def _text(value: Any) -> str:  # noqa: ANN401 - whatever JSON or a query string holds
    if not isinstance(value, str):
        raise refuse("NotText", "must be a string")
    if "\0" in value:
        raise refuse("NulCharacter", "must not contain a NUL character")
    return value


def _whole_number(value: Any) -> int:  # noqa: ANN401
    # bool is an int in Python, and not in JSON.
    if not isinstance(value, int) or isinstance(value, bool):
        raise refuse("NotInteger", "must be an integer")
    return value


def _boolean(value: Any) -> bool:  # noqa: ANN401
    if not isinstance(value, bool):
        raise refuse("NotBoolean", "must be true or false")
    return value


def a_list(item: Any, of: str) -> PlainValidator:  # noqa: ANN401 - an annotated type
    """What makes a tuple the values of a JSON list of these items: a list `of` what.

    What is wrong with them is told of the first hundred alone, where the library would go on to the end of a body.
    """
    reader = TypeAdapter(item)

    def read(value: Any) -> tuple[Any, ...]:  # noqa: ANN401 - whatever JSON holds
        if not isinstance(value, list):
            raise refuse("NotList", f"must be a list of {of}")
        found, wrong = [], list[InitErrorDetails]()
        for position, each in enumerate(value):
            try:
                found.append(reader.validate_python(each))
            except ValidationError as error:
                wrong += [
                    {"type": refuse(one["type"], one["msg"]), "loc": (position, *one["loc"]), "input": None}
                    for one in error.errors(include_url=False, include_context=False, include_input=False)
                ]
            if len(wrong) >= MAX_WRONG_ITEMS:
                break
        if wrong:
            raise ValidationError.from_exception_data("list", wrong)
        return tuple(found)

    return PlainValidator(read, json_schema_input_type=tuple[item, ...])


def _instant(value: Any) -> datetime:  # noqa: ANN401
    message = "must be an ISO 8601 date and time, such as 2026-01-01T00:00:00"
    if not isinstance(value, str) or not _DATE_AND_TIME.fullmatch(value):
        raise refuse("NotDateTime", message)
    try:
        read = datetime.fromisoformat(value)
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise refuse("NotDateTime", message) from error


def _day(value: Any) -> date:  # noqa: ANN401
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise refuse("NotDate", _NOT_DAY)
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise refuse("NotDate", _NOT_DAY) from error


def _page(value: Any) -> int:  # noqa: ANN401
    if not re.fullmatch(r"\+?0*[1-9][0-9]*", value, re.ASCII):
        raise refuse("NotPage", "must be a positive integer")
    # Python refuses to read numbers of more digits than this.
    return min(int(value.lstrip("+0")[:4000]), MAX_PAGE)


def _flag(value: Any) -> bool:  # noqa: ANN401
    if value.lower() not in ("true", "false"):
        raise refuse("NotFlag", "must be true or false")
    return bool(value.lower() == "true")


def choice(options: Iterable[Enum]) -> tuple[BeforeValidator, WithJsonSchema]:
    """What makes these options of an Enum the documented values of a field, in any case."""
    values = {key_of(str(option.value)): option for option in options}
    listed = ", ".join(str(option.value) for option in options)

    def read(value: Any) -> Enum:  # noqa: ANN401 - whatever JSON holds
        if not isinstance(value, str) or key_of(value) not in values:
            raise refuse("NotAmongValues", f"must be one of {listed}")
        return values[key_of(value)]

    schema = {"type": "string", "enum": [option.value for option in options]}
    return BeforeValidator(read), WithJsonSchema(schema)


def _object(value: Any) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(value, dict):
        raise refuse("NotObject", "must be an object")
    return {name: each for name, each in value.items() if each is not None}


# A JSON object, whose fields are read next; null counts as absent.
AN_OBJECT = BeforeValidator(_object)
Text = Annotated[str, BeforeValidator(_text)]
Texts = Annotated[tuple[str, ...], a_list(Text, "strings")]
WholeNumber = Annotated[int, BeforeValidator(_whole_number)]
Boolean = Annotated[bool, BeforeValidator(_boolean)]
Instant = Annotated[datetime, BeforeValidator(_instant), WithJsonSchema(_DATE_AND_TIME_SCHEMA)]
Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
PageNumber = Annotated[int, BeforeValidator(_page), WithJsonSchema({"type": "integer", "minimum": 1})]
LocalDateTime = Annotated[
    str, WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?$"})
]
Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "string", "enum": ["true", "false"]})]


def _email(value: Any) -> str:  # noqa: ANN401
    if not is_email_address(_text(value)):
        raise refuse("NotEmail", "must be a valid e-mail address")
    return str(value)


EmailText = Annotated[str, BeforeValidator(_email), WithJsonSchema({"type": "string", "format": "email"})]


def _money(value: Any) -> Decimal:  # noqa: ANN401
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise refuse("NotNumber", "must be a number")
    # By way of its text, as the caller wrote it: the float itself is not quite the decimal.
    return Decimal(str(value))


def _uuid(value: Any) -> UUID:  # noqa: ANN401
    try:
        return UUID(value)
    except (TypeError, ValueError, AttributeError) as error:
        raise refuse("NotUuid", "must be a UUID") from error


Money = Annotated[Decimal, BeforeValidator(_money), WithJsonSchema({"type": "number", "minimum": 0})]
Uuid = Annotated[UUID, BeforeValidator(_uuid), WithJsonSchema({"type": "string", "format": "uuid"})]
Uuids = Annotated[tuple[UUID, ...], a_list(Uuid, "UUIDs")]
