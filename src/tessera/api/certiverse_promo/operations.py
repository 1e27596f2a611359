"""The two hot operations of the Certiverse Promo Code API: GET and POST /promo-codes."""

from functools import partial

from fastapi import Request, Response

from tessera.api.certiverse_promo.presenters import LISTED, created_response
from tessera.api.certiverse_promo.schemas import PromoCodeCreateCommand, PromoCodeQuery
from tessera.api.http.parsing import read_body, read_query
from tessera.api.serving.operations import GENERIC_PLANS, Coalescing, HotRead, HotWrite, Route
from tessera.api.serving.pages import numbered_page_response
from tessera.identity.authentication.policies import MANAGE_PROMO_CODES, NAME_PROMO_CODES
from tessera.identity.rules import Principal
from tessera.kit.db.pages import JsonPage
from tessera.kit.errors import Invalid, Violation
from tessera.promo_codes import drafts, service
from tessera.promo_codes.rules import PromoCodeDraft
from tessera.promo_codes.service import PromoCodeFilter

# A request that waits for the lock on a name is retried by itself, so that it does not delay the rest of its batch.
NAME_LOCK_TIMEOUT = {"lock_timeout": "100ms"}
# Twice the default, because concurrent creations wait for the disk and not for locks.
MAX_CONCURRENT_CREATE_BATCHES = 4


def _read_list(request: Request) -> tuple[PromoCodeFilter, int]:
    parsed_request = read_query(request, PromoCodeQuery)
    number = parsed_request.values.pop("page", 1)
    filters = PromoCodeFilter(**parsed_request.values)
    violations = [*parsed_request.violations]
    if filters.email_address is not None and filters.restrict_to_email_addresses is not True:
        violations.append(
            Violation("NeedsRestriction", "email_address", "can only be used with restrictToEmailAddresses=true")
        )
    if violations:
        raise Invalid(violations)
    return filters, number


def _present_list(request: Request, page: JsonPage) -> Response:
    return numbered_page_response(request, page, null_link_at_end=True)


async def _read_creation(request: Request, _: Principal) -> PromoCodeDraft:
    return PromoCodeDraft(**(await read_body(request, PromoCodeCreateCommand)).draft())


LIST = HotRead(
    route=Route("GET", "/promo-codes"),
    policy=MANAGE_PROMO_CODES,
    read=_read_list,
    execute=partial(service.list_pages, projection=LISTED),
    present=_present_list,
)
CREATE = HotWrite(
    route=Route("POST", "/promo-codes"),
    policy=NAME_PROMO_CODES,
    read=_read_creation,
    execute=service.create_all,
    present=created_response,
    is_miss=drafts.tells_of_vouchers,
    coalescing=Coalescing(max_concurrency=MAX_CONCURRENT_CREATE_BATCHES, settings=GENERIC_PLANS | NAME_LOCK_TIMEOUT),
)
