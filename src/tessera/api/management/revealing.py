"""Whole voucher codes: for callers with the right who ask for them; all others get masked codes."""

from typing import Any

from pydantic import Field

from tessera.api.http.fields import Flag, RequestModel
from tessera.api.serving.callers import Caller
from tessera.identity.rules import FunctionPoint


class RevealQuery(RequestModel):
    """The query parameter of operations whose responses have voucher codes."""

    reveal: Flag | None = Field(
        None,
        description="`true` for whole voucher codes, which the audit log records and which requires the function point"
        " `SeeVoucherCodes`; default: masked codes such as `SPRING-****27`.",
        examples=["false"],
    )


def reveals(filters: dict[str, Any], caller: Caller, *rights: FunctionPoint) -> bool:
    """Take `reveal` out of a query, and return whether it is true; raises LacksFunctionPoint as `require` does."""
    if not filters.pop("reveal", None):
        return False
    require(caller, *rights)
    return True


def require(caller: Caller, *rights: FunctionPoint) -> None:
    """Raise LacksFunctionPoint for a caller with neither SeeVoucherCodes nor one of `rights`."""
    if caller.principal.function_points.isdisjoint(rights):
        caller.principal.require(FunctionPoint.SEE_VOUCHER_CODES)
