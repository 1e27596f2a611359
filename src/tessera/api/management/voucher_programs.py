"""Voucher programs: /management/v1/voucher-programs."""

from fastapi import APIRouter, Request, Response

from tessera.api.http import if_match
from tessera.api.http.fields import RequestModel
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import ParsedRequest, path_id, read_body
from tessera.api.management import documentation
from tessera.api.management.responses import Resource
from tessera.api.management.schemas.voucher_programs import (
    CREATE_PROGRAM,
    PROGRAM,
    UPDATE_PROGRAM,
    VoucherProgramCreateRequest,
    VoucherProgramModel,
    VoucherProgramPage,
    VoucherProgramQuery,
    VoucherProgramUpdateRequest,
)
from tessera.api.serving.cursor_pages import read_cursor_query
from tessera.api.serving.dependencies import Manager
from tessera.vouchers.programs import service
from tessera.vouchers.programs.rules import ProgramDraft, Tier
from tessera.vouchers.programs.service import ProgramFilter
from tessera.vouchers.rules import Status

router = APIRouter(prefix="/management/v1/voucher-programs", tags=["Management: voucher programs"])

BODIES = (VoucherProgramCreateRequest, VoucherProgramUpdateRequest)
QUERIES = (VoucherProgramQuery,)
ID = "voucherProgramId"
RESOURCE = Resource(VoucherProgramModel, id=ID)
NOT_RISING = (
    "/tiers/1/percent",
    "PercentNotRising",
    "tiers/1/percent must be larger than the 5 of the smaller quantity 10.",
)


@router.get(
    "",
    operation_id="listManagedVoucherPrograms",
    summary="List voucher programs",
    responses=documentation.listed(VoucherProgramPage, PROGRAM),
    openapi_extra=documentation.listing(VoucherProgramQuery),
)
async def list_programs(request: Request, caller: Manager) -> JsonResponse:
    """List your organization's voucher programs, oldest first, including archived ones."""
    filters, position = read_cursor_query(request, VoucherProgramQuery)
    return RESOURCE.page(
        request, await service.list_by_cursor(caller.work, filters=ProgramFilter(**filters), **position)
    )


@router.post(
    "",
    operation_id="createVoucherProgram",
    summary="Create a voucher program",
    status_code=201,
    responses=documentation.created(VoucherProgramModel, PROGRAM, violation=NOT_RISING),
    openapi_extra=documentation.creating(VoucherProgramCreateRequest, CREATE_PROGRAM),
)
async def create_program(request: Request, caller: Manager) -> Response:
    """Create an offer of vouchers, with its exams, price, partners and restrictions."""
    draft = _draft(await read_body(request, VoucherProgramCreateRequest), VoucherProgramCreateRequest)

    return await RESOURCE.write(
        request, caller, lambda: service.create(caller.work, draft=draft, now=caller.now), status=201
    )


@router.get(
    "/{voucherProgramId}",
    operation_id="getVoucherProgram",
    summary="Retrieve a voucher program",
    responses=documentation.retrieved(VoucherProgramModel, PROGRAM),
    openapi_extra=documentation.retrieving(ID),
)
async def get_program(request: Request, caller: Manager) -> JsonResponse:
    """Retrieve a voucher program, with the `ETag` that a change requires."""
    return RESOURCE.one(await service.get(caller.work, path_id(request, ID)))


@router.put(
    "/{voucherProgramId}",
    operation_id="updateVoucherProgram",
    summary="Update a voucher program",
    responses=documentation.changed(VoucherProgramModel, PROGRAM | {"version": 2}, violation=NOT_RISING),
    openapi_extra=documentation.changing(ID, model=VoucherProgramUpdateRequest, example=UPDATE_PROGRAM),
)
async def update_program(request: Request, caller: Manager) -> Response:
    """Replace a program; fields missing from the body get the defaults of a new program.

    Earlier purchases keep their price and their codes.
    """
    target = if_match.target(request, ID)
    draft = _draft(await read_body(request, VoucherProgramUpdateRequest), VoucherProgramUpdateRequest)

    return await RESOURCE.write(request, caller, lambda: service.edit(caller.work, target, draft=draft, now=caller.now))


@router.post(
    "/{voucherProgramId}/activate",
    operation_id="activateVoucherProgram",
    summary="Activate a voucher program",
    responses=documentation.changed(VoucherProgramModel, PROGRAM | {"version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def activate_program(request: Request, caller: Manager) -> Response:
    """Activate an inactive program."""
    return await RESOURCE.change(request, caller, service.set_status, status=Status.ACTIVE)


@router.post(
    "/{voucherProgramId}/deactivate",
    operation_id="deactivateVoucherProgram",
    summary="Deactivate a voucher program",
    responses=documentation.changed(VoucherProgramModel, PROGRAM | {"status": "Inactive", "version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def deactivate_program(request: Request, caller: Manager) -> Response:
    """Deactivate an active program. Its vouchers remain valid."""
    return await RESOURCE.change(request, caller, service.set_status, status=Status.INACTIVE)


@router.post(
    "/{voucherProgramId}/archive",
    operation_id="archiveVoucherProgram",
    summary="Archive a voucher program (permanent)",
    responses=documentation.changed(VoucherProgramModel, PROGRAM | {"status": "Archived", "version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def archive_program(request: Request, caller: Manager) -> Response:
    """Archive a program, which can then neither be purchased nor changed. Its vouchers remain valid."""
    return await RESOURCE.change(request, caller, service.set_status, status=Status.ARCHIVED)


def _draft(parsed_request: ParsedRequest, model: type[RequestModel]) -> ProgramDraft:
    defaults = {name: field.default for name, field in model.model_fields.items() if not field.is_required()}
    values = defaults | parsed_request.draft()
    tiers = [Tier(tier.quantity, tier.percent) for tier in values.pop("tiers") or ()]
    return ProgramDraft(**values, tiers=tuple(tiers))
