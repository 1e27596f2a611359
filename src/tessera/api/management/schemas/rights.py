"""Function points as requests name them."""

from typing import Annotated

from pydantic import WithJsonSchema

from tessera.api.http.fields import Text, a_list
from tessera.identity.rules import FunctionPoint

_SCHEMA = {"type": "array", "items": {"type": "string", "enum": list(FunctionPoint)}}

# Which names there are is a rule of the domain, which tells them one by one.
FunctionPoints = Annotated[tuple[str, ...], a_list(Text, "strings"), WithJsonSchema(_SCHEMA)]
