"""The storefront API: /storefront/v1, codes that are redeemed or held, and what becomes of their reservations."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from fastapi import APIRouter, Request, Response

from tessera.api.http import openapi
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import read_body
from tessera.api.serving import idempotency
from tessera.api.serving.cursor_pages import cursor_page_response, read_cursor_query
from tessera.api.serving.dependencies import StorefrontCaller, run
from tessera.api.storefront import documentation, operations, presenters
from tessera.api.storefront.schemas import RedemptionCreateRequest, RedemptionQuery, ReservationUpdateRequest
from tessera.kit.errors import Invalid, Violation
from tessera.redemptions import lifecycle
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
        "parameters": [idempotency.PARAMETER],
        "requestBody": openapi.json_body(RedemptionCreateRequest, documentation.REDEMPTION),
    },
)
async def redeem_code(request: Request) -> Response:
    """Use a promo code or a voucher for a reservation: at once, or held for 1 second to 7 days.

    Limits are exact, whoever else redeems at the same time: what cannot be redeemed is answered with every reason.
    A hold counts as a use until it is confirmed or released, or runs out. The same reservation and code, or the same
    `Idempotency-Key`, is the same redemption and gets the same answer; once that was given back, it is a new one.
    """
    return await run(request, operations.REDEEM)


@router.get(
    "/redemptions",
    operation_id="listRedemptions",
    summary="List redemptions",
    responses=documentation.LIST,
    openapi_extra={"security": openapi.KEY_OR_BEARER, "parameters": openapi.parameters(RedemptionQuery)},
)
async def list_redemptions(request: Request, caller: StorefrontCaller) -> JsonResponse:
    """Redemptions in order of creation, by code, reservation, candidate, status and time; filters may be combined."""
    filters, place = read_cursor_query(request, RedemptionQuery)
    part = await lifecycle.list_by_cursor(caller.work, RedemptionFilter(**filters), now=caller.now, **place)
    return cursor_page_response(request, part, [presenters.redemption(each) for each in part.items])


@router.get(
    "/redemptions/{id}",
    operation_id="getRedemption",
    summary="Look up a redemption",
    responses=documentation.GET,
    openapi_extra={"security": openapi.KEY_OR_BEARER, "parameters": [documentation.ID]},
)
async def get_redemption(request: Request, caller: StorefrontCaller) -> JsonResponse:
    """One redemption as it is now: a hold that has run out is `Expired`."""
    found = await lifecycle.get(caller.work, _redemption_id(request), now=caller.now)
    return JsonResponse(presenters.redemption(found))


def _changing(
    action: str, status: RedemptionStatus, *, summary: str, description: str
) -> Callable[[Request, StorefrontCaller], Awaitable[Response]]:
    """An operation that takes a redemption to another status."""

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
    async def change_redemption(request: Request, caller: StorefrontCaller) -> Response:
        async def change() -> JsonResponse:
            changed = await lifecycle.change(
                caller.work, _redemption_id(request), status, caller_id=caller.principal.id, now=caller.now
            )
            return JsonResponse(presenters.redemption(changed))

        return await idempotency.once(request, caller, change)

    return change_redemption


confirm_redemption = _changing(
    "confirm",
    RedemptionStatus.REDEEMED,
    summary="Confirm a hold",
    description="The held use becomes a redeemed one. A hold is a promise, kept even if the code has ended since.",
)
release_redemption = _changing(
    "release",
    RedemptionStatus.RELEASED,
    summary="Release a hold",
    description="The held use is given back at once, before its hold runs out.",
)
cancel_redemption = _changing(
    "cancel",
    RedemptionStatus.CANCELLED,
    summary="Cancel a redemption",
    description="The redeemed use is given back, to the total and to the candidate; a voucher keeps its expiry.",
)


@router.get(
    "/reservations/{code:path}",
    operation_id="getReservation",
    summary="Look up a reservation",
    responses=documentation.GET_RESERVATION,
    openapi_extra={"security": openapi.KEY_OR_BEARER, "parameters": [documentation.CODE]},
)
async def get_reservation(request: Request, caller: StorefrontCaller) -> JsonResponse:
    """A reservation with every redemption that was made for it."""
    found = await reservations.get(caller.work, _reservation_code(request), now=caller.now)
    return JsonResponse(presenters.reservation(found))


@router.put(
    "/reservations/{code:path}",
    operation_id="updateReservation",
    summary="Tell what became of a reservation",
    responses=documentation.UPDATE_RESERVATION,
    openapi_extra={
        "security": openapi.KEY_OR_BEARER,
        "parameters": [documentation.CODE, idempotency.PARAMETER],
        "requestBody": openapi.json_body(ReservationUpdateRequest, documentation.RESERVATION),
    },
)
async def update_reservation(request: Request, caller: StorefrontCaller) -> Response:
    """`Rescheduled` (also to a new reservation code), `Completed`, `NoShow` or `Cancelled`.

    `Cancelled` gives back every redemption of the reservation. The last three are final. The same once more changes
    nothing and gets the same answer.
    """
    reading = await read_body(request, ReservationUpdateRequest)
    values, refused = reading.values, list(reading.violations)
    if "reservation_code" in values and values.get("status", ReservationStatus.RESCHEDULED) != "Rescheduled":
        refused.append(
            Violation("NotRescheduled", "reservation_code", "must be given with the status Rescheduled only")
        )
    if refused:
        raise Invalid(refused)

    async def change() -> JsonResponse:
        changed = await reservations.change(
            caller.work,
            _reservation_code(request),
            values["status"],
            new_code=values.get("reservation_code"),
            caller_id=caller.principal.id,
            now=caller.now,
        )
        return JsonResponse(presenters.reservation(changed))

    return await idempotency.once(request, caller, change)


def _redemption_id(request: Request) -> UUID:
    try:
        return UUID(request.path_params["id"])
    except ValueError as error:
        raise RedemptionNotFound from error


def _reservation_code(request: Request) -> str:
    # Text that Postgres cannot hold names no reservation.
    return str(request.path_params["code"]).replace("\0", "\N{REPLACEMENT CHARACTER}").strip()
