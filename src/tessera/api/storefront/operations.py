"""The hot operation of the storefront API: redeeming or holding a code."""

from datetime import timedelta

from fastapi import Request

from tessera.api.http.parsing import read_body
from tessera.api.serving.operations import Coalescing, HotWrite, Route
from tessera.api.serving.resources import resources_of
from tessera.api.storefront.presenters import redemption_response
from tessera.api.storefront.products import read_product
from tessera.api.storefront.schemas import RedemptionCreateRequest
from tessera.identity.authentication.policies import ASK_FOR_CODES
from tessera.identity.rules import Principal
from tessera.redemptions import requests
from tessera.redemptions.drafts import Candidate, RedemptionDraft
from tessera.redemptions.validate import MalformedRequest


async def _read(request: Request, principal: Principal) -> RedemptionDraft | MalformedRequest:
    parsed_request = await read_body(request, RedemptionCreateRequest)
    product = read_product(parsed_request)
    if isinstance(product, MalformedRequest):
        return product
    values = parsed_request.values
    candidate, seconds = values["candidate"], values.get("hold_seconds")
    return RedemptionDraft(
        code=values["code"],
        reservation_code=values["reservation_code"],
        product=product,
        candidate=Candidate(**candidate.model_dump()),
        hold=None if seconds is None else timedelta(seconds=seconds),
        caller=principal,
        max_holds=resources_of(request).max_holds,
    )


def _is_draft(command: RedemptionDraft | MalformedRequest) -> bool:
    return isinstance(command, RedemptionDraft)


REDEEM = HotWrite(
    route=Route("POST", "/storefront/v1/redemptions"),
    policy=ASK_FOR_CODES,
    read=_read,
    execute=requests.redeem_or_reject,
    present=redemption_response,
    is_miss=requests.is_miss,
    is_keyed=_is_draft,
    coalescing=Coalescing(by_organization=True),
)
