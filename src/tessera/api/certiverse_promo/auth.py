"""Who may use the Certiverse Promo Code API."""

from typing import Annotated

from tessera.api.deps import Caller, bearer_caller
from tessera.identity.rules import FunctionPoint

PromoCodeManager = Annotated[Caller, bearer_caller(FunctionPoint.PARTNER_MANAGE_PROMO_CODES)]
