"""Redemptions for those who manage them: /management/v1/redemptions."""

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from tessera.api.deps import resources_of
from tessera.api.management import csv_files, documentation
from tessera.api.management.auth import Manager
from tessera.api.management.schemas.redemptions import BAD_TIME, EXPORT, RedemptionExportQuery
from tessera.api.reading import read_query
from tessera.api.types import RequestModel
from tessera.kit.errors import Invalid
from tessera.redemptions import export
from tessera.redemptions.lifecycle import RedemptionFilter

router = APIRouter(prefix="/management/v1/redemptions", tags=["Management: reports"])

BODIES: tuple[type[RequestModel], ...] = ()
QUERIES = (RedemptionExportQuery,)


@router.get(
    "/export",
    operation_id="exportRedemptions",
    summary="Export redemptions",
    response_class=StreamingResponse,
    responses=documentation.exported(EXPORT, broken=BAD_TIME),
    openapi_extra=documentation.listing(RedemptionExportQuery),
)
async def export_redemptions(request: Request, caller: Manager) -> StreamingResponse:
    """The redemptions that match, in order of creation, as a CSV file of any length.

    It comes part by part; what changes meanwhile is told as it is when its turn comes. A text that a spreadsheet would
    take for a formula is preceded by an apostrophe.
    """
    reading = read_query(request, RedemptionExportQuery)
    if reading.refused:
        raise Invalid(reading.refused)
    database, organization_id = resources_of(request).database, caller.work.organization_id
    content = export.csv(database, organization_id, RedemptionFilter(**reading.values), now=caller.now)
    return csv_files.file(content, "redemptions.csv")
