"""Managing vouchers: /management/v1/vouchers."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from tessera.api.http.errors import MethodNotAllowed
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import path_id
from tessera.api.management import documentation
from tessera.api.management.requests import read_draft, read_values
from tessera.api.management.responses import Resource
from tessera.api.management.schemas.vouchers import (
    ASSIGN,
    BULK,
    EXPIRY,
    RESULTS,
    VOUCHER,
    ManagedVoucherModel,
    ManagedVoucherQuery,
    ManagedVoucherSlice,
    VoucherAssignRequest,
    VoucherBulkRequest,
    VoucherChoiceRequest,
    VoucherExpiryRequest,
    VoucherResultsModel,
)
from tessera.api.serving import idempotency
from tessera.api.serving.cursor_pages import read_cursor_query
from tessera.api.serving.dependencies import Manager
from tessera.vouchers.issued import service
from tessera.vouchers.issued.actions import service as changes
from tessera.vouchers.issued.actions.rules import BulkDraft, VoucherAction, VoucherCommand, VoucherRef
from tessera.vouchers.issued.actions.service import Outcome
from tessera.vouchers.issued.service import VoucherFilter

router = APIRouter(prefix="/management/v1/vouchers", tags=["Management: vouchers"])

BODIES = (VoucherAssignRequest, VoucherExpiryRequest, VoucherBulkRequest)
QUERIES = (ManagedVoucherQuery,)
ID = "voucherId"
RESOURCE = Resource(ManagedVoucherModel, id=ID)
BULK_PATH = "/bulk"
NOT_EMAIL = ("/recipientEmail", "NotEmail", "recipientEmail must be a valid e-mail address.")
IN_PAST = ("/expiresAt", "ExpiryInPast", "expiresAt must not be in the past.")
ONE_NAME = ("/vouchers/0", "OneName", "vouchers/0 must have either an id or a code.")


@router.get(
    "",
    operation_id="listManagedVouchers",
    summary="List vouchers",
    responses=documentation.listed(ManagedVoucherSlice, VOUCHER),
    openapi_extra=documentation.listing(ManagedVoucherQuery),
)
async def list_vouchers(request: Request, caller: Manager) -> JsonResponse:
    """Your organization's vouchers, archived ones included.

    Without filters the oldest first; with one, in an order that stays the same while you follow the links.
    """
    filters, place = read_cursor_query(request, ManagedVoucherQuery)
    return RESOURCE.page(request, await service.list_by_cursor(caller.work, filters=VoucherFilter(**filters), **place))


@router.post(
    BULK_PATH,
    operation_id="changeVouchers",
    summary="Change up to 1,000 vouchers",
    responses=documentation.done(VoucherResultsModel, RESULTS, broken=ONE_NAME),
    openapi_extra=documentation.making(VoucherBulkRequest, BULK),
)
async def change_vouchers(request: Request, caller: Manager) -> Response:
    """Do one thing to up to 1,000 vouchers, named by id or code, whichever version each has.

    Each has a result of its own: what cannot be done to one of them keeps nothing from the others.
    """
    draft = await read_draft(request, VoucherBulkRequest, _draft)

    async def change() -> JsonResponse:
        return _results(await changes.change_all(caller.work, draft, now=caller.now))

    return await idempotency.once(request, caller, change)


@router.get(
    "/{voucherId}",
    operation_id="getVoucher",
    summary="Show a voucher",
    responses=documentation.shown(ManagedVoucherModel, VOUCHER),
    openapi_extra=documentation.reading(ID),
)
async def get_voucher(request: Request, caller: Manager) -> JsonResponse:
    """One voucher, with the `ETag` that a change of it needs."""
    if request.scope["path"] == router.prefix + BULK_PATH:  # which is not the id of a voucher, and only posted to
        raise MethodNotAllowed("POST")
    return RESOURCE.one(await service.get(caller.work, path_id(request, ID)))


@router.post(
    "/{voucherId}/assign",
    operation_id="assignVoucher",
    summary="Assign a voucher",
    responses=documentation.changed(ManagedVoucherModel, VOUCHER, broken=NOT_EMAIL),
    openapi_extra=documentation.changing(ID, model=VoucherAssignRequest, example=ASSIGN),
)
async def assign_voucher(request: Request, caller: Manager) -> Response:
    """Assign an unused voucher to a recipient, or to another one, as of now. A used or held one is 409."""
    values = await read_values(request, VoucherAssignRequest)
    return await _change(request, caller, VoucherCommand(action=VoucherAction.ASSIGN, **values))


@router.post(
    "/{voucherId}/unassign",
    operation_id="unassignVoucher",
    summary="Take a voucher from its recipient",
    responses=documentation.changed(ManagedVoucherModel, VOUCHER),
    openapi_extra=documentation.changing(ID),
)
async def unassign_voucher(request: Request, caller: Manager) -> Response:
    """Make a voucher nobody's. A used or held one is 409."""
    return await _change(request, caller, VoucherCommand(action=VoucherAction.UNASSIGN))


@router.post(
    "/{voucherId}/switch-on",
    operation_id="switchVoucherOn",
    summary="Switch a voucher on",
    responses=documentation.changed(ManagedVoucherModel, VOUCHER),
    openapi_extra=documentation.changing(ID),
)
async def switch_voucher_on(request: Request, caller: Manager) -> Response:
    """Let it be used, as far as nothing else forbids it."""
    return await _change(request, caller, VoucherCommand(action=VoucherAction.SWITCH_ON))


@router.post(
    "/{voucherId}/switch-off",
    operation_id="switchVoucherOff",
    summary="Switch a voucher off",
    responses=documentation.changed(ManagedVoucherModel, VOUCHER | {"isActive": False}),
    openapi_extra=documentation.changing(ID),
)
async def switch_voucher_off(request: Request, caller: Manager) -> Response:
    """Let it not be used until it is switched on again."""
    return await _change(request, caller, VoucherCommand(action=VoucherAction.SWITCH_OFF))


@router.post(
    "/{voucherId}/change-expiry",
    operation_id="changeVoucherExpiry",
    summary="Change until when a voucher is good",
    responses=documentation.changed(ManagedVoucherModel, VOUCHER | EXPIRY, broken=IN_PAST),
    openapi_extra=documentation.changing(ID, model=VoucherExpiryRequest, example=EXPIRY),
)
async def change_voucher_expiry(request: Request, caller: Manager) -> Response:
    """Let it expire at another time, also after it has expired."""
    values = await read_values(request, VoucherExpiryRequest)
    return await _change(request, caller, VoucherCommand(action=VoucherAction.CHANGE_EXPIRY, **values))


@router.post(
    "/{voucherId}/archive",
    operation_id="archiveVoucher",
    summary="Put a voucher away for ever",
    responses=documentation.changed(ManagedVoucherModel, VOUCHER | {"isArchived": True}),
    openapi_extra=documentation.changing(ID),
)
async def archive_voucher(request: Request, caller: Manager) -> Response:
    """Archive a voucher: it can be used no more, and nothing about it changes again."""
    return await _change(request, caller, VoucherCommand(action=VoucherAction.ARCHIVE))


async def _change(request: Request, caller: Manager, command: VoucherCommand) -> Response:
    return await RESOURCE.change(request, caller, changes.change, command=command)


def _draft(*, vouchers: Sequence[VoucherChoiceRequest] | None = None, **values: Any) -> BulkDraft:  # noqa: ANN401
    refs = None if vouchers is None else [VoucherRef(**each.model_dump()) for each in vouchers]
    return BulkDraft(**values, vouchers=refs)


def _results(outcomes: list[Outcome]) -> JsonResponse:
    refused = sum(outcome.refusal is not None for outcome in outcomes)
    results = [_result(outcome) for outcome in outcomes]
    return JsonResponse({"done": len(outcomes) - refused, "refused": refused, "results": results})


def _result(outcome: Outcome) -> dict[str, Any]:
    voucher, refusal = outcome.voucher, outcome.refusal
    return {
        "id": voucher.id if voucher else None,
        "code": voucher.code if voucher else None,
        "isDone": refusal is None,
        "reason": {"code": refusal.code, "message": f"The voucher {refusal.message}."} if refusal else None,
        "version": voucher.version if voucher else None,
    }
