"""Campaigns of promo codes: /management/v1/promo-code-campaigns."""

from fastapi import APIRouter, Request, Response

from tessera.api.http.fields import RequestModel
from tessera.api.http.json import JsonResponse
from tessera.api.management import documentation
from tessera.api.management.requests import read_values
from tessera.api.management.schemas.promo_code_campaigns import (
    CAMPAIGN,
    DEACTIVATED,
    CampaignRequest,
    DeactivatedCampaignModel,
)
from tessera.api.serving import idempotency
from tessera.api.serving.dependencies import Manager
from tessera.promo_codes.campaigns import service

router = APIRouter(prefix="/management/v1/promo-code-campaigns", tags=["Management: promo-code batches"])

BODIES = (CampaignRequest,)
QUERIES: tuple[type[RequestModel], ...] = ()
NO_CAMPAIGN = ("/campaign", "Required", "campaign is required.")


@router.post(
    "/deactivate",
    operation_id="deactivateCampaign",
    summary="Deactivate all promo codes of a campaign",
    responses=documentation.bulk_changed(DeactivatedCampaignModel, DEACTIVATED, violation=NO_CAMPAIGN),
    openapi_extra=documentation.creating(CampaignRequest, CAMPAIGN),
)
async def deactivate_campaign(request: Request, caller: Manager) -> Response:
    """Deactivate the active promo codes of a campaign, at most 20,000 in one request.

    The audit log has one entry for all of them. Each can be activated again. Repeat the request while `hasMore` is
    true; a repetition without active codes changes nothing.
    """
    values = await read_values(request, CampaignRequest)

    async def effect() -> JsonResponse:
        result = await service.deactivate(caller.work, values["campaign"], now=caller.now)
        return JsonResponse(DeactivatedCampaignModel.of(result))

    return await idempotency.once(request, caller, effect)
