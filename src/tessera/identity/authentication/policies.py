"""Policies: the callers that an operation admits."""

from dataclasses import dataclass
from typing import Literal

from tessera.identity.rules import PLATFORM_ID, FunctionPoint, Principal
from tessera.kit.errors import LacksFunctionPoint, NotAllowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The function point that an operation requires, if any, and the callers that it rejects in spite of that right.

    `accepts_keys` admits a `cv-api-key` as well as a Bearer token. `partners` decides about users of a voucher partner:
    admitted users see only their partner; the others get LacksFunctionPoint or NotAllowed.
    """

    function_point: FunctionPoint | None
    accepts_keys: bool = False
    partners: Literal["admitted", "lack the right", "not allowed"] = "admitted"
    platform_only: bool = False

    def admit(self, principal: Principal) -> None:
        """Raise LacksFunctionPoint or NotAllowed for a caller that may not use the operation."""
        if self.function_point is not None:
            principal.require(self.function_point)
            if principal.partner_id is not None and self.partners == "lack the right":
                raise LacksFunctionPoint(self.function_point)
        if principal.partner_id is not None and self.partners == "not allowed":
            raise NotAllowed("Users of a voucher partner cannot use this operation.")
        if self.platform_only and principal.organization_id != PLATFORM_ID:
            raise NotAllowed("Only an administrator of the platform may do this.")


MANAGE_PROMO_CODES = Policy(function_point=FunctionPoint.PARTNER_MANAGE_PROMO_CODES)
MANAGE_VOUCHERS = Policy(function_point=FunctionPoint.PARTNER_MANAGE_VOUCHERS)
USE_STOREFRONT = Policy(function_point=FunctionPoint.STOREFRONT_REDEEM, accepts_keys=True, partners="lack the right")
MANAGE_ORGANIZATION = Policy(function_point=FunctionPoint.MANAGE_ORGANIZATION, partners="not allowed")
MANAGE_PLATFORM = Policy(function_point=FunctionPoint.MANAGE_ORGANIZATION, partners="not allowed", platform_only=True)
IDENTIFY = Policy(function_point=None)
