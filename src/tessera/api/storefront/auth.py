"""Who may use the storefront API."""

from typing import Annotated

from tessera.api.deps import Caller, key_or_bearer_caller
from tessera.identity.rules import FunctionPoint

Storefront = Annotated[Caller, key_or_bearer_caller(FunctionPoint.STOREFRONT_REDEEM)]
