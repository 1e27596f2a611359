"""Handing out vouchers: /management/v1/voucher-purchases/{voucherPurchaseId}/assignments."""

from fastapi import APIRouter, Request, Response

from tessera.api.http.fields import RequestModel
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import path_id
from tessera.api.management import csv_responses, documentation
from tessera.api.management.requests import read_values
from tessera.api.management.schemas.voucher_assignments import (
    ASSIGNED,
    PEOPLE,
    AssignedVouchersModel,
    AssignmentModel,
    AssignmentRequest,
)
from tessera.api.serving import idempotency
from tessera.api.serving.dependencies import VoucherAssigner
from tessera.vouchers.issued.assignments import service

router = APIRouter(prefix="/management/v1/voucher-purchases", tags=["Management: voucher purchases"])

BODIES = (AssignmentRequest,)
QUERIES: tuple[type[RequestModel], ...] = ()
ID = "voucherPurchaseId"
EXPORT = """\
recipientEmail,code,assignedAt,expiresAt,isActive,isArchived,usedAt\r
ada@example.com,PRO-4H7KQ2M,2026-06-15T12:00:00Z,2027-06-15T12:00:00Z,true,false,\r
"""
TOO_FEW = (
    "/recipientEmails",
    "NotEnoughVouchers",
    "recipientEmails has 20 people without a voucher, and 12 vouchers are left.",
)


@router.get(
    "/{voucherPurchaseId}/assignments",
    operation_id="exportAssignmentsOfPurchase",
    summary="Export who has which voucher of a purchase",
    response_class=Response,
    responses=documentation.exported(EXPORT, within=True),
    openapi_extra=documentation.retrieving(ID),
)
async def export_assignments(request: Request, caller: VoucherAssigner) -> Response:
    """Export the vouchers of the purchase that have a recipient, oldest first. An apostrophe precedes formulas.

    Users of a voucher partner who have the function point `PartnerAssignVouchers` see their partner's purchases.
    """
    content = await service.csv(caller.work, path_id(request, ID), now=caller.now)
    return Response(content, media_type=csv_responses.MEDIA_TYPE, headers=csv_responses.attachment("assignments.csv"))


@router.post(
    "/{voucherPurchaseId}/assignments",
    operation_id="assignVouchersOfPurchase",
    summary="Assign vouchers of a purchase to people",
    responses=documentation.replaced(AssignedVouchersModel, ASSIGNED, violation=TOO_FEW),
    openapi_extra=documentation.creating(AssignmentRequest, PEOPLE, ID),
)
async def assign_vouchers(request: Request, caller: VoucherAssigner) -> Response:
    """Give each person of a list a free voucher of the purchase. Everybody gets one, or nobody.

    A person who has a voucher of this purchase keeps it, so the same list can be sent again. With `dryRun` nothing is
    assigned. Users of a voucher partner who have the function point `PartnerAssignVouchers` assign vouchers of their
    partner's purchases.
    """
    purchase_id, values = path_id(request, ID), await read_values(request, AssignmentRequest)
    people, dry_run = values["recipient_emails"], bool(values.get("dry_run"))

    async def effect() -> JsonResponse:
        assigned = await service.assign(caller.work, purchase_id, people, dry_run=dry_run, now=caller.now)
        return JsonResponse({"isDryRun": dry_run, "results": [AssignmentModel.of(each) for each in assigned]})

    # A dry run has no effect, so its Idempotency-Key is ignored.
    return await effect() if dry_run else await idempotency.once(request, caller, effect)
