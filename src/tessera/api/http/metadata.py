"""Field types of metadata, and of the filter of lists by metadata."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import PlainValidator, WithJsonSchema

from tessera.api.http.fields import parse_error
from tessera.record_metadata import rules
from tessera.record_metadata.rules import KeyAndText, NotMetadata

R = TypeVar("R")


def _parsed_by(parse: Callable[[Any], R]) -> PlainValidator:
    def read(value: Any) -> R:  # noqa: ANN401 - any JSON value or query parameter
        try:
            return parse(value)
        except NotMetadata as error:
            raise parse_error(error.code, str(error)) from error

    return PlainValidator(read)


Metadata = Annotated[
    dict[str, str],
    _parsed_by(rules.parse),
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": {"type": "string", "maxLength": rules.MAX_VALUE_LENGTH},
            "maxProperties": rules.MAX_KEYS,
        }
    ),
]
MetadataFilter = Annotated[
    KeyAndText, _parsed_by(rules.parse_filter), WithJsonSchema({"type": "string", "pattern": "^[^=]*[^=\\s][^=]*="})
]
METADATA = (
    f"Texts by key, attached by an integration: up to {rules.MAX_KEYS} keys of 1 to {rules.MAX_KEY_LENGTH} characters,"
    f" texts of up to {rules.MAX_VALUE_LENGTH} characters, and {rules.MAX_BYTES:,} bytes in all."
)
FILTER = (
    "`KEY=TEXT`: only records whose metadata have this text (case-sensitive). With another filter, a page may have"
    " fewer records than `limit`, or none, although more follow."
)
EXAMPLE = {"orderId": "ORD-1001", "costCenter": "4711"}
FILTER_EXAMPLES = ["orderId=ORD-1001"]
