"""Whole voucher codes: for callers with the right; all others get masked codes."""

from typing import Any

from pydantic import Field

from tessera.api.http.fields import Flag, RequestModel
from tessera.api.serving.callers import Caller
from tessera.identity.rules import FunctionPoint

BAD_REVEAL = ("/reveal", "NotFlag", "reveal must be true or false.")


class RevealQuery(RequestModel):
    """The query parameter of operations whose responses have voucher codes."""

    reveal: Flag | None = Field(
        None,
        description="`false` for masked voucher codes such as `SPRING-****27`, `true` for whole ones, which require the"
        " function point `SeeVoucherCodes`. By default, callers with this function point get whole codes, and all codes"
        " of a frozen organization are masked. The audit log records who gets whole codes.",
        examples=["false"],
    )


async def reveals(filters: dict[str, Any], caller: Caller, *rights: FunctionPoint) -> bool:
    """Take `reveal` out of a query, and return whether the caller gets whole codes.

    Raises LacksFunctionPoint as `require` does, for a caller who asks for them.
    """
    wanted: bool | None = filters.pop("reveal", None)
    if wanted:
        require(caller, *rights)
    if wanted is not None:
        return wanted
    has_right = not caller.principal.function_points.isdisjoint({FunctionPoint.SEE_VOUCHER_CODES, *rights})
    # What cannot be recorded is not shown.
    return has_right and await caller.work.can_write()


def require(caller: Caller, *rights: FunctionPoint) -> None:
    """Raise LacksFunctionPoint for a caller with neither SeeVoucherCodes nor one of `rights`."""
    if caller.principal.function_points.isdisjoint(rights):
        caller.principal.require(FunctionPoint.SEE_VOUCHER_CODES)
