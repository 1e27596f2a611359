"""Handing out vouchers: /management/v1/voucher-purchases/{voucherPurchaseId}/assignments."""

from typing import Any

from fastapi import APIRouter, Request, Response

from tessera.api.http.fields import RequestModel
from tessera.api.http.json import JsonResponse
from tessera.api.http.parsing import path_id
from tessera.api.management import csv_responses, documentation, revealing
from tessera.api.management.requests import read_filters, read_values
from tessera.api.management.revealing import BAD_REVEAL, RevealQuery
from tessera.api.management.schemas.voucher_assignments import (
    ASSIGNED,
    PEOPLE,
    AssignedVouchersModel,
    AssignmentModel,
    AssignmentRequest,
)
from tessera.api.serving import idempotency
from tessera.api.serving.dependencies import VoucherAssigner
from tessera.identity.rules import FunctionPoint
from tessera.vouchers.codes import mask
from tessera.vouchers.issued.assignments import service
from tessera.vouchers.revealing import service as revealed

router = APIRouter(prefix="/management/v1/voucher-purchases", tags=["Management: voucher purchases"])

BODIES = (AssignmentRequest,)
QUERIES: tuple[type[RequestModel], ...] = (RevealQuery,)
ID = "voucherPurchaseId"
# Who hands out vouchers must see their codes.
ASSIGN = FunctionPoint.PARTNER_ASSIGN_VOUCHERS
EXPORT = """\
recipientEmail,code,assignedAt,expiresAt,isActive,isArchived,usedAt\r
ada@example.com,PRO-****,2026-06-15T12:00:00Z,2027-06-15T12:00:00Z,true,false,\r
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
    responses=documentation.exported(EXPORT, violation=BAD_REVEAL, within=True),
    openapi_extra=documentation.listing(RevealQuery, ID),
)
async def export_assignments(request: Request, caller: VoucherAssigner) -> Response:
    """Export the vouchers of the purchase that have a recipient, oldest first. An apostrophe precedes formulas.

    Users of a voucher partner who have the function point `PartnerAssignVouchers` see their partner's purchases. This
    function point suffices for `reveal`, too.
    """
    reveals = await revealing.reveals(read_filters(request, RevealQuery), caller, ASSIGN)
    content = await service.csv(caller.work, path_id(request, ID), reveals=reveals, now=caller.now)
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

    A person who has a voucher of this purchase keeps it, so the same list can be sent again. A purchase has at most
    1,000 vouchers; `furtherPurchaseIds` names others for a longer list. With `dryRun` nothing is assigned. Users of a
    voucher partner who have the function point `PartnerAssignVouchers` assign vouchers of their partner's purchases.
    The codes are masked for callers who have neither this function point nor `SeeVoucherCodes`, and in a response that
    is repeated for the same `Idempotency-Key`.
    """
    purchase_id, values = path_id(request, ID), await read_values(request, AssignmentRequest)
    people, dry_run = values["recipient_emails"], bool(values.get("dry_run"))
    further = values.get("further_purchase_ids") or ()
    reveals = not caller.principal.function_points.isdisjoint({ASSIGN, FunctionPoint.SEE_VOUCHER_CODES})

    async def effect() -> JsonResponse:
        assigned = await service.assign(
            caller.work, purchase_id, people, further=further, dry_run=dry_run, now=caller.now
        )
        if reveals and assigned:
            filters = {"purchase_id": purchase_id, "further_purchase_ids": further or None}
            await revealed.record(caller.work, service.SOURCE, filters, len(assigned), now=caller.now)
        assigned = assigned if reveals else [each.masked for each in assigned]
        return JsonResponse({"isDryRun": dry_run, "results": [AssignmentModel.of(each) for each in assigned]})

    # A dry run has no effect, so its Idempotency-Key is ignored.
    return await effect() if dry_run else await idempotency.once(request, caller, effect, conceal=_masked)


def _masked(body: dict[str, Any]) -> dict[str, Any]:
    return body | {"results": [each | {"code": mask(each["code"])} for each in body["results"]]}
