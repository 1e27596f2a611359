"""Errors in the format of the storefront API."""

from tessera.api.error_rendering import problem_details
from tessera.api.error_rendering.problem_details import ProblemResponse
from tessera.api.http.fields import wire_names, wire_path
from tessera.api.storefront import presenters
from tessera.api.storefront.schemas import (
    CodeValidationRequest,
    RedemptionCreateRequest,
    RedemptionQuery,
    ReservationUpdateRequest,
)
from tessera.kit.errors import DomainError, Violation
from tessera.redemptions.redeem import NotRedeemable


def render(error: DomainError) -> ProblemResponse:
    """Problem details (RFC 9457)."""
    if isinstance(error, NotRedeemable):
        errors = [_error(violation) for violation in error.violations]
        return problem_details.problem(
            409, "not-redeemable", "The code cannot be redeemed", error.message, errors=errors
        )
    return problem_details.render(
        error, CodeValidationRequest, RedemptionCreateRequest, ReservationUpdateRequest, RedemptionQuery
    )


def _error(violation: Violation) -> dict[str, object]:
    reason = presenters.reason(violation)
    reason["detail"] = reason.pop("message")
    return {"pointer": f"/{wire_path(violation.field, wire_names(RedemptionCreateRequest))}", **reason}
