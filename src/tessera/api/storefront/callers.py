"""Who may use the storefront API."""

from typing import Annotated

from fastapi import Depends

from tessera.api.serving.callers import Caller, key_or_bearer_caller
from tessera.identity.rules import FunctionPoint
from tessera.kit.errors import LacksFunctionPoint

_Holder = Annotated[Caller, key_or_bearer_caller(FunctionPoint.STOREFRONT_REDEEM)]


async def _storefront_caller(caller: _Holder) -> Caller:
    # A voucher partner's user has no storefront, whatever function points it was given.
    if caller.principal.partner_id is not None:
        raise LacksFunctionPoint(FunctionPoint.STOREFRONT_REDEEM)
    return caller


StorefrontCaller = Annotated[Caller, Depends(_storefront_caller)]
