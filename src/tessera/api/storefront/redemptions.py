"""The storefront API: redemptions and reservations under /storefront/v1."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response

from tessera.api.http import openapi
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import read_body
from tessera.api.serving import budgets, idempotency
from tessera.api.serving.callers import Caller
from tessera.api.serving.cursor_pages import cursor_page_response, read_cursor_query
from tessera.api.serving.dependencies import SupportCaller, admitted, run
from tessera.api.serving.resources import resources_of
from tessera.api.storefront import documentation, operations, presenters
from tessera.api.storefront.schemas import (
    RedemptionCreateRequest,
    RedemptionExtendRequest,
    RedemptionQuery,
    ReservationUpdateRequest,
)
from tessera.identity.authentication.policies import SUPPORT_STOREFRONT, USE_STOREFRONT, Policy
from tessera.kit.errors import Invalid, Violation
from tessera.redemptions import lifecycle, rules
from tessera.redemptions.lifecycle import RedemptionFilter, RedemptionNotFound
from tessera.redemptions.reservations import service as reservations
from tessera.redemptions.rules import RedemptionStatus
from tessera.vouchers.rules import ReservationStatus

router = APIRouter(prefix="/storefront/v1", tags=["Storefront"])


@router.post(
    "/redemptions",
    operation_id="redeemCode",
    summary="Redeem or hold a code",
    status_code=201,
    responses=documentation.REDEEM,
    openapi_extra={
        "security": openapi.KEY_OR_BEARER,
        "parameters": [budgets.PARAMETER, idempotency.PARAMETER],
        "requestBody": openapi.json_body(RedemptionCreateRequest, documentation.REDEMPTION),
    },
)
async def redeem_code(request: Request) -> Response:
    """Redeem a promo code or a voucher for a reservation, or hold it for 1 second to 7 days.

    A global code can be held for one hour at most, because a hold takes a use from all organizations. Limits are
    exact under concurrent requests. A code that cannot be redeemed is a 409 with every reason. A hold counts as a
    use until it is confirmed, released or expired. A request with the same reservation and code, or with the same
    `Idempotency-Key`, returns the same redemption; after a release or cancellation it creates a new one. Without
    `holdSeconds`, such a request redeems the hold.

    A reservation is for one candidate and one product, and uses one code unless all its codes are combinable promo
    codes. Each code's discount applies to the price that the codes before it have left.
    """
    return await run(request, operations.REDEEM)


@router.get(
    "/redemptions",
    operation_id="listRedemptions",
    summary="List redemptions",
    responses=documentation.LIST,
    openapi_extra={"security": openapi.KEY_OR_BEARER, "parameters": openapi.parameters(RedemptionQuery)},
)
async def list_redemptions(request: Request, caller: SupportCaller) -> JsonResponse:
    """Redemptions in order of creation, by code, reservation, candidate, status and time; filters may be combined.

    Without the function point StorefrontSupport, the list has only redemptions made by the same credential, or by the
    keys that it was rotated from. This applies to all operations on redemptions and reservations. With it, an empty
    list by `code` counts against the budget of guesses of the credential.
    """
    query, position = read_cursor_query(request, RedemptionQuery)
    filters = RedemptionFilter(**query, made_by=rules.visible_family(caller.principal))
    # The list of all redemptions tells which codes exist.
    pipeline, is_guess = resources_of(request).pipeline, filters.code is not None and filters.made_by is None
    if is_guess:
        pipeline.admit_guess(request)
    page = await lifecycle.list_by_cursor(caller.work, filters, now=caller.now, **position)
    pipeline.count_misses(request, int(is_guess and not page.items))
    return cursor_page_response(
        request, page, [presenters.visible_redemption(item, caller.principal) for item in page.items]
    )


@router.get(
    "/redemptions/{id}",
    operation_id="getRedemption",
    summary="Look up a redemption",
    responses=documentation.GET,
    openapi_extra={"security": openapi.KEY_OR_BEARER, "parameters": [documentation.ID]},
)
async def get_redemption(request: Request, caller: SupportCaller) -> JsonResponse:
    """The current state of a redemption; a hold past its deadline is `Expired`."""
    current = await lifecycle.get(caller.work, _redemption_id(request), caller=caller.principal, now=caller.now)
    return JsonResponse(presenters.visible_redemption(current, caller.principal))


def _changing(
    action: str, status: RedemptionStatus, *, summary: str, description: str, policy: Policy = USE_STOREFRONT
) -> Callable[[Request, Caller], Awaitable[Response]]:
    """An operation that changes the status of a redemption."""

    @router.post(
        f"/redemptions/{{id}}/{action}",
        operation_id=f"{action}Redemption",
        summary=summary,
        description=description,
        responses=documentation.CHANGE,
        openapi_extra={
            "security": openapi.KEY_OR_BEARER,
            "parameters": [documentation.ID, idempotency.PARAMETER],
        },
    )
    async def change_redemption(request: Request, caller: Annotated[Caller, admitted(policy)]) -> Response:
        async def change() -> JsonResponse:
            redemption = await lifecycle.change(
                caller.work, _redemption_id(request), status, caller=caller.principal, now=caller.now
            )
            return JsonResponse(presenters.visible_redemption(redemption, caller.principal))

        return await idempotency.once(request, caller, change)

    return change_redemption


confirm_redemption = _changing(
    "confirm",
    RedemptionStatus.REDEEMED,
    summary="Confirm a hold",
    description="The held use becomes a redeemed one, even if the code has since expired or been deactivated.",
)
release_redemption = _changing(
    "release",
    RedemptionStatus.RELEASED,
    summary="Release a hold",
    description="Returns the held use before the hold expires.",
)
cancel_redemption = _changing(
    "cancel",
    RedemptionStatus.CANCELLED,
    summary="Cancel a redemption",
    description="Returns the redeemed use to the total and candidate limits. A voucher keeps its expiry.",
    policy=SUPPORT_STOREFRONT,
)


@router.post(
    "/redemptions/{id}/extend",
    operation_id="extendRedemption",
    summary="Extend a hold",
    responses=documentation.EXTEND,
    openapi_extra={
        "security": openapi.KEY_OR_BEARER,
        "parameters": [documentation.ID, idempotency.PARAMETER],
        "requestBody": openapi.json_body(RedemptionExtendRequest, documentation.EXTENSION),
    },
)
async def extend_redemption(request: Request, caller: Annotated[Caller, admitted(USE_STOREFRONT)]) -> Response:
    """Move the deadline of a hold to a number of seconds from now, at most 7 days from its start."""
    parsed_request = await read_body(request, RedemptionExtendRequest)
    if parsed_request.violations:
        raise Invalid(parsed_request.violations)
    hold = timedelta(seconds=parsed_request.values["hold_seconds"])

    async def extend() -> JsonResponse:
        redemption = await lifecycle.extend(
            caller.work, _redemption_id(request), hold, caller=caller.principal, now=caller.now
        )
        return JsonResponse(presenters.visible_redemption(redemption, caller.principal))

    return await idempotency.once(request, caller, extend)


@router.get(
    "/reservations/{code:path}",
    operation_id="getReservation",
    summary="Look up a reservation",
    responses=documentation.GET_RESERVATION,
    openapi_extra={"security": openapi.KEY_OR_BEARER, "parameters": [documentation.CODE]},
)
async def get_reservation(request: Request, caller: SupportCaller) -> JsonResponse:
    """A reservation with every redemption that was made for it."""
    current = await reservations.get(caller.work, _reservation_code(request), caller=caller.principal, now=caller.now)
    return JsonResponse(presenters.reservation(current, caller.principal))


@router.put(
    "/reservations/{code:path}",
    operation_id="updateReservation",
    summary="Update the status of a reservation",
    responses=documentation.UPDATE_RESERVATION,
    openapi_extra={
        "security": openapi.KEY_OR_BEARER,
        "parameters": [documentation.CODE, idempotency.PARAMETER],
        "requestBody": openapi.json_body(ReservationUpdateRequest, documentation.RESERVATION),
    },
)
async def update_reservation(request: Request, caller: SupportCaller) -> Response:
    """Set the status to `Rescheduled` (optionally with a new code), `Completed`, `NoShow` or `Cancelled`.

    `Cancelled` cancels every redemption of the reservation. The last three are final. Repeating the request changes
    nothing and returns the same response.
    """
    parsed_request = await read_body(request, ReservationUpdateRequest)
    values, violations = parsed_request.values, list(parsed_request.violations)
    if "reservation_code" in values and values.get("status", ReservationStatus.RESCHEDULED) != "Rescheduled":
        violations.append(
            Violation("NotRescheduled", "reservation_code", "must be given with the status Rescheduled only")
        )
    if violations:
        raise Invalid(violations)

    async def change() -> JsonResponse:
        reservation = await reservations.change(
            caller.work,
            _reservation_code(request),
            values["status"],
            new_code=values.get("reservation_code"),
            caller=caller.principal,
            now=caller.now,
        )
        return JsonResponse(presenters.reservation(reservation, caller.principal))

    return await idempotency.once(request, caller, change)


def _redemption_id(request: Request) -> UUID:
    try:
        return UUID(request.path_params["id"])
    except ValueError as error:
        raise RedemptionNotFound from error


def _reservation_code(request: Request) -> str:
    # Postgres cannot store NUL characters, so no reservation code contains one.
    return str(request.path_params["code"]).replace("\0", "\N{REPLACEMENT CHARACTER}").strip()
