"""Function points in requests."""

from typing import Annotated

from pydantic import WithJsonSchema

from tessera.api.http.fields import Text, a_list
from tessera.identity.rules import FunctionPoint

_SCHEMA = {"type": "array", "items": {"type": "string", "enum": list(FunctionPoint)}}

# The rules of the domain check the names, so that each unknown name is a violation of its own.
FunctionPoints = Annotated[tuple[str, ...], a_list(Text, "strings"), WithJsonSchema(_SCHEMA)]
