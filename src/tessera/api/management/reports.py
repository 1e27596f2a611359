"""Reports: /management/v1/reports."""

from typing import Any

from fastapi import APIRouter, Request, Response

from tessera.api.error_rendering import problem_details
from tessera.api.http.fields import RequestModel, ResponseModel
from tessera.api.http.json import JsonResponse
from tessera.api.http.openapi import header, response
from tessera.api.management import csv_responses, documentation, revealing
from tessera.api.management.schemas.reports import (
    PARTNER,
    SUM,
    SUMS_CSV,
    TOTALS,
    TOTALS_CSV,
    RedemptionReportModel,
    RedemptionReportQuery,
    RedemptionSumModel,
    VoucherReportModel,
    VoucherReportQuery,
    VoucherTotalsModel,
)
from tessera.api.management.serialization import Body
from tessera.api.serving.cursor_pages import next_page, read_cursor_query
from tessera.api.serving.dependencies import Reporter
from tessera.api.serving.resources import resources_of
from tessera.reports import export, service
from tessera.reports.service import Dimension, PartnerTotals
from tessera.vouchers.revealing import service as revealed

router = APIRouter(prefix="/management/v1/reports", tags=["Management: reports"])

BODIES: tuple[type[RequestModel], ...] = ()
SOURCE = "reports/redemptions"
QUERIES = (RedemptionReportQuery, VoucherReportQuery)
LINK = {"Link": header("The URL of the next page (RFC 8288); absent on the last page and for a CSV file.")}
BAD_UNTIL = ("/until", "NotAfterFrom", "until must be after from, which is 2026-11-01.")
BAD_LIMIT = ("/limit", "LimitRange", "limit must be an integer from 1 to 1,000.")
# Without this header, a cache could serve CSV in place of JSON.
VARY = {"Vary": "Accept"}


def _documented(
    model: type[ResponseModel], example: dict[str, Any], csv: str, *, violation: tuple[str, str, str]
) -> dict[int | str, Any]:
    success = response(model, "The report, as JSON or as a CSV file.", example) | {"headers": LINK}
    success["content"] |= csv_responses.content(csv)
    return {
        200: success,
        400: problem_details.documented_invalid(*violation),
        **problem_details.documented(401, 403, 429, 500, 503),
    }


@router.get(
    "/redemptions",
    operation_id="reportRedemptions",
    summary="Report redemptions",
    responses=_documented(
        RedemptionReportModel,
        {
            "by": "code",
            "from": "2026-11-01",
            "until": "2026-12-01",
            "data": [SUM],
            "nextLink": None,
            "nextCursor": None,
        },
        SUMS_CSV,
        violation=BAD_UNTIL,
    ),
    openapi_extra=documentation.listing(RedemptionReportQuery),
)
async def report_redemptions(request: Request, caller: Reporter) -> Response:
    """Sum redemptions and their discounts by day, code, campaign, exam or partner, over whole days (UTC), up to now.

    A report by exam includes bundles. A report by partner covers only vouchers, because promo codes have no partner.
    One by campaign covers your own promo codes that belong to a campaign now, including their earlier redemptions.
    One by code requires `SeeVoucherCodes`.
    """
    filters, position = read_cursor_query(request, RedemptionReportQuery)
    by = filters.get("by", Dimension.DAY)
    reveals = await revealing.reveals(filters, caller) and by is Dimension.CODE
    if by is Dimension.CODE:
        revealing.require(caller)  # cursors have codes
    report = service.report(by, first=filters.get("first"), end=filters.get("until"), now=caller.now)
    if csv_responses.requests_csv(request, filters.get("format")):
        if reveals:
            await revealed.record(caller.work, SOURCE, filters, None, now=caller.now)
        database, organization_id = resources_of(request).database, caller.work.organization_id
        content = export.redemptions_csv(database, organization_id, report, reveals=reveals)
        return csv_responses.file(content, f"redemptions-by-{by}.csv", VARY)
    page = await service.list_redemptions(caller.work, report, reveals=reveals, **position)
    if reveals:
        await revealed.record(caller.work, SOURCE, filters, len(page.items), now=caller.now)
    days = {"from": str(report.period.first), "until": str(report.period.end)}
    body = {"by": by, **days, "data": [RedemptionSumModel.of(row) for row in page.items]}
    return _page(request, body, cursor=page.cursor, **days)


@router.get(
    "/vouchers",
    operation_id="reportVouchers",
    summary="Report vouchers",
    responses=_documented(
        VoucherReportModel,
        {"total": TOTALS, "data": [PARTNER], "nextLink": None, "nextCursor": None},
        TOTALS_CSV,
        violation=BAD_LIMIT,
    ),
    openapi_extra=documentation.listing(VoucherReportQuery),
)
async def report_vouchers(request: Request, caller: Reporter) -> Response:
    """Count purchased, used and soon expiring vouchers by partner and in total, at the present time."""
    filters, position = read_cursor_query(request, VoucherReportQuery)
    if csv_responses.requests_csv(request, filters.get("format")):
        content = export.vouchers_csv(resources_of(request).database, caller.work.organization_id, now=caller.now)
        return csv_responses.file(content, "vouchers.csv", VARY)
    page = await service.list_vouchers(caller.work, now=caller.now, **position)
    total = await service.sum_vouchers(caller.work, now=caller.now)
    body = {"total": VoucherTotalsModel.of(total), "data": [_partner(row) for row in page.items]}
    return _page(request, body, cursor=page.cursor)


def _page(request: Request, body: Body, *, cursor: str | None, **days: str) -> JsonResponse:
    # The link contains the days, so that the next page covers the same days even after midnight.
    position, headers = next_page(request, cursor, **days)
    return JsonResponse({**body, **position}, headers=VARY | headers)


def _partner(row: PartnerTotals) -> Body:
    return {"partnerId": row.id, "partnerName": row.name, **VoucherTotalsModel.of(row.totals)}
