"""The Certiverse Voucher Partner API: /api/vouchers."""

from fastapi import APIRouter, Request, Response

from tessera.api.certiverse_vouchers import documentation, operations, presenters
from tessera.api.certiverse_vouchers.operations import read_filters
from tessera.api.certiverse_vouchers.schemas import (
    PartnerQuery,
    ProgramQuery,
    PurchaseQuery,
    VoucherPurchaseCreateCommand,
    VoucherQuery,
)
from tessera.api.http import openapi
from tessera.api.http.json import JsonResponse
from tessera.api.serving import idempotency
from tessera.api.serving.dependencies import VoucherManager, run
from tessera.api.serving.pages import numbered_page_response
from tessera.vouchers.partners import service as partners
from tessera.vouchers.partners.service import PartnerFilter
from tessera.vouchers.programs import service as programs
from tessera.vouchers.purchases import service as purchases
from tessera.vouchers.purchases.service import PurchaseFilter

router = APIRouter(prefix="/api/vouchers", tags=["Certiverse Voucher Partner API"])


@router.get(
    "/partners",
    operation_id="listVoucherPartners",
    summary="List voucher partners",
    responses=documentation.PARTNERS,
    openapi_extra={"security": openapi.BEARER, "parameters": openapi.parameters(PartnerQuery)},
)
async def list_partners(request: Request, caller: VoucherManager) -> JsonResponse:
    """Voucher partners, oldest first, 100 a page; without filters, all partners that you may see.

    A partner's user sees only that partner.
    """
    filters, number = read_filters(request, PartnerQuery)
    page = await partners.list_page(caller.work, filters=PartnerFilter(**filters), number=number, users=presenters.USER)
    return numbered_page_response(request, page, [presenters.partner(item) for item in page.items])


@router.get(
    "/programs",
    operation_id="listVoucherPrograms",
    summary="List voucher programs",
    responses=documentation.PROGRAMS,
    openapi_extra={"security": openapi.BEARER, "parameters": openapi.parameters(ProgramQuery)},
)
async def list_programs(request: Request, caller: VoucherManager) -> JsonResponse:
    """Voucher programs, each with its store exams, partner assignments, discount tiers and restriction settings.

    A partner's user sees only the programs that are open to that partner.
    """
    filters, number = read_filters(request, ProgramQuery)
    page = await programs.list_page(caller.work, name_part=filters.get("program_name_part"), number=number)
    return numbered_page_response(request, page, [presenters.program(item) for item in page.items])


@router.get(
    "/purchases",
    operation_id="listVoucherPurchases",
    summary="List voucher purchases",
    responses=documentation.PURCHASES,
    openapi_extra={
        "security": openapi.BEARER,
        "parameters": openapi.parameters(PurchaseQuery),
        **openapi.example_filter("status"),
    },
)
async def list_purchases(request: Request, caller: VoucherManager) -> JsonResponse:
    """Voucher purchases with quantity, pricing and status, oldest first, 100 a page.

    At least one filter other than `page` is required. A partner's user sees only that partner's purchases.
    """
    filters, number = read_filters(request, PurchaseQuery, needs_filter=True)
    page = await purchases.list_page(caller.work, filters=PurchaseFilter(**filters), number=number, now=caller.now)
    return numbered_page_response(request, page, [presenters.purchase(item) for item in page.items])


@router.post(
    "/purchases",
    operation_id="createVoucherPurchase",
    summary="Purchase vouchers",
    responses=documentation.CREATE,
    openapi_extra={
        "security": openapi.BEARER,
        "parameters": [idempotency.PARAMETER],
        "requestBody": openapi.json_body(VoucherPurchaseCreateCommand, documentation.REQUEST),
    },
)
async def create_purchase(request: Request) -> Response:
    """Create a voucher purchase of a program priced at $0 and queue the generation of its vouchers.

    The purchase has the status `VoucherCreation` until its vouchers exist, and then `Complete`. It is attributed
    to the system user "Certiverse API".
    """
    return await run(request, operations.PURCHASE)


@router.get(
    "",
    operation_id="listVouchers",
    summary="List vouchers",
    responses=documentation.VOUCHERS,
    openapi_extra={
        "security": openapi.BEARER,
        "parameters": openapi.parameters(VoucherQuery),
        **openapi.example_filter("isUsed"),
    },
)
async def list_vouchers(request: Request) -> Response:
    """Vouchers with assignment, usage and reservation details, oldest first, 100 a page.

    At least one filter other than `page` is required. A partner's user sees only that partner's vouchers.
    """
    return await run(request, operations.LIST_VOUCHERS)
