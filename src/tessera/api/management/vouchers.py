"""Vouchers: /management/v1/vouchers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from tessera.api.http.errors import MethodNotAllowed
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import path_id
from tessera.api.management import documentation, revealing
from tessera.api.management.requests import read_draft, read_filters, read_values
from tessera.api.management.responses import Resource
from tessera.api.management.revealing import BAD_REVEAL, RevealQuery
from tessera.api.management.schemas.vouchers import (
    ASSIGN,
    BULK,
    EXPIRY,
    RESULTS,
    VOUCHER,
    ManagedVoucherModel,
    ManagedVoucherPage,
    ManagedVoucherQuery,
    VoucherActionResultModel,
    VoucherAssignRequest,
    VoucherBulkRequest,
    VoucherBulkResultModel,
    VoucherExpiryRequest,
    VoucherReferenceRequest,
)
from tessera.api.serving import idempotency
from tessera.api.serving.cursor_pages import read_code_query
from tessera.api.serving.dependencies import CodeManager, Manager
from tessera.api.serving.resources import resources_of
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.vouchers.issued import service
from tessera.vouchers.issued.actions import service as actions
from tessera.vouchers.issued.actions.rules import BulkDraft, VoucherAction, VoucherCommand, VoucherRef
from tessera.vouchers.issued.actions.service import Outcome
from tessera.vouchers.issued.service import Voucher, VoucherFilter
from tessera.vouchers.revealing import service as revealed

router = APIRouter(prefix="/management/v1/vouchers", tags=["Management: vouchers"])

BODIES = (VoucherAssignRequest, VoucherExpiryRequest, VoucherBulkRequest)
QUERIES = (ManagedVoucherQuery, RevealQuery)
ID = "voucherId"
RESOURCE = Resource(ManagedVoucherModel, id=ID)
SOURCE = "vouchers"
BULK_PATH = "/bulk"
NOT_EMAIL = ("/recipientEmail", "NotEmail", "recipientEmail must be a valid e-mail address.")
IN_PAST = ("/expiresAt", "ExpiryInPast", "expiresAt must not be in the past.")
ONE_NAME = ("/vouchers/0", "OneName", "vouchers/0 must have either an id or a code.")


@router.get(
    "",
    operation_id="listManagedVouchers",
    summary="List vouchers",
    responses=documentation.listed(ManagedVoucherPage, VOUCHER),
    openapi_extra=documentation.listing(ManagedVoucherQuery),
)
async def list_vouchers(request: Request, caller: Manager) -> JsonResponse:
    """List your organization's vouchers, including archived ones.

    The oldest come first, unless `order` or `search` says otherwise; a list with filters has another order, which is
    stable from page to page. Codes are masked for callers without `SeeVoucherCodes`, which `search` requires. A
    `voucherCode` that does not exist counts against the budget of guesses of the credential.
    """
    filters, position = read_code_query(request, ManagedVoucherQuery)
    pipeline, is_guess = resources_of(request).pipeline, filters.get("voucher_code") is not None
    if is_guess:
        pipeline.admit_guess(request)
    reveals = await revealing.reveals(filters, caller)
    if position["search"] is not None:
        revealing.require(caller)  # a code could be found character by character
    page = await service.list_by_cursor(caller.work, filters=VoucherFilter(**filters), **position)
    pipeline.count_misses(request, int(is_guess and not page.items))
    if reveals:
        query = filters | {"search": position["search"]}
        await revealed.record(caller.work, SOURCE, query, len(page.items), now=caller.now)
        return RESOURCE.page(request, page)
    return RESOURCE.page(request, page.map(lambda voucher: voucher.masked))


@router.post(
    BULK_PATH,
    operation_id="changeVouchers",
    summary="Update up to 1,000 vouchers",
    responses=documentation.bulk_changed(VoucherBulkResultModel, RESULTS, violation=ONE_NAME),
    openapi_extra=documentation.creating(VoucherBulkRequest, BULK),
)
async def change_vouchers(request: Request, caller: CodeManager) -> Response:
    """Perform one action on up to 1,000 vouchers, by id or code, regardless of their versions.

    Each voucher has a separate result; a failure does not affect the others. The codes of all responses to changes are
    masked. Vouchers that do not exist count against the budget of the credential, after which the response is 429.
    """
    draft = await read_draft(request, VoucherBulkRequest, _draft)

    async def change() -> JsonResponse:
        outcomes = await actions.change_all(caller.work, draft, now=caller.now)
        resources_of(request).pipeline.count_misses(request, sum(each.voucher is None for each in outcomes))
        return _results(outcomes)

    return await idempotency.once(request, caller, change)


@router.get(
    "/{voucherId}",
    operation_id="getVoucher",
    summary="Retrieve a voucher",
    responses=documentation.retrieved(ManagedVoucherModel, VOUCHER, violation=BAD_REVEAL),
    openapi_extra=documentation.listing(RevealQuery, ID),
)
async def get_voucher(request: Request, caller: Manager) -> JsonResponse:
    """Retrieve a voucher, with the `ETag` that a change requires.

    Its code is masked for callers without `SeeVoucherCodes`.
    """
    if request.scope["path"] == router.prefix + BULK_PATH:  # a different path, which allows only POST
        raise MethodNotAllowed("POST")
    reveals = await revealing.reveals(read_filters(request, RevealQuery), caller)
    voucher = await service.get(caller.work, path_id(request, ID))
    if reveals:
        await revealed.record(caller.work, SOURCE, {"id": voucher.id}, 1, now=caller.now)
        return RESOURCE.one(voucher)
    return RESOURCE.one(voucher.masked)


@router.post(
    "/{voucherId}/assign",
    operation_id="assignVoucher",
    summary="Assign a voucher",
    responses=documentation.changed(ManagedVoucherModel, VOUCHER, violation=NOT_EMAIL),
    openapi_extra=documentation.changing(ID, model=VoucherAssignRequest, example=ASSIGN),
)
async def assign_voucher(request: Request, caller: Manager) -> Response:
    """Assign an unused voucher, or reassign it. The response is 409 for a used or held voucher."""
    values = await read_values(request, VoucherAssignRequest)
    return await _change(request, caller, VoucherCommand(action=VoucherAction.ASSIGN, **values))


@router.post(
    "/{voucherId}/unassign",
    operation_id="unassignVoucher",
    summary="Unassign a voucher",
    responses=documentation.changed(ManagedVoucherModel, VOUCHER),
    openapi_extra=documentation.changing(ID),
)
async def unassign_voucher(request: Request, caller: Manager) -> Response:
    """Remove the recipient of a voucher. The response is 409 for a used or held voucher."""
    return await _change(request, caller, VoucherCommand(action=VoucherAction.UNASSIGN))


@router.post(
    "/{voucherId}/switch-on",
    operation_id="switchVoucherOn",
    summary="Enable a voucher",
    responses=documentation.changed(ManagedVoucherModel, VOUCHER),
    openapi_extra=documentation.changing(ID),
)
async def switch_voucher_on(request: Request, caller: Manager) -> Response:
    """Enable a voucher, which is then usable unless another rule forbids it."""
    return await _change(request, caller, VoucherCommand(action=VoucherAction.SWITCH_ON))


@router.post(
    "/{voucherId}/switch-off",
    operation_id="switchVoucherOff",
    summary="Disable a voucher",
    responses=documentation.changed(ManagedVoucherModel, VOUCHER | {"isActive": False}),
    openapi_extra=documentation.changing(ID),
)
async def switch_voucher_off(request: Request, caller: Manager) -> Response:
    """Disable a voucher, which cannot be used until it is enabled again."""
    return await _change(request, caller, VoucherCommand(action=VoucherAction.SWITCH_OFF))


@router.post(
    "/{voucherId}/change-expiry",
    operation_id="changeVoucherExpiry",
    summary="Change the expiry of a voucher",
    responses=documentation.changed(ManagedVoucherModel, VOUCHER | EXPIRY, violation=IN_PAST),
    openapi_extra=documentation.changing(ID, model=VoucherExpiryRequest, example=EXPIRY),
)
async def change_voucher_expiry(request: Request, caller: Manager) -> Response:
    """Change the time of expiry, even of an expired voucher."""
    values = await read_values(request, VoucherExpiryRequest)
    return await _change(request, caller, VoucherCommand(action=VoucherAction.CHANGE_EXPIRY, **values))


@router.post(
    "/{voucherId}/archive",
    operation_id="archiveVoucher",
    summary="Archive a voucher (permanent)",
    responses=documentation.changed(ManagedVoucherModel, VOUCHER | {"isArchived": True}),
    openapi_extra=documentation.changing(ID),
)
async def archive_voucher(request: Request, caller: Manager) -> Response:
    """Archive a voucher, which can then neither be used nor changed."""
    return await _change(request, caller, VoucherCommand(action=VoucherAction.ARCHIVE))


async def _change(request: Request, caller: Manager, command: VoucherCommand) -> Response:
    return await RESOURCE.change(request, caller, _masked_change, command=command)


async def _masked_change(work: UnitOfWork, target: Target, *, command: VoucherCommand, now: datetime) -> Voucher:
    return (await actions.change(work, target, command=command, now=now)).masked


def _draft(*, vouchers: Sequence[VoucherReferenceRequest] | None = None, **values: Any) -> BulkDraft:  # noqa: ANN401
    refs = None if vouchers is None else [VoucherRef(**choice.model_dump()) for choice in vouchers]
    return BulkDraft(**values, vouchers=refs)


def _results(outcomes: list[Outcome]) -> JsonResponse:
    failures = sum(outcome.refusal is not None for outcome in outcomes)
    results = [VoucherActionResultModel.of(outcome) for outcome in outcomes]
    return JsonResponse({"done": len(outcomes) - failures, "refused": failures, "results": results})
