"""Managing voucher programs: /management/v1/voucher-programs."""

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
    VoucherProgramQuery,
    VoucherProgramSlice,
    VoucherProgramUpdateRequest,
)
from tessera.api.serving.cursor_pages import read_cursor_query
from tessera.api.serving.dependencies import Manager
from tessera.vouchers.programs import service
from tessera.vouchers.programs.rules import ProgramDraft, Tier
from tessera.vouchers.programs.service import ProgramFilter
from tessera.vouchers.rules import Status

router = APIRouter(prefix="/management/v1/voucher-programs", tags=["Management: vouchers"])

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
    responses=documentation.listed(VoucherProgramSlice, PROGRAM),
    openapi_extra=documentation.listing(VoucherProgramQuery),
)
async def list_programs(request: Request, caller: Manager) -> JsonResponse:
    """Your organization's voucher programs, oldest first, archived ones included."""
    filters, place = read_cursor_query(request, VoucherProgramQuery)
    return RESOURCE.page(request, await service.list_by_cursor(caller.work, filters=ProgramFilter(**filters), **place))


@router.post(
    "",
    operation_id="createVoucherProgram",
    summary="Add a voucher program",
    status_code=201,
    responses=documentation.created(VoucherProgramModel, PROGRAM, broken=NOT_RISING),
    openapi_extra=documentation.making(VoucherProgramCreateRequest, CREATE_PROGRAM),
)
async def create_program(request: Request, caller: Manager) -> Response:
    """Offer vouchers: for which exams, at what price, to which partners, and for whose candidates."""
    draft = _draft(await read_body(request, VoucherProgramCreateRequest), VoucherProgramCreateRequest)

    return await RESOURCE.write(
        request, caller, lambda: service.create(caller.work, draft=draft, now=caller.now), status=201
    )


@router.get(
    "/{voucherProgramId}",
    operation_id="getVoucherProgram",
    summary="Show a voucher program",
    responses=documentation.shown(VoucherProgramModel, PROGRAM),
    openapi_extra=documentation.reading(ID),
)
async def get_program(request: Request, caller: Manager) -> JsonResponse:
    """One voucher program, with the `ETag` that a change of it needs."""
    return RESOURCE.one(await service.get(caller.work, path_id(request, ID)))


@router.put(
    "/{voucherProgramId}",
    operation_id="updateVoucherProgram",
    summary="Change a voucher program",
    responses=documentation.changed(VoucherProgramModel, PROGRAM | {"version": 2}, broken=NOT_RISING),
    openapi_extra=documentation.changing(ID, model=VoucherProgramUpdateRequest, example=UPDATE_PROGRAM),
)
async def update_program(request: Request, caller: Manager) -> Response:
    """Put another program in its place: what the body leaves out becomes what it is for a new one.

    What was bought before keeps its price and its codes.
    """
    target = if_match.target(request, ID)
    draft = _draft(await read_body(request, VoucherProgramUpdateRequest), VoucherProgramUpdateRequest)

    return await RESOURCE.write(request, caller, lambda: service.edit(caller.work, target, draft=draft, now=caller.now))


@router.post(
    "/{voucherProgramId}/activate",
    operation_id="activateVoucherProgram",
    summary="Let a voucher program be bought",
    responses=documentation.changed(VoucherProgramModel, PROGRAM | {"version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def activate_program(request: Request, caller: Manager) -> Response:
    """Make an inactive program active."""
    return await RESOURCE.change(request, caller, service.set_status, status=Status.ACTIVE)


@router.post(
    "/{voucherProgramId}/deactivate",
    operation_id="deactivateVoucherProgram",
    summary="Let a voucher program be bought no longer",
    responses=documentation.changed(VoucherProgramModel, PROGRAM | {"status": "Inactive", "version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def deactivate_program(request: Request, caller: Manager) -> Response:
    """Make an active program inactive; vouchers of it stay good."""
    return await RESOURCE.change(request, caller, service.set_status, status=Status.INACTIVE)


@router.post(
    "/{voucherProgramId}/archive",
    operation_id="archiveVoucherProgram",
    summary="Put a voucher program away for ever",
    responses=documentation.changed(VoucherProgramModel, PROGRAM | {"status": "Archived", "version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def archive_program(request: Request, caller: Manager) -> Response:
    """Archive a program: it is sold no more, and nothing about it changes again. Vouchers of it stay good."""
    return await RESOURCE.change(request, caller, service.set_status, status=Status.ARCHIVED)


def _draft(reading: ParsedRequest, model: type[RequestModel]) -> ProgramDraft:
    unless_given = {name: field.default for name, field in model.model_fields.items() if not field.is_required()}
    given = unless_given | reading.draft()
    tiers = [Tier(tier.quantity, tier.percent) for tier in given.pop("tiers") or ()]
    return ProgramDraft(**given, tiers=tuple(tiers))
