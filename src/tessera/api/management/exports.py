"""CSV exports: /management/v1/exports."""

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from tessera.api.http.fields import RequestModel
from tessera.api.management import csv_responses, documentation, revealing
from tessera.api.management.requests import read_filters
from tessera.api.management.revealing import BAD_REVEAL, RevealQuery
from tessera.api.management.schemas.promo_codes import PromoCodeExportQuery
from tessera.api.management.schemas.redemptions import BAD_TIME, EXPORT, RedemptionExportQuery
from tessera.api.serving.dependencies import Reporter
from tessera.api.serving.resources import resources_of
from tessera.promo_codes.management import export as promo_codes
from tessera.promo_codes.management.service import ManagedFilter
from tessera.redemptions import export as redemptions
from tessera.redemptions import lifecycle
from tessera.redemptions.lifecycle import RedemptionFilter
from tessera.vouchers.issued.export import service as vouchers
from tessera.vouchers.revealing import service as revealed

router = APIRouter(prefix="/management/v1/exports", tags=["Management: exports"])

BODIES: tuple[type[RequestModel], ...] = ()
QUERIES = (PromoCodeExportQuery, RedemptionExportQuery, RevealQuery)
BAD_STATUS = ("/status", "NotAmongValues", "status must be one of Inactive, Active, Archived.")


@router.get(
    "/promo-codes",
    operation_id="exportPromoCodes",
    summary="Export promo codes",
    response_class=StreamingResponse,
    responses=documentation.exported("name,status,discountPercent\r\nSPRING10,Active,10\r\n", violation=BAD_STATUS),
    openapi_extra=documentation.listing(PromoCodeExportQuery),
)
async def export_promo_codes(request: Request, caller: Reporter) -> StreamingResponse:
    """Export the promo codes that match, oldest first, in a file that `POST /management/v1/promo-code-imports` accepts.

    The file is streamed in chunks and can have any length; each chunk has the state at the time when it is read. A text
    that a spreadsheet would evaluate as a formula is preceded by an apostrophe.
    """
    filters = ManagedFilter(**read_filters(request, PromoCodeExportQuery))
    database = resources_of(request).database
    return csv_responses.file(promo_codes.csv(database, caller.work.organization_id, filters), "promo-codes.csv")


@router.get(
    "/vouchers",
    operation_id="exportVouchers",
    summary="Export vouchers",
    response_class=StreamingResponse,
    responses=documentation.exported("code,isActive,isUsed\r\nACME-****89,true,false\r\n", violation=BAD_REVEAL),
    openapi_extra=documentation.listing(RevealQuery),
)
async def export_vouchers(request: Request, caller: Reporter) -> StreamingResponse:
    """Export all vouchers of your organization, oldest first. An apostrophe precedes formulas.

    Codes are masked for callers without `SeeVoucherCodes`; an import needs whole codes.
    """
    reveals = await revealing.reveals(read_filters(request, RevealQuery), caller)
    if reveals:
        await revealed.record(caller.work, "vouchers.csv", {}, await vouchers.count(caller.work), now=caller.now)
    database, organization_id = resources_of(request).database, caller.work.organization_id
    return csv_responses.file(vouchers.csv(database, organization_id, reveals=reveals), "vouchers.csv")


@router.get(
    "/redemptions",
    operation_id="exportRedemptions",
    summary="Export redemptions",
    response_class=StreamingResponse,
    responses=documentation.exported(EXPORT, violation=BAD_TIME),
    openapi_extra=documentation.listing(RedemptionExportQuery),
)
async def export_redemptions(request: Request, caller: Reporter) -> StreamingResponse:
    """Export the redemptions that match, in order of creation. An apostrophe precedes formulas.

    Codes of vouchers are masked for callers without `SeeVoucherCodes`. An export by `code` counts against the budget of
    guesses of the credential.
    """
    query = read_filters(request, RedemptionExportQuery)
    if query.get("code") is not None:
        pipeline = resources_of(request).pipeline
        pipeline.admit_guess(request)
        # The file is streamed later, whether it has redemptions or not.
        pipeline.count_misses(request, 1)
    reveals, name = await revealing.reveals(query, caller), "redemptions.csv"
    filters = RedemptionFilter(**query)
    if reveals:
        number = await lifecycle.count(caller.work, filters, now=caller.now)
        await revealed.record(caller.work, name, query, number, now=caller.now)
    database, organization_id = resources_of(request).database, caller.work.organization_id
    return csv_responses.file(
        redemptions.csv(database, organization_id, filters, reveals=reveals, now=caller.now), name
    )
