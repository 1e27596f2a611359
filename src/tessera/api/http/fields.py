"""Field types of requests: each parses one documented format, and its error names the format."""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, ClassVar, Self
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ModelWrapValidatorHandler,
    PlainValidator,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from tessera.api.http import unknown_names
from tessera.api.http.enumerations import Enumeration
from tessera.identity.rules import is_email_address
from tessera.kit.errors import Violation
from tessera.kit.normalization import key_of, parse_time
from tessera.kit.wire import wire_name

MAX_LIST_ERRORS = 100
MAX_LIST_ITEMS = 20_000  # more than the longest list that an operation accepts, which repeats may exceed
MAX_PAGE = 10**9  # beyond the last page of every list
_DATE_AND_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}([.,]\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NOT_DAY = "must be a date, such as 2026-01-31"
# Not "date-time": RFC 3339 requires an offset, so generated clients would reject the documented times.
_DATE_AND_TIME_SCHEMA = {"type": "string", "pattern": f"^{_DATE_AND_TIME.pattern}$"}


def _describe(schema: dict[str, Any]) -> None:
    # A title derived from a name ("Promocodename") would replace the name on the docs page. None means absent here, so
    # the schema says that a field is optional, and not that it may be null.
    for name, field in schema.get("properties", {}).items():
        field.pop("title", None)
        if name not in schema.get("required", []):
            _describe_optional(field)


def _describe_optional(field: dict[str, Any]) -> None:
    options = [option for option in field.pop("anyOf", []) if option != {"type": "null"}]
    if len(options) == 1:
        field |= options[0]
    elif options:
        field["anyOf"] = options
    if field.get("default", ...) is None:
        del field["default"]


class RequestModel(BaseModel):
    """The fields that an operation parses, in the order of its API document; aliases are wire names.

    Unknown names are violations, since a misspelt limit must not make an unlimited code. Null members of a nested
    object count as absent.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=wire_name, json_schema_extra=_describe)
    _read_only: ClassVar[frozenset[str]]

    @model_validator(mode="wrap")
    @classmethod
    def _refuse_unknown_names(cls, value: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:  # noqa: ANN401
        if not isinstance(value, dict):
            raise parse_error("NotObject", "must be an object")
        errors = [
            InitErrorDetails(type=parse_error(unknown_names.PROPERTY, message), loc=(name,), input=None)
            for name, message in cls.unknown_names(value)
        ]
        known = wire_names(cls).values()
        try:
            model = validate({name: member for name, member in value.items() if name in known and member is not None})
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=False, include_input=False)
            errors = [*map(_copy, details), *errors]
        if errors:
            raise ValidationError.from_exception_data(cls.__name__, errors)
        return model

    @classmethod
    def ignore_read_only(cls, representation: type[BaseModel], *, unless: Collection[str] = ()) -> None:
        """Ignore the other properties of a representation, so that clients can change one and send it back.

        `unless` names those that a request has under another name.
        """
        cls._read_only = frozenset(representation.model_json_schema(by_alias=True)["properties"]) - frozenset(unless)

    @classmethod
    def refuses_unknown_names(cls) -> bool:
        """Whether the model belongs to our own APIs."""
        return cls.model_config.get("extra") == "forbid"

    @classmethod
    def unknown_names(cls, names: Iterable[str], *, noun: str = "property") -> list[tuple[str, str]]:
        """The names that the model does not have, as segments of JSON Pointers, each with a predicate about it."""
        if not cls.refuses_unknown_names():
            return []
        known = list(wire_names(cls).values())
        unknown = [name for name in names if name not in known and name not in vars(cls).get("_read_only", ())]
        first = unknown[:MAX_LIST_ERRORS]
        return [(unknown_names.segment(name), unknown_names.message(name, known, noun)) for name in first]


class DocumentedRequestModel(RequestModel):
    """The fields of an operation of a source document, which ignores unknown names."""

    model_config = ConfigDict(extra="ignore")


class ResponseModel(BaseModel):
    """The fields of a response, for the OpenAPI document; responses are not validated against it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_describe)


def _copy(error: ErrorDetails, *outer: int) -> InitErrorDetails:
    return InitErrorDetails(type=parse_error(error["type"], error["msg"]), loc=(*outer, *error["loc"]), input=None)


def wire_names(model: type[RequestModel]) -> dict[str, str]:
    """The wire name of each domain name, in the order of the model."""
    return {name: info.alias or name for name, info in model.model_fields.items()}


def wire_path(field: str, names: Mapping[str, str]) -> str:
    """The path of a field, or of a part of its value ("storeExamCodes/3"), in wire names.

    A field that begins with a slash is an unknown name, which is in wire form already.
    """
    name, slash, rest = field.partition("/")
    return names[name] + slash + rest if name else rest


def in_wire_order(violations: Iterable[Violation], *models: type[RequestModel]) -> list[tuple[str, Violation]]:
    """Each violation with its path in wire names, in the order of the first model that has all the fields."""
    by_name = [(violation.field.partition("/")[0], violation) for violation in violations]
    fields = {name for name, _ in by_name if name}
    names = next(wire for wire in map(wire_names, models) if fields <= wire.keys())
    order = [*names, ""]
    by_name.sort(key=lambda named: order.index(named[0]))
    return [(wire_path(violation.field, names), violation) for _, violation in by_name]


def parse_error(code: str, message: str) -> PydanticCustomError:
    """The error of a field that cannot be parsed; `message` is a predicate: "must be ..."."""
    return PydanticCustomError(code, message)


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON value or query parameter
    if not isinstance(value, str):
        raise parse_error("NotText", "must be a string")
    if "\0" in value:
        raise parse_error("NulCharacter", "must not contain a NUL character")
    return value


def _whole_number(value: Any) -> int:  # noqa: ANN401
    # In Python a bool is an int; in JSON it is not.
    if not isinstance(value, int) or isinstance(value, bool):
        raise parse_error("NotInteger", "must be an integer")
    return value


def _boolean(value: Any) -> bool:  # noqa: ANN401
    if not isinstance(value, bool):
        raise parse_error("NotBoolean", "must be true or false")
    return value


def list_of(item: Any, plural: str, *, most: int = MAX_LIST_ITEMS) -> PlainValidator:  # noqa: ANN401 - annotated type
    """A validator that parses a JSON list of these items into a tuple; `plural` names them in its error.

    It stops after 100 violations, unlike pydantic's own, and one item after `most`, where the rules refuse the list.
    """
    reader = TypeAdapter(item)

    def read(value: Any) -> tuple[Any, ...]:  # noqa: ANN401 - whatever JSON holds
        if not isinstance(value, list):
            raise parse_error("NotList", f"must be a list of {plural}")
        if len(value) > MAX_LIST_ITEMS:
            raise parse_error("TooManyItems", f"must have at most {MAX_LIST_ITEMS:,} items")
        items, errors = [], list[InitErrorDetails]()
        for position, element in enumerate(value[: most + 1]):
            try:
                items.append(reader.validate_python(element))
            except ValidationError as error:
                details = error.errors(include_url=False, include_context=False, include_input=False)
                errors += [_copy(detail, position) for detail in details]
            if len(errors) >= MAX_LIST_ERRORS:
                break
        if errors:
            raise ValidationError.from_exception_data("list", errors)
        return tuple(items)

    return PlainValidator(read, json_schema_input_type=tuple[item, ...])


def _instant(value: Any) -> datetime:  # noqa: ANN401
    message = "must be an ISO 8601 date and time, such as 2026-01-01T00:00:00"
    if not isinstance(value, str) or not _DATE_AND_TIME.fullmatch(value):
        raise parse_error("NotDateTime", message)
    try:
        return parse_time(value)
    except (ValueError, OverflowError) as error:
        raise parse_error("NotDateTime", message) from error


def _day(value: Any) -> date:  # noqa: ANN401
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise parse_error("NotDate", _NOT_DAY)
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise parse_error("NotDate", _NOT_DAY) from error


def _page(value: Any) -> int:  # noqa: ANN401
    if not re.fullmatch(r"\+?0*[1-9][0-9]*", value, re.ASCII):
        raise parse_error("NotPage", "must be a positive integer")
    # int() rejects longer texts.
    return min(int(value.lstrip("+0")[:4000]), MAX_PAGE)


def _flag(value: Any) -> bool:  # noqa: ANN401
    if value.lower() not in ("true", "false"):
        raise parse_error("NotFlag", "must be true or false")
    return bool(value.lower() == "true")


def choice(
    options: Iterable[Enum], documented: Enumeration | None = None
) -> tuple[BeforeValidator, WithJsonSchema | Enumeration]:
    """A validator and a schema for a field with these options of an Enum as its values; case is ignored."""
    values = {key_of(str(option.value)): option for option in options}
    names = ", ".join(str(option.value) for option in options)

    def read(value: Any) -> Enum:  # noqa: ANN401 - whatever JSON holds
        if not isinstance(value, str) or key_of(value) not in values:
            raise parse_error("NotAmongValues", f"must be one of {names}")
        return values[key_of(value)]

    schema = {"type": "string", "enum": [option.value for option in options]}
    return BeforeValidator(read), documented or WithJsonSchema(schema)


Text = Annotated[str, BeforeValidator(_text)]
DisplayName = Annotated[
    str, BeforeValidator(_text), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 200})
]
Texts = Annotated[tuple[str, ...], list_of(Text, "strings")]
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
        raise parse_error("NotEmail", "must be a valid e-mail address")
    return str(value)


EmailText = Annotated[str, BeforeValidator(_email), WithJsonSchema({"type": "string", "format": "email"})]


def _money(value: Any) -> Decimal:  # noqa: ANN401
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise parse_error("NotNumber", "must be a number")
    # From the float's shortest text, which equals the text of the caller; the float itself is not exactly that decimal.
    return Decimal(str(value or 0))  # a negative zero is shown as zero


def _uuid(value: Any) -> UUID:  # noqa: ANN401
    try:
        return UUID(value)
    except (TypeError, ValueError, AttributeError) as error:
        raise parse_error("NotUuid", "must be a UUID") from error


Money = Annotated[Decimal, BeforeValidator(_money), WithJsonSchema({"type": "number", "minimum": 0})]
PositiveNumber = Annotated[Decimal, BeforeValidator(_money), WithJsonSchema({"type": "number", "exclusiveMinimum": 0})]
Uuid = Annotated[UUID, BeforeValidator(_uuid), WithJsonSchema({"type": "string", "format": "uuid"})]
Uuids = Annotated[tuple[UUID, ...], list_of(Uuid, "UUIDs")]
