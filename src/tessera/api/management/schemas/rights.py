"""Function points in requests."""

from typing import Annotated

from pydantic import WithJsonSchema

from tessera.api.http.fields import Text, list_of
from tessera.api.vocabulary import FUNCTION_POINT

_SCHEMA = {"type": "array", "items": FUNCTION_POINT.schema}

# The domain rules check the names, so that each unknown name is a separate violation.
FunctionPoints = Annotated[tuple[str, ...], list_of(Text, "strings"), WithJsonSchema(_SCHEMA)]
