"""Who may use the Certiverse Voucher Partner API."""

from typing import Annotated

from tessera.api.serving.callers import Caller, bearer_caller
from tessera.identity.rules import FunctionPoint

VoucherManager = Annotated[Caller, bearer_caller(FunctionPoint.PARTNER_MANAGE_VOUCHERS)]
