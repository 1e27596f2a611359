"""Policies: the callers that an operation admits."""

from dataclasses import dataclass, replace

from tessera.identity.rules import PLATFORM_ID, FunctionPoint, Principal
from tessera.kit.errors import LacksFunctionPoint, NotAllowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The function point that an operation requires, if any, or its alternative, and other conditions on callers.

    `accepts_keys` admits a `cv-api-key` as well as a Bearer token. Users of a voucher partner have only rights on
    vouchers, and see only their partner. Callers of an operation that `asks_for_codes`, or whose refusals tell of
    vouchers because it `names_codes`, have a budget of guesses.
    """

    function_point: FunctionPoint | None
    alternative: FunctionPoint | None = None
    accepts_keys: bool = False
    platform_only: bool = False
    asks_for_codes: bool = False
    names_codes: bool = False

    def admit(self, principal: Principal) -> None:
        """Raise LacksFunctionPoint or NotAllowed for a caller that may not use the operation."""
        if self.function_point is not None and principal.function_points.isdisjoint(
            {self.function_point, self.alternative}
        ):
            raise LacksFunctionPoint(self.function_point)
        if self.platform_only and principal.organization_id != PLATFORM_ID:
            raise NotAllowed("Only an administrator of the platform may do this.")


MANAGE_PROMO_CODES = Policy(function_point=FunctionPoint.PARTNER_MANAGE_PROMO_CODES)
NAME_PROMO_CODES = replace(MANAGE_PROMO_CODES, names_codes=True)
MANAGE_VOUCHERS = Policy(function_point=FunctionPoint.PARTNER_MANAGE_VOUCHERS)
USE_STOREFRONT = Policy(function_point=FunctionPoint.STOREFRONT_REDEEM, accepts_keys=True)
ASK_FOR_CODES = replace(USE_STOREFRONT, asks_for_codes=True)
# Callers with only the right to redeem see and cancel only their own redemptions.
SUPPORT_STOREFRONT = replace(USE_STOREFRONT, alternative=FunctionPoint.STOREFRONT_SUPPORT)
MANAGE_ORGANIZATION = Policy(function_point=FunctionPoint.MANAGE_ORGANIZATION)
# An action on vouchers by their codes tells which codes exist, and so does the refusal of a promo code by its name.
ACT_ON_CODES = replace(MANAGE_ORGANIZATION, asks_for_codes=True)
NAME_CODES = replace(MANAGE_ORGANIZATION, names_codes=True)
# Users of a voucher partner with this right hand out the vouchers of their partner.
ASSIGN_VOUCHERS = replace(MANAGE_ORGANIZATION, alternative=FunctionPoint.PARTNER_ASSIGN_VOUCHERS)
MANAGE_PERSONS = Policy(function_point=FunctionPoint.MANAGE_PERSONS)
MANAGE_PLATFORM = Policy(function_point=FunctionPoint.MANAGE_ORGANIZATION, platform_only=True)
IDENTIFY = Policy(function_point=None)
