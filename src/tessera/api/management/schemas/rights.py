"""Function points as requests name them."""

from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from tessera.api.types import read_texts
from tessera.identity.rules import FunctionPoint

_SCHEMA = {"type": "array", "items": {"type": "string", "enum": list(FunctionPoint)}}

# Which names there are is a rule of the domain, which tells them one by one.
FunctionPoints = Annotated[tuple[str, ...], BeforeValidator(read_texts), WithJsonSchema(_SCHEMA)]
