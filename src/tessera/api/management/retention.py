"""Retention: /management/v1/retention."""

from fastapi import APIRouter, Request, Response

from tessera.api.http.fields import RequestModel
from tessera.api.http.json import JsonResponse
from tessera.api.management import documentation
from tessera.api.management.requests import read_values
from tessera.api.management.schemas.retention import RETENTION, RetentionModel, RetentionRequest
from tessera.api.serving import idempotency
from tessera.api.serving.dependencies import Manager
from tessera.identity.rules import FunctionPoint
from tessera.retention import service
from tessera.retention.service import Retention

router = APIRouter(prefix="/management/v1/retention", tags=["Management: persons"])

BODIES = (RetentionRequest,)
QUERIES: tuple[type[RequestModel], ...] = ()
OUT_OF_RANGE = (
    "/candidatesAfterDays",
    "PeriodRange",
    "candidatesAfterDays must be an integer from 1 to 3,660, or null.",
)


@router.get(
    "",
    operation_id="getRetention",
    summary="Retrieve the retention of your organization",
    responses=documentation.unversioned(RetentionModel, RETENTION),
    openapi_extra=documentation.retrieving(),
)
async def get_retention(request: Request, caller: Manager) -> JsonResponse:
    """Retrieve the periods for which your organization keeps data. At first, it keeps everything."""
    return JsonResponse(RetentionModel.of(await service.get(caller.work)))


@router.put(
    "",
    operation_id="replaceRetention",
    summary="Replace the retention of your organization",
    responses=documentation.replaced(RetentionModel, RETENTION, violation=OUT_OF_RANGE),
    openapi_extra=documentation.creating(RetentionRequest, RETENTION),
)
async def replace_retention(request: Request, caller: Manager) -> Response:
    """Replace all periods. A worker applies them every hour; what has gone cannot be restored.

    Requires the function points `ManageOrganization` and `ManagePersons`, because records about persons go.
    Counts, money, limits in total and reports stay as they are. A limit for each candidate no longer counts the
    redemptions that were dropped, or whose candidates have become anonymous.
    """
    caller.principal.require(FunctionPoint.MANAGE_PERSONS)
    retention = Retention(**await read_values(request, RetentionRequest))

    async def effect() -> JsonResponse:
        return JsonResponse(RetentionModel.of(await service.replace(caller.work, retention, now=caller.now)))

    return await idempotency.once(request, caller, effect)
