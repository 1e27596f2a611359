"""Voucher purchases: /management/v1/voucher-purchases."""

from fastapi import APIRouter, Request, Response

from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import path_id
from tessera.api.management import documentation
from tessera.api.management.requests import read_draft
from tessera.api.management.responses import Resource
from tessera.api.management.schemas.voucher_purchases import (
    ORDER,
    PURCHASE,
    ManagedVoucherPurchaseCreateRequest,
    ManagedVoucherPurchaseModel,
    ManagedVoucherPurchasePage,
    VoucherPurchaseQuery,
)
from tessera.api.serving.cursor_pages import read_cursor_query
from tessera.api.serving.dependencies import Manager
from tessera.vouchers.purchases import service
from tessera.vouchers.purchases.checkout import service as checkouts
from tessera.vouchers.purchases.checkout.rules import Order
from tessera.vouchers.purchases.service import PurchaseFilter
from tessera.vouchers.rules import PurchaseStatus

router = APIRouter(prefix="/management/v1/voucher-purchases", tags=["Management: voucher purchases"])

BODIES = (ManagedVoucherPurchaseCreateRequest,)
QUERIES = (VoucherPurchaseQuery,)
ID = "voucherPurchaseId"
RESOURCE = Resource(ManagedVoucherPurchaseModel, id=ID)
TOO_MANY = ("/quantity", "QuantityRange", "quantity must be between 1 and 1,000.")
PAID = PURCHASE | {"status": "VoucherCreation", "amountPaid": 4353.13, "version": 2}


@router.get(
    "",
    operation_id="listManagedVoucherPurchases",
    summary="List voucher purchases",
    responses=documentation.listed(ManagedVoucherPurchasePage, PURCHASE),
    openapi_extra=documentation.listing(VoucherPurchaseQuery),
)
async def list_purchases(request: Request, caller: Manager) -> JsonResponse:
    """List your organization's voucher purchases, including archived ones.

    The oldest come first; a list with filters has another order, which is stable from page to page.
    """
    filters, position = read_cursor_query(request, VoucherPurchaseQuery)
    page = await service.list_by_cursor(caller.work, filters=PurchaseFilter(**filters), **position, now=caller.now)
    return RESOURCE.page(request, page)


@router.post(
    "",
    operation_id="orderVouchers",
    summary="Create a voucher purchase",
    status_code=201,
    responses=documentation.created(ManagedVoucherPurchaseModel, PURCHASE, violation=TOO_MANY),
    openapi_extra=documentation.creating(ManagedVoucherPurchaseCreateRequest, ORDER),
)
async def order_vouchers(request: Request, caller: Manager) -> Response:
    """Order vouchers at the price and the tier of the program, to be paid before a deadline.

    The purchase is `CheckoutInProgress`. A purchase that costs nothing is `VoucherCreation` at once, and `Complete`
    once its vouchers exist.
    """
    order = await read_draft(request, ManagedVoucherPurchaseCreateRequest, Order)
    return await RESOURCE.write(
        request, caller, lambda: checkouts.start(caller.work, order, now=caller.now), status=201
    )


@router.get(
    "/{voucherPurchaseId}",
    operation_id="getVoucherPurchase",
    summary="Retrieve a voucher purchase",
    responses=documentation.retrieved(ManagedVoucherPurchaseModel, PURCHASE),
    openapi_extra=documentation.retrieving(ID),
)
async def get_purchase(request: Request, caller: Manager) -> JsonResponse:
    """Retrieve a voucher purchase, with the `ETag` that a change requires."""
    return RESOURCE.one(await service.get(caller.work, path_id(request, ID), now=caller.now))


@router.post(
    "/{voucherPurchaseId}/pay",
    operation_id="payVoucherPurchase",
    summary="Mark a voucher purchase as paid",
    responses=documentation.changed(ManagedVoucherPurchaseModel, PAID),
    openapi_extra=documentation.changing(ID),
)
async def pay_purchase(request: Request, caller: Manager) -> Response:
    """Record full payment and generate the vouchers. After the deadline the response is 409: `CheckoutExpired`."""
    return await _settle(request, caller, PurchaseStatus.VOUCHER_CREATION)


@router.post(
    "/{voucherPurchaseId}/fail",
    operation_id="failVoucherPurchase",
    summary="Mark a voucher purchase as failed",
    responses=documentation.changed(ManagedVoucherPurchaseModel, PURCHASE | {"status": "CheckoutFailed", "version": 2}),
    openapi_extra=documentation.changing(ID),
)
async def fail_purchase(request: Request, caller: Manager) -> Response:
    """Change the status from `CheckoutInProgress` to `CheckoutFailed`."""
    return await _settle(request, caller, PurchaseStatus.CHECKOUT_FAILED)


@router.post(
    "/{voucherPurchaseId}/cancel",
    operation_id="cancelVoucherPurchase",
    summary="Cancel an unpaid voucher purchase",
    responses=documentation.changed(
        ManagedVoucherPurchaseModel, PURCHASE | {"status": "CheckoutCancelled", "version": 2}
    ),
    openapi_extra=documentation.changing(ID),
)
async def cancel_purchase(request: Request, caller: Manager) -> Response:
    """Change the status from `CheckoutInProgress` to `CheckoutCancelled`."""
    return await _settle(request, caller, PurchaseStatus.CHECKOUT_CANCELLED)


@router.post(
    "/{voucherPurchaseId}/archive",
    operation_id="archiveVoucherPurchase",
    summary="Archive a voucher purchase (permanent)",
    responses=documentation.changed(
        ManagedVoucherPurchaseModel, PURCHASE | {"status": "Complete", "isArchived": True, "version": 4}
    ),
    openapi_extra=documentation.changing(ID),
)
async def archive_purchase(request: Request, caller: Manager) -> Response:
    """Archive a purchase in a final status. Its vouchers do not change."""
    return await RESOURCE.change(request, caller, checkouts.archive)


async def _settle(request: Request, caller: Manager, outcome: PurchaseStatus) -> Response:
    return await RESOURCE.change(request, caller, checkouts.settle, outcome=outcome)
