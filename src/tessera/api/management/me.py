"""The caller itself: /management/v1/me."""

from fastapi import APIRouter

from tessera.api.error_rendering import problem_details
from tessera.api.http.fields import RequestModel
from tessera.api.http.json import JsonResponse
from tessera.api.http.openapi import response
from tessera.api.management import documentation
from tessera.api.management.schemas.me import ME, MeModel, MyPartnerModel
from tessera.api.serving.dependencies import BearerCaller
from tessera.identity.profiles import service
from tessera.vouchers.partners import service as partners

router = APIRouter(prefix="/management/v1", tags=["Management: users"])

BODIES: tuple[type[RequestModel], ...] = ()
QUERIES: tuple[type[RequestModel], ...] = ()


@router.get(
    "/me",
    operation_id="getMe",
    summary="Retrieve the caller",
    responses={
        200: response(MeModel, "The caller.", ME),
        400: problem_details.documented_unknown_parameter(),
        **problem_details.documented(401, 429, 500, 503),
    },
    openapi_extra=documentation.retrieving(),
)
async def get_me(caller: BearerCaller) -> JsonResponse:
    """Retrieve the user or client that the token belongs to, with organization and rights; requires no right."""
    profile = await service.get(caller.work, caller.principal)
    partner = await partners.get(caller.work, profile.partner_id) if profile.partner_id else None
    return JsonResponse(MeModel.of(profile, partner=partner and MyPartnerModel.of(partner)))
