"""The hot operation of the CareValidate API: validating a promo code, in batches across API keys."""

import re
from uuid import UUID

from fastapi import Request, Response

from tessera.api.carevalidate.errors import BundleIdMalformed, CodeMissing
from tessera.api.http.parsing import header, parsed_query
from tessera.api.serving.operations import HotLookup, Route
from tessera.identity.authentication.credentials import Credential, parse_key
from tessera.kit.errors import DomainError
from tessera.kit.normalization import trimmed
from tessera.promo_codes.uses import service
from tessera.promo_codes.uses.service import PromoCodeNotFound, UsabilityRequest, Validation

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_UNUSABLE = b'{"success":false,"data":[]}'


def _credential(request: Request) -> Credential:
    value, client = header(request.scope, b"cv-api-key"), request.scope["client"]
    return parse_key((value or b"").decode("latin-1"), host=client and client[0])


def _read(request: Request, key: Credential) -> tuple[UsabilityRequest, DomainError | None]:
    try:
        code, bundle_id = _parameters(request.scope["query_string"])
    except DomainError as error:
        return UsabilityRequest(key, None, None), error
    return UsabilityRequest(key, code, UUID(bundle_id) if bundle_id else None), None


def _parameters(query: bytes) -> tuple[str, str]:
    values = dict(parsed_query(query))
    code, bundle_id = trimmed(values.get("code", "")), values.get("product_bundle_id", "").strip()
    if not code:
        raise CodeMissing
    if bundle_id and not _UUID.fullmatch(bundle_id):
        raise BundleIdMalformed
    if "\0" in code:  # text in Postgres cannot contain NUL, so no code matches
        raise PromoCodeNotFound
    return code, bundle_id


def _present(validation: Validation) -> Response:
    if validation.reasons:
        return Response(_UNUSABLE, media_type="application/json")
    flat, percent = validation.discount.flat, validation.discount.percent
    discount = f'"flatDiscount":{flat}' if flat is not None else f'"percentDiscount":{percent}'
    return Response(f'{{"success":true,"data":[{{{discount}}}]}}', media_type="application/json")


VALIDATE = HotLookup(
    route=Route("GET", "/api/v1/promo-codes"),
    credential=_credential,
    read=_read,
    execute=service.validate_all,
    present=_present,
)
